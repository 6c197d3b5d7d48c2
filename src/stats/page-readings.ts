/**
 * Page readings: pages in spans and in large blocks, and how far the reserve is used.
 *
 * Called by counters.ts. Any thread; takes no lock. Threads count spans under the lock of the class
 * and pages under the page lock, one after the other: in between, spans may exceed all mapped
 * pages. Readings are clamped so that no part exceeds its whole.
 *
 * I1  Parts are read before their whole: brk, spans and mapped pages before the footprint, which
 *     never falls.
 * I2  Large blocks lost by deaths are computed from a reading during which no lock was held: then
 *     the counts of allocations and frees under the page lock and the pages in use are of one
 *     moment.
 */

import { PAGE_BYTES, SIZE_CLASS_COUNT, type SizeClass, SPAN_PAGES, times } from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import type { HeapMemory, LockIndex } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import * as SlotCounters from '../layout/slot-counters.js';
import type { Seen } from './seen.js';
import { sum } from './sum.js';

/** Attempts to find the page heap at rest. */
const ATTEMPTS = 8;

export interface PageReading {
  readonly brkPages: number;
  /** By size class. */
  readonly spans: readonly number[];
  readonly spanPages: number;
  readonly mappedPages: number;
  readonly peakMappedPages: number;
  readonly footprintPages: number;
}

/** Counts of large blocks. */
export interface LargeReading {
  /** By slot: allocations by the threads of that slot. */
  readonly allocationsOf: readonly number[];
  readonly freesOf: readonly number[];
  readonly allocations: number;
  readonly frees: number;
  readonly allocatedBytes: number;
  readonly freedBytes: number;
}

export function readPages(memory: HeapMemory, seen: Seen): PageReading {
  const { i32, geometry } = memory;
  const { pageHeap, firstPage } = geometry;
  const brkPages = PageHeapRecord.getBrk(i32, pageHeap) - firstPage;
  const spans = readSpans(memory);
  const counted = pagesOfSpans(spans);
  const mapped = Math.max(PageHeapRecord.getMappedPages(i32, pageHeap), counted);
  const footprintPages = readFootprint(memory, seen);
  const mappedPages = Math.min(mapped, footprintPages);
  // A page that moved from one class to another during the reading was counted in both.
  if (counted > mappedPages) cutSpans(spans, mappedPages);
  return {
    brkPages: Math.min(brkPages, footprintPages),
    spans,
    spanPages: Math.min(counted, pagesOfSpans(spans)),
    mappedPages,
    peakMappedPages: Math.max(PageHeapRecord.getPeakMappedPages(i32, pageHeap), mappedPages),
    footprintPages,
  };
}

function readSpans({ i32, geometry }: HeapMemory): number[] {
  const spans = times(SIZE_CLASS_COUNT + 1, () => 0);
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    spans[c] = ClassRecord.getSpanCount(i32, ClassRecord.at(geometry.classes, c));
  }
  return spans;
}

const pagesOfSpans = (spans: readonly number[]): number =>
  sum(spans, (count, c) => count * SPAN_PAGES[c]);

function cutSpans(spans: number[], pages: number): void {
  let left = pages;
  for (let c = 1; c < spans.length; c++) {
    spans[c] = Math.min(spans[c], Math.floor(left / SPAN_PAGES[c]));
    left -= spans[c] * SPAN_PAGES[c];
  }
}

/** Data pages ever taken from the reserve. */
function readFootprint(memory: HeapMemory, seen: Seen): number {
  const { firstPage, endPage } = memory.geometry;
  const untouched = readUntouched(memory);
  if (untouched >= 0) {
    seen.footprintPages = Math.max(seen.footprintPages, endPage - firstPage - untouched);
  }
  return seen.footprintPages;
}

/** Pages of the reserve; -1 if its first page keeps changing. */
function readUntouched(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  const { pageTable, pageHeap, endPage } = geometry;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const head = PageHeapRecord.getUntouched(i32, pageHeap);
    if (head === 0) return 0;
    const word = PageRecord.getRun(i32, PageRecord.at(pageTable, head));
    if (PageRecord.kindOf(word) === PageRecord.UNTOUCHED_RUN) return PageRecord.pagesOf(word);
    // Pages were just taken from the reserve: the rest of it, if any, begins behind them. This also
    // holds if the thread that took them died here.
    const next = head + PageRecord.pagesOf(word);
    const rest = next < endPage ? PageRecord.getRun(i32, PageRecord.at(pageTable, next)) : 0;
    const isSame =
      PageHeapRecord.getUntouched(i32, pageHeap) === head &&
      PageRecord.getRun(i32, PageRecord.at(pageTable, head)) === word;
    if (isSame)
      return PageRecord.kindOf(rest) === PageRecord.UNTOUCHED_RUN ? PageRecord.pagesOf(rest) : 0;
  }
  return -1;
}

// ---- large blocks

/** Large blocks as threads have counted them, with the number lost by deaths (I2). */
export function readLarge(memory: HeapMemory, seen: Seen): LargeReading {
  noteLost(memory, seen);
  // Frees are read first: each is of a block whose allocation was counted before.
  const freesOf = readCounter(memory, SlotCounters.LARGE_FREES);
  const frees = sum(freesOf) + seen.largeLost;
  const freedBytes = sum(readCounter(memory, SlotCounters.LARGE_FREED_BYTES)) + seen.largeBytesLost;
  const allocationsOf = readCounter(memory, SlotCounters.LARGE_MALLOCS);
  const allocatedBytes = sum(readCounter(memory, SlotCounters.LARGE_MALLOC_BYTES));
  return {
    allocationsOf,
    freesOf,
    frees,
    freedBytes,
    allocations: Math.max(frees, sum(allocationsOf)),
    allocatedBytes: Math.max(freedBytes, allocatedBytes),
  };
}

function noteLost(memory: HeapMemory, seen: Seen): void {
  const { i32, geometry } = memory;
  const { pageHeap } = geometry;
  const sections = readSections(memory);
  if (sections < 0) return;
  const spans = readSpans(memory);
  const blocks = PageHeapRecord.getMappedRuns(i32, pageHeap) - sum(spans);
  const pages = PageHeapRecord.getMappedPages(i32, pageHeap) - pagesOfSpans(spans);
  const total = (counter: number) => sum(readCounter(memory, counter));
  const counted = total(SlotCounters.LARGE_MALLOCS) - total(SlotCounters.LARGE_FREES);
  const bytes = total(SlotCounters.LARGE_MALLOC_BYTES) - total(SlotCounters.LARGE_FREED_BYTES);
  if (readSections(memory) !== sections) return;
  seen.largeLost = Math.max(seen.largeLost, counted - blocks);
  seen.largeBytesLost = Math.max(seen.largeBytesLost, bytes - pages * PAGE_BYTES);
}

/** Number of locked sections so far; -1 if a thread is in one. */
function readSections({ i32, f64, geometry }: HeapMemory): number {
  let sections = 0;
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    const line = LockTable.at(geometry.locks, lock);
    if (LockTable.peek(i32, line) !== 0) return -1;
    sections += LockTable.getCounter(f64, line, LockTable.ACQUISITIONS);
  }
  return sections;
}

/** One counter of each slot, by slot. */
function readCounter({ u32, f64, geometry }: HeapMemory, counter: number): number[] {
  const counts = times(geometry.threads, () => 0);
  for (const slot of Slot.used(u32, geometry.slots, geometry.threads)) {
    counts[slot] = SlotCounters.get(f64, Slot.at(geometry.slots, slot), counter);
  }
  return counts;
}
