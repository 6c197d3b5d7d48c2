/**
 * Repair of objects: what this thread had half done of contexts, chunks and vectors when V8 cut its call.
 *
 * Called by heap/section.ts for the thread's next call, when the heap itself is repaired (heap/marks.ts): no
 * lock of the heap is held, and no placement is under way. Owner thread only. The same for the dead, who
 * go on with nothing, is in recovery/reclaim-objects.ts.
 *
 * I1  Records are the source: which context is whose, which chunk record names which context. Links,
 *     chains, counts and instances follow from them.
 * I2  Every step can be repeated: this may be cut as well.
 * I3  A context that was being made, and holds nothing yet, ends. What another call had begun to end stays,
 *     emptied; where the record is free already, so is the instance.
 */

import { List, type WordIndex } from '../base/index.js';
import { clearInFlightHeader, type ThreadHeap } from '../heap/index.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { ContextIndex, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import { freeContext } from '../recovery/index.js';
import type { ContextRuntime } from './context-runtime.js';
import type { ContextState } from './context-state.js';

export class ObjectRepair {
  readonly #runtime: ContextRuntime;
  readonly #core: ThreadHeap;
  readonly #byIndex: Map<ContextIndex, ContextState>;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #contexts: RecordTable;
  readonly #chunks: RecordTable;

  constructor(runtime: ContextRuntime) {
    const { i32, u32, geometry } = runtime.memory;
    this.#runtime = runtime;
    this.#core = runtime.attachment.core;
    this.#byIndex = runtime.byIndex;
    this.#i32 = i32;
    this.#u32 = u32;
    this.#contexts = ContextRecord.contextTable(geometry);
    this.#chunks = ChunkRecord.chunkTable(geometry);
  }

  /** Makes whole what the cut call has left. */
  run(): void {
    const { marks } = this.#core;
    clearInFlightHeader(this.#core);
    if (marks.tables) this.#repairContexts();
    this.#runtime.resume();
  }

  #chunkAt(chunk: number): WordIndex {
    return Records.at(this.#chunks, chunk);
  }

  #repairContexts(): void {
    this.#endUnresolved();
    const own = this.#findOwn();
    for (const [index, context] of [...this.#byIndex]) if (!own.has(index)) context.forget();
    const named = this.#chunksByContext();
    for (const index of own.keys()) this.#repairChains(index, named.get(index) ?? []);
    this.#runtime.chunks.forget();
    this.#runtime.registry.relink([...own.keys()]);
    this.#repairInstances(own, named);
  }

  /** Contexts that were being made, or whose end was all but done. */
  #endUnresolved(): void {
    const i32 = this.#i32;
    const { memory, slotIndex } = this.#core;
    for (let index = 1 as ContextIndex; index <= Records.last(i32, this.#contexts); index++) {
      const record = Records.at(this.#contexts, index);
      const state = Records.load(i32, record);
      if (
        ContextRecord.phaseOf(state) !== ContextRecord.UNRESOLVED ||
        ContextRecord.slotOf(state) !== slotIndex
      )
        continue;
      this.#byIndex.get(index)?.forget();
      freeContext(memory, slotIndex, record);
    }
  }

  /** This thread's contexts, and how deep in its tree each lies. */
  #findOwn(): Map<ContextIndex, number> {
    const i32 = this.#i32;
    const own = new Map<ContextIndex, number>();
    for (let index = 1 as ContextIndex; index <= Records.last(i32, this.#contexts); index++) {
      if (
        ContextRecord.phaseOf(Records.load(i32, Records.at(this.#contexts, index))) !==
        ContextRecord.LIVE
      )
        continue;
      const owner = ContextRecord.ownerOf(i32, this.#u32, this.#contexts, index);
      if (owner === this.#core.slotIndex) own.set(index, this.#depthOf(index));
    }
    return own;
  }

  #depthOf(index: ContextIndex): number {
    let depth = 0;
    for (
      let at = index;
      at !== 0;
      at = ContextRecord.loadParent(this.#u32, Records.at(this.#contexts, at))
    )
      depth++;
    return depth;
  }

  #chunksByContext(): Map<number, number[]> {
    const i32 = this.#i32;
    const named = new Map<number, number[]>();
    for (let chunk = 1; chunk <= Records.last(i32, this.#chunks); chunk++) {
      const context = Records.load(i32, this.#chunkAt(chunk));
      if (context === 0) continue;
      const list = named.get(context) ?? new List<number>();
      named.set(context, list);
      list.push(chunk);
    }
    return named;
  }

  /**
   * The chain anew. `next` is right at every moment of a change; a record without a block is none.
   */
  #repairChains(index: ContextIndex, named: readonly number[]): void {
    const u32 = this.#u32;
    const record = Records.at(this.#contexts, index);
    const left = new Set(named);
    const chain = new List<number>();
    for (let chunk = ContextRecord.getChunk(u32, record); left.has(chunk); ) {
      if (ChunkRecord.getAddress(u32, this.#chunkAt(chunk)) !== 0) {
        left.delete(chunk);
        chain.push(chunk);
      } else if (chain.length > named.length) break;
      const next = ChunkRecord.getNext(u32, this.#chunkAt(chunk));
      chunk = next === chunk ? 0 : next;
    }
    for (const chunk of left) {
      this.#core.ownedBlocks.remove(ChunkRecord.addressWord(this.#chunkAt(chunk)));
      Records.store(this.#i32, this.#chunkAt(chunk), 0);
    }
    ContextRecord.setChunk(u32, record, this.#linkAll(chain));
    ContextRecord.setChunkCount(u32, record, chain.length);
    const bytes = chain.reduce(
      (sum, chunk) => sum + ChunkRecord.getBytes(u32, this.#chunkAt(chunk)),
      0,
    );
    ContextRecord.setBytes(u32, record, bytes);
    if (!chain.includes(ContextRecord.getKeeper(u32, record)))
      ContextRecord.setKeeper(u32, record, 0);
  }

  /** Links records in this order; the first, 0 = none. */
  #linkAll(list: readonly number[]): number {
    const u32 = this.#u32;
    list.forEach((chunk, n) => {
      ChunkRecord.setPrev(u32, this.#chunkAt(chunk), list[n - 1] ?? 0);
      ChunkRecord.setNext(u32, this.#chunkAt(chunk), list[n + 1] ?? 0);
    });
    return list[0] ?? 0;
  }

  #repairInstances(own: Map<ContextIndex, number>, named: Map<number, number[]>): void {
    const u32 = this.#u32;
    const parents = new Set(
      [...own.keys()].map((index) =>
        ContextRecord.loadParent(u32, Records.at(this.#contexts, index)),
      ),
    );
    const byDepth = [...own].sort(([, a], [, b]) => a - b);
    for (const [index] of byDepth) {
      const parent =
        this.#byIndex.get(ContextRecord.loadParent(u32, Records.at(this.#contexts, index))) ?? null;
      const known = this.#byIndex.get(index);
      if (known !== undefined) known.adoptedBy(parent);
      else if (parents.has(index) || named.has(index)) this.#runtime.wrapStored(index, parent);
      else this.#runtime.registry.end(index);
    }
  }
}
