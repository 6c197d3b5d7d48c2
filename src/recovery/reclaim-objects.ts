/**
 * Reclaims objects: gives the memory of a slot's contexts back to the heap, and that of the vector
 * that the slot was making or deleting.
 *
 * Called by recover.ts for a dead thread, once its intent is resolved and its caches are empty, and
 * by thread-heap.ts at detach. The caller is the only one to use the slot; it owns no lock except
 * that of recovery.
 *
 * A scan of the tables finds everything; links are for living threads and may be broken.
 *
 * I1  A block is given back for the slot, by an intent of the slot: the caller may die, too.
 * I2  Chunks end before their context, children before their parents: a context's root names its
 *     owner.
 */

import { type Address, List, NULL, type SlotIndex, type WordIndex } from '../base/index.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { HeapMemory, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import * as Slot from '../layout/slot.js';
import * as VectorHeader from '../layout/vector-header.js';
import type { IntentResolver } from './resolve-intent.js';

/** Number of reclaimed objects. */
export interface Reclaimed {
  contexts: number;
  /** Blocks of the contexts, and vectors. */
  blocks: number;
}

export function reclaimObjects(
  memory: HeapMemory,
  resolver: IntentResolver,
  slotIndex: SlotIndex,
): Reclaimed {
  return new Reclaim(memory, resolver, slotIndex).run();
}

/** One reclaim: of what a slot has. */
class Reclaim {
  readonly #memory: HeapMemory;
  readonly #resolver: IntentResolver;
  readonly #slotIndex: SlotIndex;
  readonly #slot: WordIndex;
  readonly #contexts: RecordTable;
  readonly #ended: Reclaimed = { contexts: 0, blocks: 0 };

  constructor(memory: HeapMemory, resolver: IntentResolver, slotIndex: SlotIndex) {
    this.#memory = memory;
    this.#resolver = resolver;
    this.#slotIndex = slotIndex;
    this.#slot = Slot.at(memory.geometry.slots, slotIndex);
    this.#contexts = ContextRecord.contextTable(memory.geometry);
  }

  run(): Reclaimed {
    this.#endInFlightHeader();
    const depths = this.#findDepths();
    if (depths === null) return this.#ended;
    this.#endChunks(depths);
    this.#endRecords(depths);
    return this.#ended;
  }

  #endInFlightHeader(): void {
    const { u32 } = this.#memory;
    const word = Slot.inFlightHeaderWord(this.#slot);
    const header = u32[word];
    if (header === 0) return;
    VectorHeader.clear(u32, (header >>> 2) as WordIndex);
    this.#remove(VectorHeader.dataWord((header >>> 2) as WordIndex));
    this.#remove(word);
  }

  /** Gives back the block that a shared word names, if it names one. */
  #remove(word: WordIndex): void {
    const { u32 } = this.#memory;
    const block = u32[word] as Address;
    if (block === 0) return;
    Slot.setIntentIn(u32, this.#slot, NULL);
    Slot.setIntentOut(u32, this.#slot, block);
    // point: end.intent
    Slot.setIntentWord(u32, this.#slot, word);
    // point: end.publish
    u32[word] = NULL;
    this.#resolver.putAway(block);
    // point: end.done
    Slot.setIntentWord(u32, this.#slot, 0);
    this.#ended.blocks++;
  }

  /**
   * The depth in its tree of each context of the slot, by its index: 1 = a root, negative = not of
   * this slot. null = the slot has no context.
   */
  #findDepths(): Int32Array | null {
    const { i32 } = this.#memory;
    const depths = new Int32Array(Records.last(i32, this.#contexts) + 1);
    let some = false;
    for (let index = 1; index < depths.length; index++) {
      this.#climb(depths, index);
      some ||= depths[index] > 0;
    }
    return some ? depths : null;
  }

  #climb(depths: Int32Array, from: number): void {
    const { i32, u32 } = this.#memory;
    const path = new List<number>();
    let endless = false;
    let at = from;
    while (depths[at] === 0) {
      path.push(at);
      const record = Records.at(this.#contexts, at);
      const isLive = ContextRecord.phaseOf(Records.load(i32, record)) === ContextRecord.LIVE;
      // The parent is read before the root's state: when a context becomes a root, its state is
      // written first.
      const parent = isLive ? ContextRecord.loadParent(u32, record) : 0;
      // A context that another thread makes right now may lie behind the frontier that was read.
      if (parent === 0 || parent >= depths.length) break;
      // The slot's own contexts do not move: a way without end belongs to a living thread, which
      // moves it.
      endless = path.length > depths.length;
      if (endless) break;
      at = parent;
    }
    let depth = endless ? -1 : depths[at] || (this.#isRootOfSlot(at) ? 0 : -1);
    for (let index = path.pop(); index !== undefined; index = path.pop()) {
      if (depth >= 0) depth++;
      depths[index] = depth;
    }
  }

  #isRootOfSlot(index: number): boolean {
    const { i32 } = this.#memory;
    const state = Records.load(i32, Records.at(this.#contexts, index));
    const phase = ContextRecord.phaseOf(state);
    return (
      (phase === ContextRecord.LIVE || phase === ContextRecord.UNRESOLVED) &&
      ContextRecord.slotOf(state) === this.#slotIndex
    );
  }

  #endChunks(depths: Int32Array): void {
    const { i32, geometry } = this.#memory;
    const chunks = ChunkRecord.chunkTable(geometry);
    const frontier = Records.last(i32, chunks);
    for (let index = 1; index <= frontier; index++) {
      const record = Records.at(chunks, index);
      const context = Records.load(i32, record);
      if (context === 0 || context >= depths.length || depths[context] <= 0) continue;
      this.#remove(ChunkRecord.addressWord(record));
      // point: end.chunk
      Records.store(i32, record, 0);
    }
  }

  /** Ends the records of contexts, deepest first. */
  #endRecords(depths: Int32Array): void {
    const own = new List<number>();
    for (let index = 1; index < depths.length; index++) if (depths[index] > 0) own.push(index);
    own.sort((a, b) => depths[b] - depths[a]);
    for (let n = 0; n < own.length; n++) {
      freeContext(this.#memory, this.#slotIndex, Records.at(this.#contexts, own[n]));
    }
    this.#ended.contexts = own.length;
  }
}

/** Frees a context's record: it has no chunk and no child any more. The slot owns it. */
export function freeContext(memory: HeapMemory, slotIndex: number, record: WordIndex): void {
  const { i32, u32 } = memory;
  // point: context.dying
  Records.store(
    i32,
    record,
    ContextRecord.withPhase(Records.load(i32, record), ContextRecord.UNRESOLVED, slotIndex),
  );
  // point: context.parent
  ContextRecord.storeParent(u32, record, 0);
  // point: context.generation
  ContextRecord.setGeneration(u32, record, ContextRecord.getGeneration(u32, record) + 1);
  // The epoch is increased, so that it alone tells whether the context is still the same.
  // point: context.epoch
  ContextRecord.setEpoch(u32, record, ContextRecord.getEpoch(u32, record) + 1);
  // point: context.free
  Records.store(i32, record, 0);
}
