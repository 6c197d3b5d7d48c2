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
import { RunBins } from './run-bins.js';

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

/** The runs of all threads, as one thread works with them. */
export class PageHeap {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #pageTable: number;
  /** The page heap's record. */
  readonly #pageHeap: WordIndex;
  readonly #firstPage: PageIndex;
  readonly #endPage: PageIndex;
  readonly #bins: RunBins;
  readonly #slot: number;
  readonly #taken: TakenRun = { page: NONE, fresh: false };

  /** @param slot for which it reserves runs */
  constructor(memory: HeapMemory, slot: number) {
    const { i32, u32, f64, geometry } = memory;
    this.#i32 = i32;
    this.#u32 = u32;
    this.#f64 = f64;
    this.#pageTable = geometry.pageTable;
    this.#pageHeap = geometry.pageHeap;
    this.#firstPage = geometry.firstPage;
    this.#endPage = geometry.endPage;
    this.#bins = new RunBins(memory);
    this.#slot = slot;
  }

  // ---- Taking runs

  /**
   * Reserves `pages` pages at a multiple of `alignPages`; takes them from the reserve only if
   * `grow`. The result is valid until the next call.
   */
  takeRunLocked(pages: number, alignPages: number, fit: RunFit, grow: boolean): TakenRun {
    const bins = this.#bins;
    const taken = this.#taken;
    const direct = fit === 'top';
    // With this many pages an aligned run fits into any free run.
    const room = pages + alignPages - 1;
    taken.fresh = false;
    let found = (fit === 'roomy' ? bins.findLongestLocked(room) : NONE) || bins.findLocked(room);
    const fromReserve = found === 0 && grow;
    if (fromReserve && direct && this.#takeFromTop(pages, alignPages))
      return this.#account(pages, true);
    if (fromReserve && this.#growLocked(room)) found = bins.findLocked(room);
    if (found === 0) found = bins.searchLocked(pages, alignPages);
    if (found === 0) {
      taken.page = NONE;
      return taken;
    }
    this.#cutLocked(found, pages, alignPages, direct);
    return this.#account(pages, direct);
  }

  #account(pages: number, direct: boolean): TakenRun {
    const pageHeap = this.#pageHeap;
    // point: pages.mapped
    PageHeapRecord.addMapped(this.#i32, pageHeap, pages, 1);
    if (direct) PageHeapRecord.bumpCounter(this.#f64, pageHeap, PageHeapRecord.DIRECT_MAPS);
    return this.#taken;
  }

  /** Cuts `pages` pages out of a free run: at its bottom, or at its top for direct runs. */
  #cutLocked(page: PageIndex, pages: number, alignPages: number, atTop: boolean): void {
    const bins = this.#bins;
    const length = PageRecord.pagesOf(this.#runAt(page));
    bins.unlinkLocked(page, length);
    const at = (
      atTop
        ? Math.floor((page + length - pages) / alignPages) * alignPages
        : roundUp(page, alignPages)
    ) as PageIndex;
    const lead = at - page;
    const rest = length - lead - pages;
    if (rest > 0) {
      // point: cut.rest
      this.#setRun(at + pages, PageRecord.FREE_RUN, 0, rest);
      // point: cut.restTail
      this.#setTail(page + length - 1, rest);
    }
    // point: cut.tail
    this.#setTail(at + pages - 1, 0);
    // point: cut.run
    this.#setRun(at, PageRecord.RESERVED_RUN, this.#slot, pages);
    if (lead > 0) {
      // point: cut.leadTail
      this.#setTail(at - 1, lead);
      // The head stays in place, so that shortening it is the store that commits the split.
      // point: cut.commit
      this.#setRun(page, PageRecord.FREE_RUN, 0, lead);
      bins.linkLocked(page, lead);
    }
    if (rest > 0) bins.linkLocked((at + pages) as PageIndex, rest);
    if (lead > 0 || rest > 0)
      PageHeapRecord.bumpCounter(this.#f64, this.#pageHeap, PageHeapRecord.SPLITS);
    this.#taken.page = at;
  }

  /** Takes a run from the top of the reserve. */
  #takeFromTop(pages: number, alignPages: number): boolean {
    const i32 = this.#i32;
    const pageHeap = this.#pageHeap;
    const taken = this.#taken;
    const head = PageHeapRecord.getUntouched(i32, pageHeap);
    if (head === 0) return false;
    const length = PageRecord.pagesOf(this.#runAt(head));
    const at = Math.floor((head + length - pages) / alignPages) * alignPages;
    if (at < head) return false;
    const rest = head + length - at - pages;
    if (rest > 0) {
      // point: top.rest
      this.#setRun(at + pages, PageRecord.FREE_RUN, 0, rest);
      // point: top.restTail
      this.#setTail(head + length - 1, rest);
    }
    // point: top.tail
    this.#setTail(at + pages - 1, 0);
    // point: top.run
    this.#setRun(at, PageRecord.RESERVED_RUN, this.#slot, pages);
    if (at > head) {
      // point: top.reserveTail
      this.#setTail(at - 1, 0);
      // point: top.commit
      this.#setRun(head, PageRecord.UNTOUCHED_RUN, 0, at - head);
    } else {
      // point: top.index
      PageHeapRecord.setUntouched(i32, pageHeap, NONE);
    }
    // The rest is in no bin yet; it may be adjacent to a free run above.
    if (rest > 0) this.#mergeLocked((at + pages) as PageIndex, rest);
    taken.page = at as PageIndex;
    taken.fresh = true;
    return true;
  }

  /** Moves the brk up until the free run below it has `pages` pages; returns false if it cannot. */
  #growLocked(pages: number): boolean {
    const i32 = this.#i32;
    const pageHeap = this.#pageHeap;
    const head = PageHeapRecord.getUntouched(i32, pageHeap);
    if (head === 0) return false;
    const length = PageRecord.pagesOf(this.#runAt(head));
    const below = head > this.#firstPage ? this.#tailAt(head - 1) : 0;
    const missing = pages - below;
    // The run below is long enough, though it was not among those that were compared.
    if (missing <= 0) return false;
    // Free pages above join the run if all of the reserve is taken.
    if (missing > length + this.#freePagesAt((head + length) as PageIndex)) return false;
    const step = Math.min(roundUp(missing, BRK_STEP_PAGES), length);
    if (length > step) {
      // point: brk.rest
      this.#setRun(head + step, PageRecord.UNTOUCHED_RUN, 0, length - step);
    }
    // point: brk.tail
    this.#setTail(head + step - 1, step);
    // point: brk.commit
    this.#setRun(head, PageRecord.FREE_RUN, 0, step);
    // point: brk.index
    PageHeapRecord.setUntouched(i32, pageHeap, (length > step ? head + step : NONE) as PageIndex);
    // point: brk.brk
    PageHeapRecord.setBrk(i32, pageHeap, (head + step) as PageIndex);
    this.#mergeLocked(head, step);
    return true;
  }

  // ---- Releasing runs

  /** Frees a RESERVED or SPAN run, merging it with free neighbours. */
  releaseRunLocked(page: PageIndex): void {
    const pages = PageRecord.pagesOf(this.#runAt(page));
    // point: pages.mapped
    PageHeapRecord.addMapped(this.#i32, this.#pageHeap, -pages, -1);
    this.#mergeLocked(page, pages);
  }

  /** Turns a run that is in no bin into a FREE one, joined with its free neighbours. */
  #mergeLocked(page: PageIndex, pages: number): void {
    const f64 = this.#f64;
    const pageHeap = this.#pageHeap;
    const bins = this.#bins;
    let head = page;
    let total = pages;
    const below = page > this.#firstPage ? this.#tailAt(page - 1) : 0;
    if (below !== 0) {
      head = (page - below) as PageIndex;
      this.#checkFree(head, below);
      bins.unlinkLocked(head, below);
      total += below;
      PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.COALESCES);
    }
    const above = (page + pages) as PageIndex;
    const free = this.#freePagesAt(above);
    if (free !== 0) {
      bins.unlinkLocked(above, free);
      total += free;
      PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.COALESCES);
    }
    PageHeapRecord.bumpRunReturns(this.#u32, pageHeap);
    // point: merge.tail
    this.#setTail(head + total - 1, total);
    // point: merge.commit
    this.#setRun(head, PageRecord.FREE_RUN, 0, total);
    bins.linkLocked(head, total);
  }

  #checkFree(page: PageIndex, pages: number): void {
    const word = this.#runAt(page);
    if (word === PageRecord.wordOf(PageRecord.FREE_RUN, 0, pages)) return;
    throw new HeapCorruptionError(
      `the tail of a free run says ${pages} pages, its head at ${hex(page * PAGE_BYTES)} says ` +
        `${PageRecord.RUN_KIND_NAMES[PageRecord.kindOf(word)] ?? 'invalid'}, ${PageRecord.pagesOf(word)} pages (page-heap I4)`,
    );
  }

  /** Gives a LARGE run a new length at its place; returns false if there is no room. */
  resizeRunLocked(page: PageIndex, pages: number, committing: () => void): boolean {
    const i32 = this.#i32;
    const f64 = this.#f64;
    const pageHeap = this.#pageHeap;
    const bins = this.#bins;
    const word = this.#runAt(page);
    const have = PageRecord.pagesOf(word);
    const above = (page + have) as PageIndex;
    let free = this.#freePagesAt(above);
    // Only the reserve follows: moving the brk can make room.
    const last = above + free === PageHeapRecord.getUntouched(i32, pageHeap);
    if (have + free < pages && last && this.#growLocked(pages - have))
      free = this.#freePagesAt(above);
    const rest = have + free - pages;
    if (rest < 0) return false;
    if (free > 0) bins.unlinkLocked(above, free);
    if (rest > 0) {
      // point: resize.rest
      this.#setRun(page + pages, PageRecord.FREE_RUN, 0, rest);
      // point: resize.restTail
      this.#setTail(page + pages + rest - 1, rest);
    }
    // point: resize.tail
    this.#setTail(page + pages - 1, 0);
    committing();
    // point: resize.commit
    this.#setRun(page, PageRecord.kindOf(word), 0, pages);
    if (rest > 0) bins.linkLocked((page + pages) as PageIndex, rest);
    if (pages < have) PageHeapRecord.bumpRunReturns(this.#u32, pageHeap);
    // point: pages.mapped
    PageHeapRecord.addMapped(i32, pageHeap, pages - have, 0);
    if (rest > 0) PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.SPLITS);
    if (free > 0) PageHeapRecord.bumpCounter(f64, pageHeap, PageHeapRecord.COALESCES);
    return true;
  }

  /** Length of the free run that begins at a page; 0 = none. */
  #freePagesAt(page: PageIndex): number {
    if (page >= this.#endPage) return 0;
    const word = this.#runAt(page);
    return PageRecord.kindOf(word) === PageRecord.FREE_RUN ? PageRecord.pagesOf(word) : 0;
  }

  /**
   * Turns a RESERVED run into a LARGE one or a span, by one store. Its owner only; needs no lock.
   */
  commitRun(page: PageIndex, kind: RunKind, owner: number): void {
    this.#setRun(page, kind, owner, PageRecord.pagesOf(this.#runAt(page)));
  }

  // ---- Words of runs

  #runAt(page: number): number {
    return PageRecord.getRun(this.#i32, PageRecord.at(this.#pageTable, page));
  }

  #setRun(page: number, kind: RunKind, owner: number, pages: number): void {
    const record = PageRecord.at(this.#pageTable, page);
    PageRecord.setRun(this.#i32, record, PageRecord.wordOf(kind, owner, pages));
  }

  #tailAt(page: number): number {
    return PageRecord.getTail(this.#i32, PageRecord.at(this.#pageTable, page));
  }

  #setTail(page: number, pages: number): void {
    PageRecord.setTail(this.#i32, PageRecord.at(this.#pageTable, page), pages);
  }
}
