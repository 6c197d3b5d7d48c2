/**
 * Bins: free runs by length, found in constant time.
 *
 * Used by page-heap.ts and repair.ts. Every function needs the page lock.
 *
 * Two look-ups in a two-level bitmap give the first bin that has a run (as in TLSF, Masmano et al.
 * 2004); in a bin with mixed lengths a few runs are compared for the best fit.
 *
 * I1  A free run is in the bin of its length, and in no other. All words here are derived: a walk
 *     over the runs rebuilds them.
 */

import { HeapCorruptionError, type PageIndex, roundUp, type WordIndex } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';

/** Maximum runs to compare in a bin of mixed lengths. */
const BEST_FIT_TRIES = 16;
const NONE = 0 as PageIndex;

/** The bins of all free runs. */
export class RunBins {
  readonly #i32: Int32Array;
  readonly #pageTable: number;
  /** The page heap's record. */
  readonly #pageHeap: WordIndex;
  readonly #runsMax: number;

  constructor({ i32, geometry }: HeapMemory) {
    this.#i32 = i32;
    this.#pageTable = geometry.pageTable;
    this.#pageHeap = geometry.pageHeap;
    this.#runsMax = geometry.endPage - geometry.firstPage;
  }

  linkLocked(page: PageIndex, pages: number): void {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const pageHeap = this.#pageHeap;
    const bin = PageHeapRecord.binOf(pages);
    const first = PageHeapRecord.getBinHead(i32, pageHeap, bin);
    const record = PageRecord.at(pageTable, page);
    // point: bin.next
    PageRecord.setNext(i32, record, first);
    // point: bin.prev
    PageRecord.setPrev(i32, record, NONE);
    // point: bin.first
    if (first !== 0) PageRecord.setPrev(i32, PageRecord.at(pageTable, first), page);
    // point: bin.head
    PageHeapRecord.setBinHead(i32, pageHeap, bin, page);
  }

  unlinkLocked(page: PageIndex, pages: number): void {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const record = PageRecord.at(pageTable, page);
    const next = PageRecord.getNext(i32, record);
    const prev = PageRecord.getPrev(i32, record);
    // point: bin.skip
    if (prev !== 0) PageRecord.setNext(i32, PageRecord.at(pageTable, prev), next);
    else PageHeapRecord.setBinHead(i32, this.#pageHeap, PageHeapRecord.binOf(pages), next);
    // point: bin.back
    if (next !== 0) PageRecord.setPrev(i32, PageRecord.at(pageTable, next), prev);
  }

  /** A free run of at least `pages` pages, the shortest of those it compares; 0 = none. */
  findLocked(pages: number): PageIndex {
    const i32 = this.#i32;
    const pageHeap = this.#pageHeap;
    let bin = PageHeapRecord.nextBin(i32, pageHeap, PageHeapRecord.binOf(pages));
    while (bin >= 0) {
      const found = this.#bestOfBin(bin, pages);
      if (found !== 0) return found;
      // Only in the request's own bin can all runs be too short.
      bin = PageHeapRecord.nextBin(i32, pageHeap, bin + 1);
    }
    return NONE;
  }

  /** A free run of the last bin, if it has `pages` pages; 0 = none. */
  findLongestLocked(pages: number): PageIndex {
    const bin = PageHeapRecord.lastBin(this.#i32, this.#pageHeap);
    return bin < 0 ? NONE : this.#bestOfBin(bin, pages);
  }

  #bestOfBin(bin: number, pages: number): PageIndex {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const pageHeap = this.#pageHeap;
    const first = PageHeapRecord.getBinHead(i32, pageHeap, bin);
    if (PageHeapRecord.isExactBin(bin)) return bin >= pages ? first : NONE;
    let best = NONE;
    let bestPages = Number.MAX_SAFE_INTEGER;
    let page = first;
    for (let n = 0; page !== 0 && bestPages !== pages && n < BEST_FIT_TRIES; n++) {
      const length = PageRecord.pagesOf(PageRecord.getRun(i32, PageRecord.at(pageTable, page)));
      if (length >= pages && length < bestPages) {
        best = page;
        bestPages = length;
      }
      page = PageRecord.getNext(i32, PageRecord.at(pageTable, page));
    }
    return best;
  }

  /**
   * Any free run in which an aligned run fits. The last resort: compares every run that is long
   * enough, while findLocked compares a few runs of a bin.
   */
  searchLocked(pages: number, alignPages: number): PageIndex {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const pageHeap = this.#pageHeap;
    for (let bin = PageHeapRecord.nextBin(i32, pageHeap, PageHeapRecord.binOf(pages)); bin >= 0; ) {
      let page = PageHeapRecord.getBinHead(i32, pageHeap, bin);
      for (let n = 0; page !== 0; n++) {
        if (n > this.#runsMax) throw this.#cycle(bin);
        const length = PageRecord.pagesOf(PageRecord.getRun(i32, PageRecord.at(pageTable, page)));
        if (roundUp(page, alignPages) + pages <= page + length) return page;
        page = PageRecord.getNext(i32, PageRecord.at(pageTable, page));
      }
      bin = PageHeapRecord.nextBin(i32, pageHeap, bin + 1);
    }
    return NONE;
  }

  #cycle(bin: number): HeapCorruptionError {
    return new HeapCorruptionError(
      `bin ${bin} of the free runs has more entries than there are pages (run-bins I1)`,
    );
  }
}
