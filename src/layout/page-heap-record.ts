/**
 * The page heap's own words: bins of free runs with a two-level bitmap, frontiers, counters.
 *
 * Read and written by pages/page-heap.ts under the page lock; read by stats/ at any time.
 *
 *     word      field          meaning (all derived or statistics: a walk rebuilds them)
 *     0         untouched      head page of the UNTOUCHED run, 0 when the reserve is used up
 *     1         brk            first page above the pages taken from the bottom
 *     2         mappedPages    pages in RESERVED, SPAN and LARGE runs
 *     3         mappedRuns     number of such runs
 *     4         peakMapped     maximum of mappedPages since creation or the last resetStats()
 *     5         summary        bit w set = bitmap word w is not 0
 *     6..10     bitmap         bit b set = bin b is not empty
 *     11        returns        number of times that a run became free, or longer, modulo 2^32
 *     12..17    counters       splits, coalesces, directMaps: Float64
 *     18,19     peakLive       maximum of the sampled live bytes since creation or resetStats():
 *                              Float64, written by any thread without a lock (a lost write makes
 *                              the peak lower)
 *     20..171   heads          first run of each bin, by page; 0 = empty
 *
 * Bins as in TLSF (Masmano et al. 2004): one per length up to 31 pages, then eight per doubling.
 *
 * I1  A run is in bin binOf(pages); a bin's bit is set exactly when its head is not 0.
 */

import { type PageIndex, WORD_BYTES, type WordIndex } from '../base/index.js';

import * as PageRecord from './page-record.js';

const EXACT_BINS = 32;
const EXACT_SHIFT = 5;
const STEPS_SHIFT = 3;
const STEPS = 1 << STEPS_SHIFT;

/** The bin that holds free runs of this length. */
export function binOf(pages: number): number {
  if (pages < EXACT_BINS) return pages;
  const doubling = 31 - Math.clz32(pages);
  const step = (pages >>> (doubling - STEPS_SHIFT)) & (STEPS - 1);
  return EXACT_BINS + (doubling - EXACT_SHIFT) * STEPS + step;
}

/** True if all runs of this bin have the same length. */
export const isExactBin = (bin: number): boolean => bin < EXACT_BINS;

export const BIN_COUNT = binOf(PageRecord.RUN_PAGES_MAX) + 1;

const UNTOUCHED = 0;
const BRK = UNTOUCHED + 1;
const MAPPED_PAGES = BRK + 1;
const MAPPED_RUNS = MAPPED_PAGES + 1;
const PEAK_MAPPED = MAPPED_RUNS + 1;
const SUMMARY = PEAK_MAPPED + 1;
const BITMAP = SUMMARY + 1;
const BITMAP_WORDS = Math.ceil(BIN_COUNT / 32);
const RETURNS = BITMAP + BITMAP_WORDS;
const COUNTERS = RETURNS + 1 + ((RETURNS + 1) % 2);
const COUNTER_COUNT = 3;
const PEAK_LIVE = COUNTERS + COUNTER_COUNT * 2;
const HEADS = PEAK_LIVE + 2;

export const BYTES = (HEADS + BIN_COUNT) * WORD_BYTES;

if (BITMAP_WORDS > 31) throw new Error('page heap: the summary word is too short for its bins');
if (COUNTERS % 2 !== 0) throw new Error('page heap: counters are not 8-byte aligned');

export const getUntouched = (i32: Int32Array, h: WordIndex): PageIndex =>
  i32[h + UNTOUCHED] as PageIndex;
export const setUntouched = (i32: Int32Array, h: WordIndex, page: PageIndex): void => {
  i32[h + UNTOUCHED] = page;
};

export const getBrk = (i32: Int32Array, h: WordIndex): PageIndex => i32[h + BRK] as PageIndex;
export const setBrk = (i32: Int32Array, h: WordIndex, page: PageIndex): void => {
  i32[h + BRK] = page;
};

export const getMappedPages = (i32: Int32Array, h: WordIndex): number => i32[h + MAPPED_PAGES];
export const getMappedRuns = (i32: Int32Array, h: WordIndex): number => i32[h + MAPPED_RUNS];
export const getPeakMappedPages = (i32: Int32Array, h: WordIndex): number => i32[h + PEAK_MAPPED];
export const setPeakMappedPages = (i32: Int32Array, h: WordIndex, pages: number): void => {
  i32[h + PEAK_MAPPED] = pages;
};
/** Adds `pages` pages and `runs` runs to the mapped ones; negative numbers subtract. */
export const addMapped = (i32: Int32Array, h: WordIndex, pages: number, runs: number): void => {
  const mapped = i32[h + MAPPED_PAGES] + pages;
  i32[h + MAPPED_PAGES] = mapped;
  i32[h + MAPPED_RUNS] += runs;
  if (mapped > i32[h + PEAK_MAPPED]) i32[h + PEAK_MAPPED] = mapped;
};

