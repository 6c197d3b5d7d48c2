/**
 * A thread's caches: two magazines of free blocks per size class, refilled from spans and flushed
 * to them.
 *
 * Called by the slow paths of heap/ when a magazine is empty or full, at detach, and by recovery/ for a dead
 * thread's slot. By the slot's owner, or who recovers it. Push and pop themselves are in heap/fast-path.ts;
 * layout/slot.ts draws the magazines. A local
 * magazine is refilled from this thread's spans, and gives its newest half back when it is full;
 * blocks in a remote magazine all go back to the spans of other threads.
 *
 * Transit: while blocks move between a magazine and the spans, the words `from` and `transit` say
 * which entries belong to the spans: [from, transit). Setting their bits twice does no harm, so a
 * thread that takes over the class lock from a dead owner finishes either direction by setting them
 * all. The magazine is parked (empty and full at once) from the beginning of a transit to its end.
 *
 * I1  Refill: entries, transit, parked, bits cleared, held, top, transit = 0. Flush: transit,
 *     parked, bits set, held, top, transit = 0. In this order, under the class lock.
 * I2  Empty spans are released only after the transit is closed.
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
import * as ClassRecord from '../layout/class-record.js';
import {
  classOfMagazine,
  type MagazineSizes,
  magazinesOf,
  magazinesOfSlot,
} from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as Slot from '../layout/slot.js';
import * as SlotCounters from '../layout/slot-counters.js';
import type { Locks } from '../sync/index.js';
import type { PageTools } from './page-tools.js';
import type { RetiredSpans } from './retired-spans.js';
import type { Spans } from './spans.js';

/** Blocks or bytes that a new magazine has room for; every refill doubles the room. */
const START_BLOCKS = 32;
const START_BYTES = 8 * 1024;
/**
 * Blocks per portion of a flush, which takes some microseconds; other threads get the lock in
 * between.
 */
const PORTION_BLOCKS = 256;

/** One slot's caches. */
export class Cache {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #tags: Uint8Array;
  readonly #depths: MagazineSizes;
  /** Place of the slot's part of the magazine region. */
  readonly #magazines: WordIndex;
  readonly #locks: Locks;
  readonly #spans: Spans;
  readonly #retired: RetiredSpans;
  readonly #slot: WordIndex;

  /** @param slot the slot's record: the thread's own, or of a dead thread */
  constructor({ memory, locks, spans, retired }: PageTools, slot: WordIndex) {
    const { i32, u32, f64, tags, geometry } = memory;
    this.#i32 = i32;
    this.#u32 = u32;
    this.#f64 = f64;
    this.#tags = tags;
    this.#depths = geometry.depths;
    this.#magazines = magazinesOfSlot(geometry, slot);
    this.#locks = locks;
    this.#spans = spans;
    this.#retired = retired;
    this.#slot = slot;
  }

  #startLimit(magazine: MagazineIndex): number {
    const bytes = BLOCK_BYTES[classOfMagazine(magazine)];
    const blocks = Math.min(START_BLOCKS, Math.floor(START_BYTES / bytes));
    return Math.min(this.#depths.limits[magazine], Math.max(2, blocks));
  }

