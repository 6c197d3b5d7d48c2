/**
 * The page heap: hands out runs of pages, splits and merges them, and grows into the reserve.
 *
 * Called by spans.ts and large.ts. Every function here needs the page lock, except commitRun.
 * Overview: slow-path.ts.
 *
 * run-bins.ts finds free runs in constant time. Runs below the direct size are cut from the bottom
 * of free runs and of the reserve ("brk", in 64 KiB steps), direct runs from the top ("map"). A
 * large block that realloc moves is likely to grow again: it gets the bottom of the longest free
 * run, or of the reserve, where it can grow without being moved.
 *
 * I1  Runs cover the data region: from firstPage, each head's length leads to the next head.
 * I2  A change is one store of a head's run word; new remainders and tails are written before it,
 *     so that a thread that dies at any point leaves a heap that the walk can read.
 * I3  No two FREE runs are adjacent, once the lock is released.
 * I4  The bins hold exactly the FREE runs; the tail word of a run's last page is its length for a
 *     FREE run and 0 for any other, the untouched reserve included.
 * I5  A page once taken from UNTOUCHED is never UNTOUCHED again; there is at most one such run.
 * I6  Frontiers and counts of mapped runs are equal to those of a walk.
 */

import {
  HeapCorruptionError,
  hex,
  PAGE_BYTES,
  type PageIndex,
  roundUp,
  type WordIndex,
} from '../base/index.js';
import type { HeapMemory, RunKind } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import { createRunBins } from './run-bins.js';

/** Minimum pages of a direct run, which is taken from the top: 128 KiB. */
export const DIRECT_PAGES_MIN = 16;
/** Pages per step in which the reserve is taken from the bottom: 64 KiB. */
const BRK_STEP_PAGES = 8;

const NONE = 0 as PageIndex;

/** The place from which a run is taken. */
export type RunFit = 'bottom' | 'top' | 'roomy';

/** A run that was just taken: RESERVED by the caller's slot. */
export interface TakenRun {
  /** Its head; 0 = the heap is full. */
  page: PageIndex;
  /** True if it was never touched before: it reads as zero if the heap's reserve does. */
  fresh: boolean;
}

export interface PageHeap {
  /**
   * Reserves `pages` pages at a multiple of `alignPages`; takes them from the reserve only if
   * `grow`. The result is valid until the next call.
   */
  takeRunLocked(pages: number, alignPages: number, fit: RunFit, grow: boolean): TakenRun;
  /** Frees a RESERVED or SPAN run, merging it with free neighbours. */
  releaseRunLocked(page: PageIndex): void;
  /** Gives a LARGE run a new length at its place; returns false if there is no room. */
  resizeRunLocked(page: PageIndex, pages: number): boolean;
  /**
   * Turns a RESERVED run into a LARGE one or a span, by one store. Its owner only; needs no lock.
   */
  commitRun(page: PageIndex, kind: RunKind, owner: number): void;
}

