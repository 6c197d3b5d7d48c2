/**
 * Ending objects: what a slot's contexts have goes back to the heap, and what it was making or
 * deleting of a vector.
 *
 * Called by recover.ts for a dead thread, once its intent is resolved and its caches are empty, and by
 * thread-heap.ts at detach. The caller is the only one to touch the slot; it holds no lock but that of
 * recovery.
 *
 * Everything is found by a scan of the tables, whatever links say: those are for the living.
 *
 * I1  A block goes back in the slot's own name, by an intent of the slot: who does this may die too.
 * I2  Chunks before their context, children before their parents: whose a context is, its root says.
 * I3  The storage of a shared vector is taken with its lock only, in the name of the slot's thread,
 *     and nobody is waited for: where another thread has it that one gives the storage back when it
 *     lets go, or, should it die before, its own recovery does, which looks at all that are marked.
 *     What a thread had that was recovered before it was marked has nobody to wait for.
 */

import { type Address, List, NULL, type SlotIndex, type WordIndex } from '../base/index.js';
import {
  casStorageLock,
  chunkTable,
  chunkWord,
  clearVector,
  closeVersion,
  contextPhase,
  contextSlot,
  contextTable,
  endedChunk,
  getEpoch,
  getGeneration,
  type HeapMemory,
  inFlightHeaderWord,
  isEndedChunk,
  LIVE_CONTEXT,
  lastRecord,
  loadOwner,
  loadParent,
  loadRecord,
  loadStorageLock,
  markChunkEnded,
  recordAt,
  releaseStorageLock,
  setEpoch,
  setGeneration,
  setIntentIn,
  setIntentOut,
  setIntentWord,
  slotRecord,
  storageSerialWord,
  storageVersionWord,
  storeParent,
  storeRecord,
  tryStorageLock,
  UNRESOLVED_CONTEXT,
  vectorDataWord,
  withPhase,
} from '../layout/index.js';
import { hasSlot, type ThreadWord, WAITERS } from '../sync/index.js';
import type { IntentResolver } from './resolve-intent.js';

const NONE = new Int32Array(0);

/** What was ended. */
export interface Reclaimed {
  contexts: number;
  /** Blocks that they had, and vectors. */
  blocks: number;
}

