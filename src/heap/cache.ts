/**
 * A thread's caches: one stack of free blocks per size class, refilled from spans and flushed back.
 *
 * Called by allocator.ts when a stack is empty or full, and at detach. Owner thread only. The fast
 * path itself (push and pop) is in allocator.ts; the stacks are drawn in layout/slot.ts.
 *
 * Transit: while blocks move between a stack and the spans, the word `transit` says which entries
 * belong to the spans: [top, transit). Setting their bits again does no harm, so whoever finds the
 * class lock's owner dead can finish either direction by setting them all.
 *
 * I1  Refill: entries, transit, bits cleared, top, held, transit = 0. Flush: transit, top, bits
 *     set, held, transit = 0. In this order, under the class lock.
 * I2  Empty spans are given back only after the transit is closed.
 * I3  A stack's limit changes only while the stack is shorter than the old and the new one.
 */

import {
  type Address,
  BLOCK_BYTES,
  GRANULE_SHIFT,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type WordIndex,
} from '../base/index.js';
import {
  addHeld,
  addSlotCounter,
  cachedBlocks,
  classLock,
  FLUSHES,
  getLimit,
  getTop,
  type HeapMemory,
  moveFence,
  REFILLS,
  resetStacks,
  STACK_LIMIT,
  setTop,
  setTransit,
  stackBottom,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import type { Spans } from './spans.js';

/** A stack starts with room for this many blocks or bytes, and doubles with every refill. */
const START_BLOCKS = 32;
const START_BYTES = 8 * 1024;

export interface Cache {
  /** Makes all stacks empty, with their first limits. At attach, before anything else. */
  reset(): void;
  /** Fills an empty stack from the spans; false when the heap has no block to give. */
  refill(c: SizeClass): boolean;
  /** Gives the newest half of a full stack back, the entry over the fence included. */
  flush(c: SizeClass): void;
  /** Is there an entry over the fence? So after a flush that failed. */
  isOver(c: SizeClass): boolean;
  /** Gives everything back; how many blocks that was. */
  flushAll(): number;
  /**
   * The same for a slot whose thread is dead. It may have died between a tag and the pop that was
   * to follow, so tags are cleared too; and in the middle of a transit, so every class lock is taken.
   */
  flushDead(): number;
  /**
   * Puts a block that is nobody's on the stack, and leaves it there. Flushes before where that is
   * full. The thread is the stack's own, or the rescuer of who had it.
   */
  takeOrphan(c: SizeClass, block: Address): void;
  /** The same with many, which go on to their spans: see orphans.ts. */
  giveOrphans(c: SizeClass, blocks: readonly Address[]): void;
}

export function createCache(
  memory: HeapMemory,
  slot: WordIndex,
  locks: Locks,
  spans: Spans,
): Cache {
  const { u32, f64, tags } = memory;

  function startLimit(c: SizeClass): number {
    const blocks = Math.min(START_BLOCKS, Math.floor(START_BYTES / BLOCK_BYTES[c]));
    return Math.max(2, Math.min(STACK_LIMIT[c], blocks));
  }

  function reset(): void {
    resetStacks(u32, slot, startLimit);
  }

  function refill(c: SizeClass): boolean {
    const limit = getLimit(u32, slot, c);
    locks.acquire(classLock(c));
    const count = spans.availableLocked(c, (limit + 1) >>> 1);
    if (count > 0) takeLocked(c, count);
    locks.release(classLock(c));
    if (count === 0) return false;
    addSlotCounter(f64, slot, REFILLS, 1);
    if (limit < STACK_LIMIT[c]) moveFence(u32, slot, c, Math.min(limit * 2, STACK_LIMIT[c]));
    return true;
  }

  function takeLocked(c: SizeClass, count: number): void {
    const bottom = stackBottom(slot, c);
    spans.listFreeLocked(c, count, bottom + count);
    // point: refill.transit
    setTransit(u32, slot, c, bottom + count);
    spans.takeListedLocked(c, count);
    // point: refill.top
    setTop(u32, slot, c, bottom + count);
    // point: refill.held
    addHeld(f64, slot, c, count);
    // point: refill.close
    setTransit(u32, slot, c, 0);
  }

  function isOver(c: SizeClass): boolean {
    return getTop(u32, slot, c) > stackBottom(slot, c) + getLimit(u32, slot, c);
  }

  function flush(c: SizeClass): void {
    const limit = getLimit(u32, slot, c);
    // Mostly half of the limit. A fence that was left behind by an error ends a stack early.
    const keep = Math.min(limit, cachedBlocks(u32, slot, c)) + 1;
    locks.acquire(classLock(c));
    giveLocked(c, keep >>> 1, false);
    locks.release(classLock(c));
    addSlotCounter(f64, slot, FLUSHES, 1);
    moveFence(u32, slot, c, Math.min(limit * 2, STACK_LIMIT[c]));
  }

  /** Gives all but the oldest `keep` blocks of a stack back. */
  function giveLocked(c: SizeClass, keep: number, dead: boolean): void {
    const top = getTop(u32, slot, c);
    const from = stackBottom(slot, c) + keep;
    // point: flush.transit
    setTransit(u32, slot, c, top);
    // point: flush.top
    setTop(u32, slot, c, from);
    if (dead) {
      for (let entry = from; entry < top; entry++) {
        // point: flush.tag
        tags[u32[entry] >>> GRANULE_SHIFT] = 0;
      }
    }
    spans.putBackLocked(c, from, top);
    // point: flush.held
    addHeld(f64, slot, c, from - top);
    // point: flush.close
    setTransit(u32, slot, c, 0);
    spans.releaseEmptiesLocked(c);
  }

  function flushAll(): number {
    let blocks = 0;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      // Nobody else puts blocks on a living thread's stack: where it is empty it stays so.
      if (cachedBlocks(u32, slot, c) > 0) blocks += giveAll(c, false);
    }
    return blocks;
  }

  function flushDead(): number {
    let blocks = 0;
    // Also where nothing is cached: to take the lock is to close what the dead thread left open.
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) blocks += giveAll(c, true);
    return blocks;
  }

  function giveAll(c: SizeClass, dead: boolean): number {
    locks.acquire(classLock(c));
    // Counted under the lock: a takeover may just have shortened the stack.
    const cached = cachedBlocks(u32, slot, c);
    if (cached > 0) giveLocked(c, 0, dead);
    locks.release(classLock(c));
    return cached;
  }

  function takeOrphanLocked(c: SizeClass, block: Address): void {
    if (cachedBlocks(u32, slot, c) >= getLimit(u32, slot, c)) giveLocked(c, 0, true);
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

  function giveOrphans(c: SizeClass, blocks: readonly Address[]): void {
    locks.acquire(classLock(c));
    for (const block of blocks) takeOrphanLocked(c, block);
    if (cachedBlocks(u32, slot, c) > 0) giveLocked(c, 0, true);
    locks.release(classLock(c));
  }

  return { reset, refill, flush, isOver, flushAll, flushDead, takeOrphan, giveOrphans };
}