export function createPageHeap(memory: HeapMemory, slot: number): PageHeap {
  const { i32, u32, f64, geometry } = memory;
  const { pageTable, pageHeap, firstPage, endPage } = geometry;
  const { linkLocked, unlinkLocked, findLocked, findLongestLocked, searchLocked } =
    createRunBins(memory);
  const recordOf = (page: number): WordIndex => PageRecord.at(pageTable, page);
  const taken: TakenRun = { page: NONE, fresh: false };

  // ---- Taking runs

  function takeRunLocked(pages: number, alignPages: number, fit: RunFit, grow: boolean): TakenRun {
    const direct = fit === 'top';
    // With this many pages an aligned run fits into any free run.
    const room = pages + alignPages - 1;
    taken.fresh = false;
    let found = (fit === 'roomy' ? findLongestLocked(room) : NONE) || findLocked(room);
    const fromReserve = found === 0 && grow;
    if (fromReserve && direct && takeFromTop(pages, alignPages)) return account(pages, true);
    if (fromReserve && growLocked(room)) found = findLocked(room);
    if (found === 0) found = searchLocked(pages, alignPages);
    if (found === 0) {
      taken.page = NONE;
      return taken;
    }
    cutLocked(found, pages, alignPages, direct);
    return account(pages, direct);
  }

  function account(pages: number, direct: boolean): TakenRun {
    // point: pages.mapped
    PageHeapRecord.addMapped(i32, pageHeap, pages, 1);
    if (direct) PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.DIRECT_MAPS);
    return taken;
  }

  /** Cuts `pages` pages out of a free run: at its bottom, or at its top for direct runs. */
  function cutLocked(page: PageIndex, pages: number, alignPages: number, atTop: boolean): void {
    const length = PageRecord.pagesOf(PageRecord.getRun(i32, recordOf(page)));
    unlinkLocked(page, length);
    const at = (
      atTop
        ? Math.floor((page + length - pages) / alignPages) * alignPages
        : roundUp(page, alignPages)
    ) as PageIndex;
    const lead = at - page;
    const rest = length - lead - pages;
    if (rest > 0) {
      // point: cut.rest
      PageRecord.setRun(i32, recordOf(at + pages), PageRecord.wordOf(PageRecord.FREE_RUN, 0, rest));
      // point: cut.restTail
      PageRecord.setTail(i32, recordOf(page + length - 1), rest);
    }
    // point: cut.tail
    PageRecord.setTail(i32, recordOf(at + pages - 1), 0);
    // point: cut.run
    PageRecord.setRun(i32, recordOf(at), PageRecord.wordOf(PageRecord.RESERVED_RUN, slot, pages));
    if (lead > 0) {
      // point: cut.leadTail
      PageRecord.setTail(i32, recordOf(at - 1), lead);
      // The head stays in place, so that shortening it is the store that commits the split.
      // point: cut.commit
      PageRecord.setRun(i32, recordOf(page), PageRecord.wordOf(PageRecord.FREE_RUN, 0, lead));
      linkLocked(page, lead);
    }
    if (rest > 0) linkLocked((at + pages) as PageIndex, rest);
    if (lead > 0 || rest > 0) PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.SPLITS);
    taken.page = at;
  }

  /** Takes a run from the top of the reserve. */
  function takeFromTop(pages: number, alignPages: number): boolean {
    const head = PageHeapRecord.getUntouched(i32, pageHeap);
    if (head === 0) return false;
    const length = PageRecord.pagesOf(PageRecord.getRun(i32, recordOf(head)));
    const at = Math.floor((head + length - pages) / alignPages) * alignPages;
    if (at < head) return false;
    const rest = head + length - at - pages;
    if (rest > 0) {
      // point: top.rest
      PageRecord.setRun(i32, recordOf(at + pages), PageRecord.wordOf(PageRecord.FREE_RUN, 0, rest));
      // point: top.restTail
      PageRecord.setTail(i32, recordOf(head + length - 1), rest);
    }
    // point: top.tail
    PageRecord.setTail(i32, recordOf(at + pages - 1), 0);
    // point: top.run
    PageRecord.setRun(i32, recordOf(at), PageRecord.wordOf(PageRecord.RESERVED_RUN, slot, pages));
    if (at > head) {
      // point: top.reserveTail
      PageRecord.setTail(i32, recordOf(at - 1), 0);
      // point: top.commit
      PageRecord.setRun(
        i32,
        recordOf(head),
        PageRecord.wordOf(PageRecord.UNTOUCHED_RUN, 0, at - head),
      );
    } else {
      // point: top.index
      PageHeapRecord.setUntouched(i32, pageHeap, NONE);
    }
    // The rest is in no bin yet; it may be adjacent to a free run above.
    if (rest > 0) mergeLocked((at + pages) as PageIndex, rest);
    taken.page = at as PageIndex;
    taken.fresh = true;
    return true;
  }

  /** Moves the brk up until the free run below it has `pages` pages; returns false if it cannot. */
  function growLocked(pages: number): boolean {
    const head = PageHeapRecord.getUntouched(i32, pageHeap);
    if (head === 0) return false;
    const length = PageRecord.pagesOf(PageRecord.getRun(i32, recordOf(head)));
    const below = head > firstPage ? PageRecord.getTail(i32, recordOf(head - 1)) : 0;
    const missing = pages - below;
    // The run below is long enough, though it was not among those that were compared.
    if (missing <= 0) return false;
    // Free pages above join the run if all of the reserve is taken.
    if (missing > length + freePagesAt((head + length) as PageIndex)) return false;
    const step = Math.min(roundUp(missing, BRK_STEP_PAGES), length);
    if (length > step) {
      // point: brk.rest
      PageRecord.setRun(
        i32,
        recordOf(head + step),
        PageRecord.wordOf(PageRecord.UNTOUCHED_RUN, 0, length - step),
      );
    }
    // point: brk.tail
    PageRecord.setTail(i32, recordOf(head + step - 1), step);
    // point: brk.commit
    PageRecord.setRun(i32, recordOf(head), PageRecord.wordOf(PageRecord.FREE_RUN, 0, step));
    // point: brk.index
    PageHeapRecord.setUntouched(i32, pageHeap, (length > step ? head + step : NONE) as PageIndex);
    // point: brk.brk
    PageHeapRecord.setBrk(i32, pageHeap, (head + step) as PageIndex);
    mergeLocked(head, step);
    return true;
  }

  // ---- Releasing runs

  function releaseRunLocked(page: PageIndex): void {
    const pages = PageRecord.pagesOf(PageRecord.getRun(i32, recordOf(page)));
    // point: pages.mapped
    PageHeapRecord.addMapped(i32, pageHeap, -pages, -1);
    mergeLocked(page, pages);
  }

  /** Turns a run that is in no bin into a FREE one, joined with its free neighbours. */
  function mergeLocked(page: PageIndex, pages: number): void {
    let head = page;
    let total = pages;
    const below = page > firstPage ? PageRecord.getTail(i32, recordOf(page - 1)) : 0;
    if (below !== 0) {
      head = (page - below) as PageIndex;
      checkFree(head, below);
      unlinkLocked(head, below);
      total += below;
      PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.COALESCES);
    }
    const above = (page + pages) as PageIndex;
    const free = freePagesAt(above);
    if (free !== 0) {
      unlinkLocked(above, free);
      total += free;
      PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.COALESCES);
    }
    PageHeapRecord.bumpRunReturns(u32, pageHeap);
    // point: merge.tail
    PageRecord.setTail(i32, recordOf(head + total - 1), total);
    // point: merge.commit
    PageRecord.setRun(i32, recordOf(head), PageRecord.wordOf(PageRecord.FREE_RUN, 0, total));
    linkLocked(head, total);
  }

  function checkFree(page: PageIndex, pages: number): void {
    const word = PageRecord.getRun(i32, recordOf(page));
    if (word === PageRecord.wordOf(PageRecord.FREE_RUN, 0, pages)) return;
    throw new HeapCorruptionError(
      `the tail of a free run says ${pages} pages, its head at ${hex(page * PAGE_BYTES)} says ` +
        `${PageRecord.RUN_KIND_NAMES[PageRecord.kindOf(word)] ?? 'invalid'}, ${PageRecord.pagesOf(word)} pages (page-heap I4)`,
    );
  }

  function resizeRunLocked(page: PageIndex, pages: number): boolean {
    const word = PageRecord.getRun(i32, recordOf(page));
    const have = PageRecord.pagesOf(word);
    const above = (page + have) as PageIndex;
    let free = freePagesAt(above);
    // Only the reserve follows: moving the brk can make room.
    const last = above + free === PageHeapRecord.getUntouched(i32, pageHeap);
    if (have + free < pages && last && growLocked(pages - have)) free = freePagesAt(above);
    const rest = have + free - pages;
    if (rest < 0) return false;
    if (free > 0) unlinkLocked(above, free);
    if (rest > 0) {
      // point: resize.rest
      PageRecord.setRun(
        i32,
        recordOf(page + pages),
        PageRecord.wordOf(PageRecord.FREE_RUN, 0, rest),
      );
      // point: resize.restTail
      PageRecord.setTail(i32, recordOf(page + pages + rest - 1), rest);
    }
    // point: resize.tail
    PageRecord.setTail(i32, recordOf(page + pages - 1), 0);
    // point: resize.commit
    PageRecord.setRun(i32, recordOf(page), PageRecord.wordOf(PageRecord.kindOf(word), 0, pages));
    if (rest > 0) linkLocked((page + pages) as PageIndex, rest);
    if (pages < have) PageHeapRecord.bumpRunReturns(u32, pageHeap);
    // point: pages.mapped
    PageHeapRecord.addMapped(i32, pageHeap, pages - have, 0);
    if (rest > 0) PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.SPLITS);
    if (free > 0) PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.COALESCES);
    return true;
  }

  /** Length of the free run that begins at a page; 0 = none. */
  function freePagesAt(page: PageIndex): number {
    if (page >= endPage) return 0;
    const word = PageRecord.getRun(i32, recordOf(page));
    return PageRecord.kindOf(word) === PageRecord.FREE_RUN ? PageRecord.pagesOf(word) : 0;
  }

  function commitRun(page: PageIndex, kind: RunKind, owner: number): void {
    const record = recordOf(page);
    PageRecord.setRun(
      i32,
      record,
      PageRecord.wordOf(kind, owner, PageRecord.pagesOf(PageRecord.getRun(i32, record))),
    );
  }

  return {
    takeRunLocked,
    releaseRunLocked,
    resizeRunLocked,
    commitRun,
  };
}
