/**
 * Large blocks: runs of their own, over 64 KiB or aligned to more than a page.
 *
 * Called by the slow paths of this folder. Any thread; the page lock is taken inside.
 *
 * I1  A run is RESERVED by the slot while it is being handed out or taken back: should the thread
 *     die meanwhile, recovery frees it. It is LARGE exactly while a program holds it.
 * I2  Committing LARGE is the last store of an allocation, outside the lock; RESERVED is the first
 *     of a free, inside it: whoever cannot have the lock has freed nothing.
 * I3  What follows the first store of a free may fail; the free does not.
 */

import { type Address, LARGE, PAGE_BYTES, type PageIndex, type SizeClass } from '../base/index.js';
import { type HeapMemory, pageOf } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageRecord from '../layout/page-record.js';
import * as SlotCounters from '../layout/slot-counters.js';
import { DIRECT_PAGES_MIN, headOfLocked, type RunFit } from '../pages/index.js';
import type { ThreadHeap } from './thread-heap.js';

export class LargeBlocks {
  readonly #heap: ThreadHeap;
  #wasFresh = false;

  constructor(heap: ThreadHeap) {
    this.#heap = heap;
  }

  /**
   * Reserves a run; 0 when the heap is full. Nobody holds it until commit. `growing`: for a block
   * that realloc moves, so where it can grow again.
   */
  reserve(pages: number, alignPages: number, growing: boolean): Address {
    const { retired, marks } = this.#heap;
    const fit = growing ? 'roomy' : pages >= DIRECT_PAGES_MIN ? 'top' : 'bottom';
    let address = this.#reserveRun(pages, alignPages, fit, !retired.hasAny());
    if (address === 0 && retired.give()) address = this.#reserveRun(pages, alignPages, fit, true);
    // In a section still, whose own mark is there until after this one.
    marks.run = address !== 0;
    return address;
  }

  #reserveRun(pages: number, alignPages: number, fit: RunFit, grow: boolean): Address {
    const { locks, pageHeap, reserveIsZero } = this.#heap;
    locks.acquire(LockTable.PAGE);
    const run = pageHeap.takeRunLocked(pages, alignPages, fit, grow);
    this.#wasFresh = run.fresh && reserveIsZero;
    locks.release(LockTable.PAGE);
    return (run.page * PAGE_BYTES) as Address;
  }

  /** True if the run just reserved reads as zero. */
  wasFresh(): boolean {
    return this.#wasFresh;
  }

  /** Hands a reserved run out as a large block, with this tag. The caller returns right after. */
  commit(address: Address, tag: SizeClass = LARGE): void {
    const { memory, slot, pageHeap, marks } = this.#heap;
    const { f64, tags } = memory;
    const page = pageOf(address);
    // point: large.count
    SlotCounters.add(f64, slot, SlotCounters.LARGE_MALLOCS, 1);
    SlotCounters.add(f64, slot, SlotCounters.LARGE_MALLOC_BYTES, this.bytesOf(address));
    // point: large.tag
    tags[address >>> 4] = tag;
    // point: large.commit
    pageHeap.commitRun(page, PageRecord.LARGE_RUN, 0);
    marks.run = false;
  }

  /**
   * Frees a large block. `retracted` is called when it is this slot's own again, before another
   * thread can have its pages; it must not throw.
   */
  free(address: Address, retracted?: () => void): void {
    const { memory, slotIndex, slot, locks, pageHeap, selfRepair } = this.#heap;
    const { f64, tags } = memory;
    locks.acquire(LockTable.PAGE);
    const page = pageOf(address);
    // point: large.reserve
    pageHeap.commitRun(page, PageRecord.RESERVED_RUN, slotIndex);
    retracted?.();
    // Under the lock: who finds it free finds this counted, or the thread dead (stats/page-readings.ts).
    SlotCounters.add(f64, slot, SlotCounters.LARGE_FREES, 1);
    SlotCounters.add(f64, slot, SlotCounters.LARGE_FREED_BYTES, this.bytesOf(address));
    try {
      // point: large.untag
      tags[address >>> 4] = 0;
      pageHeap.releaseRunLocked(page);
      locks.release(LockTable.PAGE);
    } catch (error) {
      if (!selfRepair.locks(error)) throw error;
      this.#giveAgain(page);
    }
  }

  /** The run is whole again, and RESERVED still, or part of a free one. */
  #giveAgain(page: PageIndex): void {
    const { memory, slotIndex, locks, pageHeap } = this.#heap;
    const { i32, tags, geometry } = memory;
    locks.acquire(LockTable.PAGE);
    const word = PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, page));
    const isHead = headOfLocked(memory, page) === page;
    if (
      isHead &&
      PageRecord.kindOf(word) === PageRecord.RESERVED_RUN &&
      PageRecord.ownerOf(word) === slotIndex
    ) {
      tags[(page * PAGE_BYTES) >>> 4] = 0;
      pageHeap.releaseRunLocked(page);
    }
    locks.release(LockTable.PAGE);
  }

  /** Grows or shrinks a large block where it stands; false when it cannot. */
  resize(address: Address, pages: number): boolean {
    const page = pageOf(address);
    return pages === pagesAt(this.#heap.memory, page) || this.#resizeRun(page, pages);
  }

  #resizeRun(page: PageIndex, pages: number): boolean {
    const { memory, locks, pageHeap, selfRepair } = this.#heap;
    locks.acquire(LockTable.PAGE);
    try {
      const before = pagesAt(memory, page);
      // Before the new length is committed: should the thread die in between, what is counted and not there
      // is found lost (stats/page-readings.ts). What is there and not counted would be found by nobody.
      const committing = (): void =>
        this.#countPages(SlotCounters.LARGE_MALLOC_BYTES, pages - before);
      const done = pageHeap.resizeRunLocked(page, pages, committing);
      if (done) this.#countPages(SlotCounters.LARGE_FREED_BYTES, before - pages);
      locks.release(LockTable.PAGE);
      return done;
    } catch (error) {
      // Where the new length is committed the block has been resized, whatever failed after.
      if (!selfRepair.locks(error) || pagesAt(memory, page) !== pages) throw error;
      return true;
    }
  }

  #countPages(counter: number, pages: number): void {
    const { memory, slot } = this.#heap;
    if (pages > 0) SlotCounters.add(memory.f64, slot, counter, pages * PAGE_BYTES);
  }

  /** Usable bytes of a large block. */
  bytesOf(address: Address): number {
    return pagesAt(this.#heap.memory, pageOf(address)) * PAGE_BYTES;
  }
}

function pagesAt({ i32, geometry }: HeapMemory, page: PageIndex): number {
  return PageRecord.pagesOf(PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, page)));
}
