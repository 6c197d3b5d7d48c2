/**
 * Settling: what becomes of the blocks of a placement that was cut short (placement.ts I1).
 *
 * Called by recover.ts for a dead thread's slot, before anything of that slot is given back: after
 * that a block that was on its stack could be anybody's. By placement.ts for a thread's own slot,
 * where an error has left an intent standing. The caller is the only one to touch the slot.
 *
 * I1  One block after the other: found to be where it belongs, or put on the slot's stack (a large one
 *     made RESERVED by the slot), and then struck from the intent. Who settles may die at each store.
 */

import {
  type Address,
  GRANULE_SHIFT,
  HeapCorruptionError,
  hex,
  LARGE,
  NULL,
  type SizeClass,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import {
  cachedBlocks,
  type Geometry,
  getIntentIn,
  getIntentOut,
  getIntentWord,
  getRun,
  getSpanHead,
  type HeapMemory,
  PAGE_LOCK,
  pageOf,
  pageRecord,
  RESERVED_RUN,
  runOwner,
  setIntentIn,
  setIntentOut,
  setIntentWord,
  slotRecord,
  stackBottom,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import type { Cache } from './cache.js';
import { inspect } from './inspect.js';
import type { Looker } from './looker.js';
import type { PageHeap } from './page-heap.js';

export interface Settling {
  /** Ends the slot's intent; false if it has none. Its large blocks are RESERVED by the slot after. */
  settle(): boolean;
  /** Takes a block that is nobody's: on the slot's stack, or RESERVED by it. */
  putAway(block: Address, isLarge: boolean): void;
}

/** @param cache that of the slot, whoever's thread this is */
export function createSettling(
  memory: HeapMemory,
  locks: Locks,
  pageHeap: PageHeap,
  cache: Cache,
  slotIndex: SlotIndex,
): Settling {
  const { i32, u32, tags, geometry } = memory;
  const slot = slotRecord(geometry.slots, slotIndex);
  const looker: Looker = { acquire: locks.acquire, release: locks.release, broken: false };

  function settle(): boolean {
    const word = getIntentWord(u32, slot);
    if (word === 0) return false;
    settleBlock(word, getIntentIn(u32, slot));
    // point: settle.in
    setIntentIn(u32, slot, NULL);
    settleBlock(word, getIntentOut(u32, slot));
    // point: settle.out
    setIntentOut(u32, slot, NULL);
    // point: settle.done
    setIntentWord(u32, slot, 0);
    return true;
  }

  function settleBlock(word: WordIndex, block: Address): void {
    if (block === 0 || u32[word] === block) return;
    const place = inspect(memory, looker, block);
    // By the slot: it is given back with all such runs.
    if (place.is === 'reserved') return;
    if (place.is !== 'block' || place.start !== block) {
      throw new HeapCorruptionError(
        `slot ${slotIndex} was placing ${hex(block)}, and no block begins there (slot I7)`,
      );
    }
    const isLarge = place.sizeClass === LARGE;
    if (isLarge || !isOnStack(place.sizeClass, block)) putAway(block, isLarge);
  }

  function isOnStack(c: SizeClass, block: Address): boolean {
    const bottom = stackBottom(slot, c);
    return u32.subarray(bottom, bottom + cachedBlocks(u32, slot, c)).includes(block);
  }

  function putAway(block: Address, isLarge: boolean): void {
    if (!isLarge) {
      cache.takeOrphan(spanClass(i32, geometry, block), block);
      return;
    }
    locks.acquire(PAGE_LOCK);
    // point: settle.reserve
    pageHeap.commitRun(pageOf(block), RESERVED_RUN, slotIndex);
    // point: settle.untag
    tags[block >>> GRANULE_SHIFT] = 0;
    locks.release(PAGE_LOCK);
  }

  return { settle, putAway };
}

/** The size class of a span that a live block lies in. */
export function spanClass(i32: Int32Array, geometry: Geometry, block: Address): SizeClass {
  const head = getSpanHead(i32, pageRecord(geometry.pageTable, pageOf(block)));
  return runOwner(getRun(i32, pageRecord(geometry.pageTable, head))) as SizeClass;
}
