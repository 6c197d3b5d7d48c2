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
import { clearInFlightHeader } from '../heap/index.js';
import {
  type ContextIndex,
  chunkTable,
  chunkWord,
  contextOwner,
  contextPhase,
  contextSlot,
  contextTable,
  getChunk,
  getChunkAddress,
  getChunkBytes,
  getKeeper,
  getNextChunk,
  LIVE_CONTEXT,
  lastRecord,
  loadParent,
  loadRecord,
  recordAt,
  setChunk,
  setChunkCount,
  setContextBytes,
  setKeeper,
  setNextChunk,
  setPrevChunk,
  storeRecord,
  UNRESOLVED_CONTEXT,
} from '../layout/index.js';
import { freeContext } from '../recovery/index.js';
import type { ContextRuntime } from './context-runtime.js';

export function createRepairObjects(runtime: ContextRuntime): () => void {
  const { memory, attachment, registry, byIndex } = runtime;
  const { core } = attachment;
  const { ownedBlocks, slotIndex, marks } = core;
  const { i32, u32, geometry } = memory;
  const contexts = contextTable(geometry);
  const chunks = chunkTable(geometry);
  const chunkAt = (chunk: number): WordIndex => recordAt(chunks, chunk);

  function repairContexts(): void {
    endUnresolved();
    const own = findOwn();
    for (const [index, context] of [...byIndex]) if (!own.has(index)) context.forget();
    const named = chunksByContext();
    for (const index of own.keys()) repairChains(index, named.get(index) ?? []);
    runtime.chunks.forget();
    registry.relink([...own.keys()]);
    repairInstances(own, named);
  }

  /** Contexts that were being made, or whose end was all but done. */
  function endUnresolved(): void {
    for (let index = 1 as ContextIndex; index <= lastRecord(i32, contexts); index++) {
      const record = recordAt(contexts, index);
      const state = loadRecord(i32, record);
      if (contextPhase(state) !== UNRESOLVED_CONTEXT || contextSlot(state) !== slotIndex) continue;
      byIndex.get(index)?.forget();
      freeContext(memory, slotIndex, record);
    }
  }

  /** This thread's contexts, and how deep in its tree each lies. */
  function findOwn(): Map<ContextIndex, number> {
    const own = new Map<ContextIndex, number>();
    for (let index = 1 as ContextIndex; index <= lastRecord(i32, contexts); index++) {
      if (contextPhase(loadRecord(i32, recordAt(contexts, index))) !== LIVE_CONTEXT) continue;
      if (contextOwner(i32, u32, contexts, index) === slotIndex) own.set(index, depthOf(index));
    }
    return own;
  }

  function depthOf(index: ContextIndex): number {
    let depth = 0;
    for (let at = index; at !== 0; at = loadParent(u32, recordAt(contexts, at))) depth++;
    return depth;
  }

  function chunksByContext(): Map<number, number[]> {
    const named = new Map<number, number[]>();
    for (let chunk = 1; chunk <= lastRecord(i32, chunks); chunk++) {
      const context = loadRecord(i32, chunkAt(chunk));
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
  function repairChains(index: ContextIndex, named: readonly number[]): void {
    const record = recordAt(contexts, index);
    const left = new Set(named);
    const chain = new List<number>();
    for (let chunk = getChunk(u32, record); left.has(chunk); ) {
      if (getChunkAddress(u32, chunkAt(chunk)) !== 0) {
        left.delete(chunk);
        chain.push(chunk);
      } else if (chain.length > named.length) break;
      const next = getNextChunk(u32, chunkAt(chunk));
      chunk = next === chunk ? 0 : next;
    }
    for (const chunk of left) {
      ownedBlocks.remove(chunkWord(chunkAt(chunk)));
      storeRecord(i32, chunkAt(chunk), 0);
    }
    setChunk(u32, record, linkAll(chain));
    setChunkCount(u32, record, chain.length);
    const bytes = chain.reduce((sum, chunk) => sum + getChunkBytes(u32, chunkAt(chunk)), 0);
    setContextBytes(u32, record, bytes);
    if (!chain.includes(getKeeper(u32, record))) setKeeper(u32, record, 0);
  }

  /** Links records in this order; the first, 0 = none. */
  function linkAll(list: readonly number[]): number {
    list.forEach((chunk, n) => {
      setPrevChunk(u32, chunkAt(chunk), list[n - 1] ?? 0);
      setNextChunk(u32, chunkAt(chunk), list[n + 1] ?? 0);
    });
    return list[0] ?? 0;
  }

  function repairInstances(own: Map<ContextIndex, number>, named: Map<number, number[]>): void {
    const parents = new Set(
      [...own.keys()].map((index) => loadParent(u32, recordAt(contexts, index))),
    );
    const byDepth = [...own].sort(([, a], [, b]) => a - b);
    for (const [index] of byDepth) {
      const parent = byIndex.get(loadParent(u32, recordAt(contexts, index))) ?? null;
      const known = byIndex.get(index);
      if (known !== undefined) known.adoptedBy(parent);
      else if (parents.has(index) || named.has(index)) runtime.wrapStored(index, parent);
      else registry.end(index);
    }
  }

  return () => {
    clearInFlightHeader(attachment.core);
    if (marks.tables) repairContexts();
    runtime.resume();
  };
}
