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

export interface RunBins {
  linkLocked(page: PageIndex, pages: number): void;
  unlinkLocked(page: PageIndex, pages: number): void;
  /** A free run of at least `pages` pages, the shortest of those it compares; 0 = none. */
  findLocked(pages: number): PageIndex;
  /** A free run of the last bin, if it has `pages` pages; 0 = none. */
  findLongestLocked(pages: number): PageIndex;
  /**
   * Any free run in which an aligned run fits. The last resort: compares every run that is long
   * enough, while findLocked compares a few runs of a bin.
   */
  searchLocked(pages: number, alignPages: number): PageIndex;
}

export function createRunBins(memory: HeapMemory): RunBins {
  const { i32, geometry } = memory;
  const { pageTable, pageHeap } = geometry;
  const runsMax = geometry.endPage - geometry.firstPage;
  const recordOf = (page: number): WordIndex => PageRecord.at(pageTable, page);

  function linkLocked(page: PageIndex, pages: number): void {
    const bin = PageHeapRecord.binOf(pages);
    const first = PageHeapRecord.getBinHead(i32, pageHeap, bin);
    const record = recordOf(page);
    // point: bin.next
    PageRecord.setNext(i32, record, first);
    // point: bin.prev
    PageRecord.setPrev(i32, record, NONE);
    // point: bin.first
    if (first !== 0) PageRecord.setPrev(i32, recordOf(first), page);
    // point: bin.head
    PageHeapRecord.setBinHead(i32, pageHeap, bin, page);
  }

  function unlinkLocked(page: PageIndex, pages: number): void {
    const record = recordOf(page);
    const next = PageRecord.getNext(i32, record);
    const prev = PageRecord.getPrev(i32, record);
    // point: bin.skip
    if (prev !== 0) PageRecord.setNext(i32, recordOf(prev), next);
    else PageHeapRecord.setBinHead(i32, pageHeap, PageHeapRecord.binOf(pages), next);
    // point: bin.back
    if (next !== 0) PageRecord.setPrev(i32, recordOf(next), prev);
  }

  function findLocked(pages: number): PageIndex {
    let bin = PageHeapRecord.nextBin(i32, pageHeap, PageHeapRecord.binOf(pages));
    while (bin >= 0) {
      const found = bestOfBin(bin, pages);
      if (found !== 0) return found;
      // Only in the request's own bin can all runs be too short.
      bin = PageHeapRecord.nextBin(i32, pageHeap, bin + 1);
    }
    return NONE;
  }

  function findLongestLocked(pages: number): PageIndex {
    const bin = PageHeapRecord.lastBin(i32, pageHeap);
    return bin < 0 ? NONE : bestOfBin(bin, pages);
  }

  function bestOfBin(bin: number, pages: number): PageIndex {
    const first = PageHeapRecord.getBinHead(i32, pageHeap, bin);
    if (PageHeapRecord.isExactBin(bin)) return bin >= pages ? first : NONE;
    let best = NONE;
    let bestPages = Number.MAX_SAFE_INTEGER;
    let page = first;
    for (let n = 0; page !== 0 && bestPages !== pages && n < BEST_FIT_TRIES; n++) {
      const length = PageRecord.pagesOf(PageRecord.getRun(i32, recordOf(page)));
      if (length >= pages && length < bestPages) {
        best = page;
        bestPages = length;
      }
      page = PageRecord.getNext(i32, recordOf(page));
    }
    return best;
  }

  function searchLocked(pages: number, alignPages: number): PageIndex {
    for (let bin = PageHeapRecord.nextBin(i32, pageHeap, PageHeapRecord.binOf(pages)); bin >= 0; ) {
      let page = PageHeapRecord.getBinHead(i32, pageHeap, bin);
      for (let n = 0; page !== 0; n++) {
        if (n > runsMax) throw cycle(bin);
        const length = PageRecord.pagesOf(PageRecord.getRun(i32, recordOf(page)));
        if (roundUp(page, alignPages) + pages <= page + length) return page;
        page = PageRecord.getNext(i32, recordOf(page));
      }
      bin = PageHeapRecord.nextBin(i32, pageHeap, bin + 1);
    }
    return NONE;
  }

  function cycle(bin: number): HeapCorruptionError {
    return new HeapCorruptionError(
      `bin ${bin} of the free runs has more entries than there are pages (run-bins I1)`,
    );
  }

  return { linkLocked, unlinkLocked, findLocked, findLongestLocked, searchLocked };
}