  /** Makes all magazines empty, and none open. At attach, before anything else. */
  reset(): void {
    Slot.resetMagazines(this.#u32, this.#slot, this.#magazines, this.#depths);
  }

  /** Opens a magazine on first use: a block can be pushed then. */
  open(magazine: MagazineIndex): void {
    const u32 = this.#u32;
    const slot = this.#slot;
    if (Slot.isParked(u32, slot, magazine))
      Slot.openMagazine(u32, slot, magazine, this.#startLimit(magazine));
  }

  /** Fills an empty magazine from the spans; returns false if the heap has no block to give. */
  refill(c: SizeClass): boolean {
    const u32 = this.#u32;
    const slot = this.#slot;
    const retired = this.#retired;
    this.open(c);
    const limit = Slot.getLimit(u32, slot, c);
    const wanted = Math.min((limit + 1) >>> 1, BATCH_BLOCKS[c]);
    // Spans that this thread retired in other classes are released before the heap grows.
    if (!this.#take(c, wanted) && !(retired.give() && this.#take(c, wanted))) return false;
    SlotCounters.add(this.#f64, slot, SlotCounters.REFILLS, 1);
    const most = this.#depths.limits[c];
    if (limit < most) Slot.moveSentinel(u32, slot, c, Math.min(limit * 2, most));
    return true;
  }

  /** Moves free blocks from the spans to an empty magazine; returns false if there are none. */
  #take(c: SizeClass, wanted: number): boolean {
    const locks = this.#locks;
    locks.acquire(LockTable.ofClass(c));
    const count = this.#spans.availableLocked(c, wanted);
    if (count > 0) this.#takeLocked(c, count);
    locks.release(LockTable.ofClass(c));
    return count > 0;
  }

  #takeLocked(c: SizeClass, count: number): void {
    const u32 = this.#u32;
    const slot = this.#slot;
    const spans = this.#spans;
    const bottom = Slot.magazineBottom(u32, slot, c);
    spans.listFreeLocked(c, count, bottom + count);
    // point: refill.transit
    Slot.setFrom(u32, slot, c, bottom);
    Slot.openTransit(u32, slot, c, bottom + count);
    spans.takeListedLocked(c, count);
    // point: refill.held
    Slot.addHeld(this.#f64, slot, c, count);
    // point: refill.top
    Slot.closeTransit(u32, slot, c, bottom + count);
  }

  /** True if an entry is over the sentinel, as after a flush that failed. */
  isOver(magazine: MagazineIndex): boolean {
    const u32 = this.#u32;
    const slot = this.#slot;
    return (
      Slot.getTop(u32, slot, magazine) >
      Slot.magazineBottom(u32, slot, magazine) + Slot.getLimit(u32, slot, magazine)
    );
  }

  /**
   * Flushes a full magazine, with the entry over the sentinel; of a local magazine, the newest
   * half. Opens a magazine that is not open yet.
   */
  flush(magazine: MagazineIndex): void {
    const u32 = this.#u32;
    const f64 = this.#f64;
    const depths = this.#depths;
    const slot = this.#slot;
    if (Slot.isParked(u32, slot, magazine)) {
      this.open(magazine);
      return;
    }
    const limit = Slot.getLimit(u32, slot, magazine);
    // Usually half of the limit. A sentinel that an error left behind ends a magazine early.
    const half = (Math.min(limit, Slot.magazineBlocks(u32, slot, magazine)) + 1) >>> 1;
    const keep = magazine < REMOTE ? half : 0;
    while (this.#releasePortion(magazine, keep));
    SlotCounters.add(f64, slot, SlotCounters.FLUSHES, 1);
    Slot.moveSentinel(u32, slot, magazine, Math.min(limit * 2, depths.limits[magazine]));
  }

  /**
   * Flushes the newest blocks of a magazine, until `keep` are left; returns true if more are to go.
   */
  #releasePortion(magazine: MagazineIndex, keep: number): boolean {
    const locks = this.#locks;
    const c = classOfMagazine(magazine);
    locks.acquire(LockTable.ofClass(c));
    // Counted under the lock: poisoning the heap parks the magazine.
    const held = Slot.magazineBlocks(this.#u32, this.#slot, magazine);
    const rest = Math.max(keep, held - PORTION_BLOCKS);
    if (held > rest) this.#releaseLocked(magazine, rest, false);
    locks.release(LockTable.ofClass(c));
    return rest > keep;
  }

  /** Flushes all but the oldest `keep` blocks of a magazine. */
  #releaseLocked(magazine: MagazineIndex, keep: number, dead: boolean): void {
    const u32 = this.#u32;
    const f64 = this.#f64;
    const tags = this.#tags;
    const slot = this.#slot;
    const spans = this.#spans;
    const c = classOfMagazine(magazine);
    const top = Slot.getTop(u32, slot, magazine);
    const from = Slot.magazineBottom(u32, slot, magazine) + keep;
    // point: flush.transit
    Slot.setFrom(u32, slot, magazine, from);
    Slot.openTransit(u32, slot, magazine, top);
    if (dead) {
      for (let entry = from; entry < top; entry++) {
        // point: flush.tag
        tags[u32[entry] >>> GRANULE_SHIFT] = 0;
      }
    }
    spans.putBackLocked(c, from, top);
    // point: flush.held
    Slot.addHeld(f64, slot, c, from - top);
    // point: flush.top
    Slot.closeTransit(u32, slot, magazine, from);
    spans.releaseEmptiesLocked(c);
  }

  /**
   * Flushes all magazines, and releases the retired spans of all threads; false if there was
   * nothing.
   */
  flushAll(): boolean {
    const u32 = this.#u32;
    const slot = this.#slot;
    const retired = this.#retired;
    let blocks = 0;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      // No other thread puts blocks in a living thread's magazine: an empty one stays empty.
      if (Slot.cachedBlocks(u32, slot, c) > 0) blocks += this.#releaseAll(c, false, false);
    }
    return retired.releaseAll() || blocks > 0;
  }

  /** Flushes everything that the thread has; its spans become unowned. At detach. */
  leave(): number {
    const i32 = this.#i32;
    const u32 = this.#u32;
    const slot = this.#slot;
    const retired = this.#retired;
    let blocks = 0;
    // First: the recovery of a dead thread on the way may make spans of this thread wholly free.
    retired.stop();
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      // A span that becomes partial after this look stays in the list of a slot without owner: the
      // slot's next owner finds it there, and so does a thread that finds the heap full.
      const listed =
        ClassRecord.getPartial(i32, Slot.partialOf(slot, c)) ||
        ClassRecord.getPartial(i32, Slot.retiredOf(slot, c));
      if (listed !== 0 || Slot.cachedBlocks(u32, slot, c) > 0)
        blocks += this.#releaseAll(c, false, true);
    }
    return blocks;
  }

  /**
   * Flushes everything of a dead thread's slot. The thread may have died between a tag and the pop
   * after it, so tags are cleared, too; and in the middle of a transit, so every class lock is
   * taken.
   */
  flushDead(): number {
    let blocks = 0;
    // Also if nothing is cached: acquiring the lock closes a transit that the dead thread left
    // open.
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++)
      blocks += this.#releaseAll(c, true, true);
    return blocks;
  }

