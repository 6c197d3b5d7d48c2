/**
 * A thread's caches: two magazines of free blocks per size class, refilled from spans and flushed back.
 *
 * Called by allocator.ts when a magazine is empty or full, and at detach. Owner thread only. The fast
 * path itself (push and pop) is in allocator.ts; the magazines are drawn in layout/slot.ts. A local magazine
 * is refilled from spans owned by this thread, and gives its newest half back when it is full; what
 * lies in a remote magazine only goes, all of it, back to the spans of others.
 *
 * Transit: while blocks move between a magazine and the spans, the words `from` and `transit` say which
 * entries belong to the spans: [from, transit). Setting their bits again does no harm, so whoever finds
 * the class lock's owner dead can finish either direction by setting them all. The magazine itself is
 * parked (empty and full at once) from the beginning of a transit to its end.
 *
 * I1  Refill: entries, transit, parked, bits cleared, held, top, transit = 0. Flush: transit, parked,
 *     bits set, held, top, transit = 0. In this order, under the class lock.
 * I2  Empty spans are given back only after the transit is closed.
 * I3  A magazine's limit changes only while the magazine is shorter than the old and the new one.
 */

import {
  type Address,
  BATCH_BLOCKS,
  BLOCK_BYTES,
  GRANULE_SHIFT,
  type MagazineIndex,
  REMOTE,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type WordIndex,
} from '../base/index.js';
import {
  addHeld,
  addSlotCounter,
  cachedBlocks,
  classLock,
  classOfMagazine,
  closeTransit,
  FLUSHES,
  getLimit,
  getPartial,
  getTop,
  type HeapMemory,
  isParked,
  magazineBlocks,
  magazineBottom,
  magazinesOf,
  magazinesOfSlot,
  moveSentinel,
  openMagazine,
  openTransit,
  partialOf,
  REFILLS,
  resetMagazines,
  retiredOf,
  setTop,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import type { RetiredSpans } from './retired-spans.js';
import type { Spans } from './spans.js';

/** A magazine starts with room for this many blocks or bytes, and doubles with every refill. */
const START_BLOCKS = 32;
const START_BYTES = 8 * 1024;
/** A flush gives the lock back after so many blocks, some microseconds: others wait for it. */
const PORTION_BLOCKS = 256;

export interface Cache {
  /** Makes all magazines empty, and none open. At attach, before anything else. */
  reset(): void;
  /** Sees to it that a magazine can be pushed on, if it is not full. */
  open(magazine: MagazineIndex): void;
  /** Fills an empty magazine from the spans; false when the heap has no block to give. */
  refill(c: SizeClass): boolean;
  /**
   * Gives a full magazine back, of a local magazine the newest half: the entry over the sentinel
   * included. One that is not open yet is opened.
   */
  flush(magazine: MagazineIndex): void;
  /** Is there an entry over the sentinel? So after a flush that failed. */
  isOver(magazine: MagazineIndex): boolean;
  /** Gives everything back, and the retired spans of all threads; was there anything? */
  flushAll(): boolean;
  /** Gives all that the thread has back; the spans owned here are nobody's after. At detach. */
  leave(): number;
  /**
   * That for a slot whose thread is dead. It may have died between a tag and the pop that was to
   * follow, so tags are cleared too; and in the middle of a transit, so every class lock is taken.
   */
  flushDead(): number;
  /**
   * Puts a block that is nobody's in the local magazine, and leaves it there. Flushes before where that
   * is full. The thread is the magazine's own, or the rescuer of who had it.
   */
  takeOrphan(c: SizeClass, block: Address): void;
  /** The same with many, which go on to their spans: see reclaim-instrumented.ts. */
  releaseUnclaimed(c: SizeClass, blocks: readonly Address[]): void;
}

export function createCache(
  memory: HeapMemory,
  slot: WordIndex,
  locks: Locks,
  spans: Spans,
  retired: RetiredSpans,
): Cache {
  const { i32, u32, f64, tags } = memory;
  const { depths } = memory.geometry;
  const magazinesAt = magazinesOfSlot(memory.geometry, slot);

  function startLimit(magazine: MagazineIndex): number {
    const bytes = BLOCK_BYTES[classOfMagazine(magazine)];
    const blocks = Math.min(START_BLOCKS, Math.floor(START_BYTES / bytes));
    return Math.min(depths.limits[magazine], Math.max(2, blocks));
  }

  function reset(): void {
    resetMagazines(u32, slot, magazinesAt, depths);
  }

  /** A magazine that is used for the first time. */
  function open(magazine: MagazineIndex): void {
    if (isParked(u32, slot, magazine)) openMagazine(u32, slot, magazine, startLimit(magazine));
  }

  function refill(c: SizeClass): boolean {
    open(c);
    const limit = getLimit(u32, slot, c);
    const wanted = Math.min((limit + 1) >>> 1, BATCH_BLOCKS[c]);
    // What this thread keeps for other classes goes before the heap grows.
    if (!take(c, wanted) && !(retired.give() && take(c, wanted))) return false;
    addSlotCounter(f64, slot, REFILLS, 1);
    const most = depths.limits[c];
    if (limit < most) moveSentinel(u32, slot, c, Math.min(limit * 2, most));
    return true;
  }

  /** Moves free blocks from the spans to an empty magazine; false when there are none. */
  function take(c: SizeClass, wanted: number): boolean {
    locks.acquire(classLock(c));
    const count = spans.availableLocked(c, wanted);
    if (count > 0) takeLocked(c, count);
    locks.release(classLock(c));
    return count > 0;
  }

  function takeLocked(c: SizeClass, count: number): void {
    const bottom = magazineBottom(u32, slot, c);
    spans.listFreeLocked(c, count, bottom + count);
    // point: refill.transit
    openTransit(u32, slot, c, bottom, bottom + count);
    spans.takeListedLocked(c, count);
    // point: refill.held
    addHeld(f64, slot, c, count);
    // point: refill.top
    closeTransit(u32, slot, c, bottom + count);
  }

  function isOver(magazine: MagazineIndex): boolean {
    return (
      getTop(u32, slot, magazine) >
      magazineBottom(u32, slot, magazine) + getLimit(u32, slot, magazine)
    );
  }

  function flush(magazine: MagazineIndex): void {
    if (isParked(u32, slot, magazine)) {
      open(magazine);
      return;
    }
    const limit = getLimit(u32, slot, magazine);
    // Mostly half of the limit. A sentinel that was left behind by an error ends a magazine early.
    const half = (Math.min(limit, magazineBlocks(u32, slot, magazine)) + 1) >>> 1;
    const keep = magazine < REMOTE ? half : 0;
    while (releasePortion(magazine, keep));
    addSlotCounter(f64, slot, FLUSHES, 1);
    moveSentinel(u32, slot, magazine, Math.min(limit * 2, depths.limits[magazine]));
  }

  /** Gives the newest blocks of a magazine back, until it has `keep`; is there more to give? */
  function releasePortion(magazine: MagazineIndex, keep: number): boolean {
    const c = classOfMagazine(magazine);
    locks.acquire(classLock(c));
    // Counted under the lock: in a poisoned heap the magazine is parked meanwhile.
    const held = magazineBlocks(u32, slot, magazine);
    const rest = Math.max(keep, held - PORTION_BLOCKS);
    if (held > rest) releaseLocked(magazine, rest, false);
    locks.release(classLock(c));
    return rest > keep;
  }

  /** Gives all but the oldest `keep` blocks of a magazine back. */
  function releaseLocked(magazine: MagazineIndex, keep: number, dead: boolean): void {
    const c = classOfMagazine(magazine);
    const top = getTop(u32, slot, magazine);
    const from = magazineBottom(u32, slot, magazine) + keep;
    // point: flush.transit
    openTransit(u32, slot, magazine, from, top);
    if (dead) {
      for (let entry = from; entry < top; entry++) {
        // point: flush.tag
        tags[u32[entry] >>> GRANULE_SHIFT] = 0;
      }
    }
    spans.putBackLocked(c, from, top);
    // point: flush.held
    addHeld(f64, slot, c, from - top);
    // point: flush.top
    closeTransit(u32, slot, magazine, from);
    spans.releaseEmptiesLocked(c);
  }

  function flushAll(): boolean {
    let blocks = 0;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      // Nobody else puts blocks in a living thread's magazine: where it is empty it stays so.
      if (cachedBlocks(u32, slot, c) > 0) blocks += releaseAll(c, false, false);
    }
    return retired.releaseAll() || blocks > 0;
  }

  function leave(): number {
    let blocks = 0;
    // Before all else: what this thread finds dead on its way may make spans of its own wholly free.
    retired.stop();
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      // Spans that come to be partial after this look stay in a list that nobody has: who takes the slot
      // finds them there, and who finds the heap full.
      const listed = getPartial(i32, partialOf(slot, c)) || getPartial(i32, retiredOf(slot, c));
      if (listed !== 0 || cachedBlocks(u32, slot, c) > 0) blocks += releaseAll(c, false, true);
    }
    return blocks;
  }

  function flushDead(): number {
    let blocks = 0;
    // Also where nothing is cached: to take the lock is to close what the dead thread left open.
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) blocks += releaseAll(c, true, true);
    return blocks;
  }

  function releaseAll(c: SizeClass, dead: boolean, leaving: boolean): number {
    let given = 0;
    locks.acquire(classLock(c));
    const magazines = magazinesOf(c);
    for (let n = 0; n < magazines.length; n++) {
      const magazine = magazines[n];
      // Counted under the lock: a takeover may just have shortened the magazine.
      const cached = magazineBlocks(u32, slot, magazine);
      if (cached > 0) releaseLocked(magazine, 0, dead);
      given += cached;
    }
    if (leaving) spans.disownLocked(c, slot);
    locks.release(classLock(c));
    return given;
  }

  function takeOrphanLocked(c: SizeClass, block: Address): void {
    open(c);
    if (magazineBlocks(u32, slot, c) >= getLimit(u32, slot, c)) releaseLocked(c, 0, true);
    const top = getTop(u32, slot, c);
    // point: orphan.entry
    u32[top] = block;
    // point: orphan.top
    setTop(u32, slot, c, top + 1);
    // point: orphan.untag
    tags[block >>> GRANULE_SHIFT] = 0;
  }

  function takeOrphan(c: SizeClass, block: Address): void {
    locks.acquire(classLock(c));
    takeOrphanLocked(c, block);
    locks.release(classLock(c));
  }

  function releaseUnclaimed(c: SizeClass, blocks: readonly Address[]): void {
    locks.acquire(classLock(c));
    for (let n = 0; n < blocks.length; n++) takeOrphanLocked(c, blocks[n]);
    if (magazineBlocks(u32, slot, c) > 0) releaseLocked(c, 0, true);
    locks.release(classLock(c));
  }

  return {
    reset,
    open,
    refill,
    flush,
    isOver,
    flushAll,
    leave,
    flushDead,
    takeOrphan,
    releaseUnclaimed,
  };
}