export function reclaimObjects(
  memory: HeapMemory,
  resolver: IntentResolver,
  slotIndex: SlotIndex,
): Reclaimed {
  const { i32, u32, geometry } = memory;
  const slot = slotRecord(geometry.slots, slotIndex);
  const contexts = contextTable(geometry);
  const ended: Reclaimed = { contexts: 0, blocks: 0 };

  endInFlightHeader();
  const depths = findDepths();
  endChunks(depths ?? NONE);
  if (depths !== null) endRecords(depths);
  return ended;

  function endInFlightHeader(): void {
    const word = inFlightHeaderWord(slot);
    const header = u32[word];
    if (header === 0) return;
    clearVector(u32, (header >>> 2) as WordIndex);
    remove(vectorDataWord((header >>> 2) as WordIndex));
    remove(word);
  }

  /** Gives the block back that a shared word has, if it has one. */
  function remove(word: WordIndex): void {
    const block = u32[word] as Address;
    if (block === 0) return;
    setIntentIn(u32, slot, NULL);
    setIntentOut(u32, slot, block);
    // point: end.intent
    setIntentWord(u32, slot, word);
    // point: end.publish
    u32[word] = NULL;
    resolver.putAway(block);
    // point: end.done
    setIntentWord(u32, slot, 0);
    ended.blocks++;
  }

  /**
   * How deep in its tree each context of the slot lies, by its index: 1 = a root, less than 0 = none
   * of this slot's. null when it has none at all.
   */
  function findDepths(): Int32Array | null {
    const depths = new Int32Array(lastRecord(i32, contexts) + 1);
    let some = false;
    for (let index = 1; index < depths.length; index++) {
      climb(depths, index);
      some ||= depths[index] > 0;
    }
    return some ? depths : null;
  }

  function climb(depths: Int32Array, from: number): void {
    const path = new List<number>();
    let endless = false;
    let at = from;
    while (depths[at] === 0) {
      path.push(at);
      const record = recordAt(contexts, at);
      const isLive = contextPhase(loadRecord(i32, record)) === LIVE_CONTEXT;
      // Before its state is read again, as the root's: of one that becomes a root that is written
      // first.
      const parent = isLive ? loadParent(u32, record) : 0;
      // What another thread is making right now may lie behind what was the frontier.
      if (parent === 0 || parent >= depths.length) break;
      // What is ours stands still: a way that does not end is one that a living thread moves about.
      endless = path.length > depths.length;
      if (endless) break;
      at = parent;
    }
    let depth = endless ? -1 : depths[at] || (isRootOfSlot(at) ? 0 : -1);
    for (let index = path.pop(); index !== undefined; index = path.pop()) {
      if (depth >= 0) depth++;
      depths[index] = depth;
    }
  }

  function isRootOfSlot(index: number): boolean {
    const state = loadRecord(i32, recordAt(contexts, index));
    const phase = contextPhase(state);
    return (
      (phase === LIVE_CONTEXT || phase === UNRESOLVED_CONTEXT) && contextSlot(state) === slotIndex
    );
  }

  function endChunks(depths: Int32Array): void {
    const chunks = chunkTable(geometry);
    const frontier = lastRecord(i32, chunks);
    for (let index = 1; index <= frontier; index++) {
      const record = recordAt(chunks, index);
      const context = loadRecord(i32, record);
      if (context === 0) continue;
      const isOurs = context < depths.length && depths[context] > 0;
      if (!isOurs && !isEndedChunk(context)) continue;
      if (endChunk(record, context) || !isOurs) continue;
      // point: end.mark
      markChunkEnded(i32, record);
      // Its lock may have been let go before the mark was to be seen. Who saw it has given the chunk
      // back, and the record may be another's by now: that one says something else.
      endChunk(record, endedChunk(context));
    }
  }

  /** Gives a chunk back that says that it is this context's; false where another has its lock (I3). */
  function endChunk(record: WordIndex, context: number): boolean {
    const owner = loadOwner(i32, geometry.registry, slotIndex);
    // point: end.lock
    if (!tryStorageLock(i32, record, owner) && !inheritLock(record, owner)) return false;
    // A marked one may have been given back by another in between.
    if (loadRecord(i32, record) === context) {
      closeVersion(i32, storageVersionWord(record));
      // point: end.serial
      u32[storageSerialWord(record)] = 0;
      remove(chunkWord(record));
      // point: end.chunk
      storeRecord(i32, record, 0);
    }
    // point: end.unlock
    releaseStorageLock(i32, record);
    return true;
  }

  /** Takes a storage's lock from a thread that died with it, and was recovered before. */
  function inheritLock(record: WordIndex, owner: number): boolean {
    const held = loadStorageLock(i32, record);
    // Who has a slot lives, or its own recovery is yet to come. A thread in no slot holds no lock.
    const holder = (held & ~WAITERS) as ThreadWord;
    if (held === 0 || hasSlot(memory, holder)) return false;
    return casStorageLock(i32, record, held, owner);
  }

  /** Deepest first. */
  function endRecords(depths: Int32Array): void {
    const own = new List<number>();
    for (let index = 1; index < depths.length; index++) if (depths[index] > 0) own.push(index);
    own.sort((a, b) => depths[b] - depths[a]);
    for (let n = 0; n < own.length; n++) {
      freeContext(memory, slotIndex, recordAt(contexts, own[n]));
    }
    ended.contexts = own.length;
  }
}

/** Frees a context's record: it has no chunk any more, and no child. The slot owns it. */
export function freeContext(memory: HeapMemory, slotIndex: number, record: WordIndex): void {
  const { i32, u32 } = memory;
  // point: context.dying
  storeRecord(i32, record, withPhase(loadRecord(i32, record), UNRESOLVED_CONTEXT, slotIndex));
  // point: context.parent
  storeParent(u32, record, 0);
  // point: context.generation
  setGeneration(u32, record, getGeneration(u32, record) + 1);
  // So that an epoch alone tells whether the context is the one that it was.
  // point: context.epoch
  setEpoch(u32, record, getEpoch(u32, record) + 1);
  // point: context.free
  storeRecord(i32, record, 0);
}