  #releaseAll(c: SizeClass, dead: boolean, leaving: boolean): number {
    const u32 = this.#u32;
    const slot = this.#slot;
    const locks = this.#locks;
    const spans = this.#spans;
    let given = 0;
    locks.acquire(LockTable.ofClass(c));
    const magazines = magazinesOf(c);
    for (let n = 0; n < magazines.length; n++) {
      const magazine = magazines[n];
      // Counted under the lock: a takeover may just have shortened the magazine.
      const cached = Slot.magazineBlocks(u32, slot, magazine);
      if (cached > 0) this.#releaseLocked(magazine, 0, dead);
      given += cached;
    }
    if (leaving) spans.disownLocked(c, slot);
    locks.release(LockTable.ofClass(c));
    return given;
  }

  #takeOrphanLocked(c: SizeClass, block: Address): void {
    const u32 = this.#u32;
    const slot = this.#slot;
    this.open(c);
    if (Slot.magazineBlocks(u32, slot, c) >= Slot.getLimit(u32, slot, c))
      this.#releaseLocked(c, 0, true);
    const top = Slot.getTop(u32, slot, c);
    // point: orphan.entry
    u32[top] = block;
    // point: orphan.top
    Slot.setTop(u32, slot, c, top + 1);
    // point: orphan.untag
    this.#tags[block >>> GRANULE_SHIFT] = 0;
  }

  /**
   * Puts an orphan in the local magazine, and leaves it there; flushes a full magazine before. The
   * caller is the magazine's owner, or recovers its dead owner.
   */
  takeOrphan(c: SizeClass, block: Address): void {
    const locks = this.#locks;
    locks.acquire(LockTable.ofClass(c));
    this.#takeOrphanLocked(c, block);
    locks.release(LockTable.ofClass(c));
  }

  /** Puts many orphans in the local magazine, and flushes them: see reclaim-instrumented.ts. */
  releaseUnclaimed(c: SizeClass, blocks: readonly Address[]): void {
    const u32 = this.#u32;
    const slot = this.#slot;
    const locks = this.#locks;
    locks.acquire(LockTable.ofClass(c));
    for (let n = 0; n < blocks.length; n++) this.#takeOrphanLocked(c, blocks[n]);
    if (Slot.magazineBlocks(u32, slot, c) > 0) this.#releaseLocked(c, 0, true);
    locks.release(LockTable.ofClass(c));
  }
}
