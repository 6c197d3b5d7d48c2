/**
 * Fragmentation: how much of the heap's memory cannot be used, and why.
 *
 * Called by counters.ts. Any thread; takes no lock. The page heap may change during the reading:
 * every page and length is checked and a walk ends after a few runs, so that a figure is at worst a
 * moment old.
 */

import { PAGE_BYTES, type PageIndex } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import type { FragmentationStats, HeapStats } from './heap-stats.js';

/** Maximum runs of the last bin that are compared; their lengths differ by an eighth at most. */
const RUNS_COMPARED = 64;

type Counted = Pick<
  HeapStats,
  'sizeClasses' | 'large' | 'inUseBytes' | 'footprintBytes' | 'freeRunBytes' | 'untouchedBytes'
>;

export function describeFragmentation(memory: HeapMemory, stats: Counted): FragmentationStats {
  const { f64, geometry } = memory;
  const { sizeClasses, large, inUseBytes, footprintBytes, freeRunBytes, untouchedBytes } = stats;
  let internalBytes = large.internalBytes;
  for (let n = 0; n < sizeClasses.length; n++) internalBytes += sizeClasses[n].internalBytes;
  const freePages = freeRunBytes / PAGE_BYTES;
  const largestPages = Math.min(findLargestFreeRun(memory), freePages);
  const largestFreeRunRatio = freePages > 0 ? largestPages / freePages : 1;
  const reservePages = Math.min(measureReserve(memory), freePages + untouchedBytes / PAGE_BYTES);
  const peakLiveBytes = Math.max(
    inUseBytes,
    PageHeapRecord.getPeakLiveBytes(f64, geometry.pageHeap),
  );
  return {
    internalBytes,
    internalRatio: inUseBytes > 0 ? internalBytes / inUseBytes : 0,
    largestFreeRunBytes: largestPages * PAGE_BYTES,
    largestFreeRunRatio,
    externalRatio: 1 - largestFreeRunRatio,
    largestFitBytes: Math.max(largestPages, reservePages) * PAGE_BYTES,
    peakLiveBytes,
    footprintOverPeakLive: peakLiveBytes > 0 ? footprintBytes / peakLiveBytes : 0,
  };
}

/** Pages of the longest free run, found in the bins without a walk over the heap. */
function findLargestFreeRun(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  const bin = PageHeapRecord.lastBin(i32, geometry.pageHeap);
  if (bin < 0) return 0;
  let page = PageHeapRecord.getBinHead(i32, geometry.pageHeap, bin);
  if (PageHeapRecord.isExactBin(bin)) return page === 0 ? 0 : bin;
  let longest = 0;
  for (let n = 0; page !== 0 && n < RUNS_COMPARED; n++) {
    const pages = runPagesAt(memory, page, PageRecord.FREE_RUN);
    // Another thread has just taken this run, so its links lead elsewhere.
    if (pages === 0 || PageHeapRecord.binOf(pages) !== bin) break;
    longest = Math.max(longest, pages);
    page = PageRecord.getNext(i32, PageRecord.at(geometry.pageTable, page));
  }
  return longest;
}

/** Pages of the untouched reserve, and of the free runs that touch it. */
function measureReserve(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  const head = PageHeapRecord.getUntouched(i32, geometry.pageHeap);
  const pages = runPagesAt(memory, head, PageRecord.UNTOUCHED_RUN);
  if (pages === 0) return 0;
  const tail = head > geometry.firstPage ? PageRecord.at(geometry.pageTable, head - 1) : undefined;
  const below =
    tail === undefined
      ? 0
      : runPagesAt(memory, head - PageRecord.getTail(i32, tail), PageRecord.FREE_RUN);
  return below + pages + runPagesAt(memory, head + pages, PageRecord.FREE_RUN);
}

/** Length of the run of this kind that begins at a page, in pages; 0 if there is none. */
function runPagesAt(memory: HeapMemory, page: PageIndex | number, kind: number): number {
  const { firstPage, endPage, pageTable } = memory.geometry;
  if (page < firstPage || page >= endPage) return 0;
  const word = PageRecord.getRun(memory.i32, PageRecord.at(pageTable, page));
  return PageRecord.kindOf(word) === kind ? Math.min(PageRecord.pagesOf(word), endPage - page) : 0;
}