/** Replaces the mapped pages and runs by those that a walk has counted. */
export const setMapped = (i32: Int32Array, h: WordIndex, pages: number, runs: number): void => {
  i32[h + MAPPED_PAGES] = 0;
  i32[h + MAPPED_RUNS] = 0;
  addMapped(i32, h, pages, runs);
};

/** Indexes of the page heap's counters. */
export const SPLITS = 0;
export const COALESCES = 1;
export const DIRECT_MAPS = 2;
export const getCounter = (f64: Float64Array, h: WordIndex, counter: number): number =>
  f64[((h + COUNTERS) >>> 1) + counter];
export const bumpCounter = (f64: Float64Array, h: WordIndex, counter: number): void => {
  f64[((h + COUNTERS) >>> 1) + counter] += 1;
};

export const getRunReturns = (u32: Uint32Array, h: WordIndex): number => u32[h + RETURNS];
/** Counts a run that became free, or longer: a thread that found none may look again. */
export const bumpRunReturns = (u32: Uint32Array, h: WordIndex): void => {
  u32[h + RETURNS] += 1;
};

export const getPeakLiveBytes = (f64: Float64Array, h: WordIndex): number =>
  f64[(h + PEAK_LIVE) >>> 1];
export const setPeakLiveBytes = (f64: Float64Array, h: WordIndex, bytes: number): void => {
  f64[(h + PEAK_LIVE) >>> 1] = bytes;
};

export const getBinHead = (i32: Int32Array, h: WordIndex, bin: number): PageIndex =>
  i32[h + HEADS + bin] as PageIndex;
/** Sets a bin's first run, and both levels of the bitmap accordingly. */
export const setBinHead = (i32: Int32Array, h: WordIndex, bin: number, page: PageIndex): void => {
  i32[h + HEADS + bin] = page;
  const n = bin >>> 5;
  const word = h + BITMAP + n;
  if (page !== 0) {
    i32[word] |= 1 << (bin & 31);
    i32[h + SUMMARY] |= 1 << n;
  } else {
    i32[word] &= ~(1 << (bin & 31));
    if (i32[word] === 0) i32[h + SUMMARY] &= ~(1 << n);
  }
};

/** True if the summary names exactly the bitmap words that are not 0. */
export const isSummaryTrue = (i32: Int32Array, h: WordIndex): boolean => {
  for (let n = 0; n < BITMAP_WORDS; n++) {
    if (((i32[h + SUMMARY] >>> n) & 1) !== (i32[h + BITMAP + n] === 0 ? 0 : 1)) return false;
  }
  return i32[h + SUMMARY] >>> BITMAP_WORDS === 0;
};

/** Empties all bins, also when their content is broken. */
export const clearBins = (i32: Int32Array, h: WordIndex): void => {
  for (let word = SUMMARY; word < BITMAP + BITMAP_WORDS; word++) i32[h + word] = 0;
  for (let bin = 0; bin < BIN_COUNT; bin++) i32[h + HEADS + bin] = 0;
};

/** The first bin from `bin` on that is not empty; -1 = none. Two bitmap look-ups, no loop. */
export const nextBin = (i32: Int32Array, h: WordIndex, bin: number): number => {
  const n = bin >>> 5;
  let bits = i32[h + BITMAP + n] & (-1 << (bin & 31));
  if (bits !== 0) return (n << 5) + 31 - Math.clz32(bits & -bits);
  const words = i32[h + SUMMARY] & (-2 << n);
  if (words === 0) return -1;
  const m = 31 - Math.clz32(words & -words);
  bits = i32[h + BITMAP + m];
  return (m << 5) + 31 - Math.clz32(bits & -bits);
};

/** The last bin that is not empty; -1 = none. */
export const lastBin = (i32: Int32Array, h: WordIndex): number => {
  const words = i32[h + SUMMARY];
  if (words === 0) return -1;
  const n = 31 - Math.clz32(words);
  return (n << 5) + 31 - Math.clz32(i32[h + BITMAP + n]);
};
