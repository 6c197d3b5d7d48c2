/**
 * Large blocks: runs of their own, over 64 KiB or aligned to more than a page.
 *
 * Called by allocator.ts. Any thread; the page lock is taken inside.
 *
 * I1  A run is RESERVED by the slot while it is being handed out or taken back: should the thread
 *     die meanwhile, recovery frees it. It is LARGE exactly while a program holds it.
 * I2  Committing LARGE is the last store of an allocation, RESERVED the first of a free; both are
 *     outside the lock.
 */

import { type Address, LARGE, PAGE_BYTES, type PageIndex, type WordIndex } from '../base/index.js';
import {
  addSlotCounter,
  getRun,
  type HeapMemory,
  LARGE_FREES,
  LARGE_MALLOC_BYTES,
  LARGE_MALLOCS,
  LARGE_RUN,
  PAGE_LOCK,
  pageOf,
  pageRecord,
  RESERVED_RUN,
  runPages,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import { DIRECT_PAGES_MIN, type PageHeap } from './page-heap.js';

export interface LargeBlocks {
  /**
   * Reserves a run; 0 when the heap is full. Nobody holds it until commit. `growing`: for a block
   * that realloc moves, so where it can grow again.
   */
  reserve(pages: number, alignPages: number, growing: boolean): Address;
  /** Does the run just reserved read as zero? */
  wasFresh(): boolean;
  /** Hands a reserved run out as a large block. The caller returns right after. */
  commit(address: Address): void;
  /** Frees a large block. */
  free(address: Address): void;
  /** Grows or shrinks a large block where it stands; false when it cannot. */
  resize(address: Address, pages: number): boolean;
  /** Usable bytes of a large block. */
  bytesOf(address: Address): number;
}

export function createLargeBlocks(
  memory: HeapMemory,
  slotIndex: number,
  slot: WordIndex,
  locks: Locks,
  pageHeap: PageHeap,
  reserveIsZero: boolean,
): LargeBlocks {
  const { i32, f64, tags } = memory;
  let fresh = false;

  function reserve(pages: number, alignPages: number, growing: boolean): Address {
    const placement = growing ? 'roomy' : pages >= DIRECT_PAGES_MIN ? 'top' : 'bottom';
    locks.acquire(PAGE_LOCK);
    const run = pageHeap.takeRunLocked(pages, alignPages, placement);
    fresh = run.fresh && reserveIsZero;
    locks.release(PAGE_LOCK);
    return (run.page * PAGE_BYTES) as Address;
  }

  function commit(address: Address): void {
    const page = pageOf(address);
    addSlotCounter(f64, slot, LARGE_MALLOCS, 1);
    addSlotCounter(f64, slot, LARGE_MALLOC_BYTES, bytesOf(address));
    tags[address >>> 4] = LARGE;
    pageHeap.commitRun(page, LARGE_RUN, 0);
  }

  function free(address: Address): void {
    const page = pageOf(address);
    pageHeap.commitRun(page, RESERVED_RUN, slotIndex);
    tags[address >>> 4] = 0;
    locks.acquire(PAGE_LOCK);
    pageHeap.giveRunLocked(page);
    locks.release(PAGE_LOCK);
    addSlotCounter(f64, slot, LARGE_FREES, 1);
  }

  function resize(address: Address, pages: number): boolean {
    const page = pageOf(address);
    const before = pagesAt(page);
    if (pages === before) return true;
    locks.acquire(PAGE_LOCK);
    const done = pageHeap.resizeRunLocked(page, pages);
    locks.release(PAGE_LOCK);
    if (done && pages > before) {
      addSlotCounter(f64, slot, LARGE_MALLOC_BYTES, (pages - before) * PAGE_BYTES);
    }
    return done;
  }

  function pagesAt(page: PageIndex): number {
    return runPages(getRun(i32, pageRecord(memory.geometry.pageTable, page)));
  }

  function bytesOf(address: Address): number {
    return pagesAt(pageOf(address)) * PAGE_BYTES;
  }

  return { reserve, wasFresh: () => fresh, commit, free, resize, bytesOf };
}
