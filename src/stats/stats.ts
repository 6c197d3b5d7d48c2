/**
 * Statistics: what the heap holds, where it is, and what was done with it since the last reset.
 *
 * Called by api/. Any thread; takes no lock (counters.ts). While another thread resets them counts may
 * be some of them since this reset, and some since the one before.
 *
 * I1  When threads are quiet: inUse + cached + free blocks + span tails + free runs + untouched
 *     reserve + metadata = reserved, to the byte (identityGap; verify() looks at it).
 */

import {
  classEntry,
  getBaseline,
  getMappedPages,
  type HeapMemory,
  heapEntry,
  setBaseline,
  setPeakMappedPages,
  slotEntry,
} from '../layout/index.js';
import { notePeakLive, restartPeakLive } from '../pages/index.js';
import { readCounters } from './counters.js';
import type { HeapStats } from './heap-stats.js';
import { nothingSeen } from './seen.js';
import { sum } from './sum.js';

// Places in the baseline.
const HEAP = {
  splits: 0,
  coalesces: 1,
  directMaps: 2,
  acquisitions: 3,
  contentions: 4,
  waitNanoseconds: 5,
  totalAllocatedBytes: 6,
  totalFreedBytes: 7,
  largeAllocations: 8,
  largeFrees: 9,
  ownerDeaths: 10,
  recoveries: 11,
  blocksReturned: 12,
  runsReturned: 13,
  contextsReturned: 14,
} as const;
const ALLOCATIONS = 0;
const FREES = 1;
const SLOT_REFILLS = 2;
const SLOT_FLUSHES = 3;

/** The heap's statistics since creation or the last resetStats(). */
export function readStats(memory: HeapMemory): HeapStats {
  return sinceBaseline(memory, readNow(memory));
}

/**
 * The figures of a heap whose threads are quiet, for a check: it may be broken, and later looks forget it.
 */
export function readQuiet(memory: HeapMemory): HeapStats {
  return readCounters(memory, nothingSeen(memory));
}

/** How many bytes the parts of a heap are short of the whole; 0 when threads are quiet. */
export function identityGap(stats: HeapStats): number {
  const parts = [
    stats.inUseBytes,
    stats.cachedBytes,
    stats.freeBlockBytes,
    stats.spanTailBytes,
    stats.freeRunBytes,
    stats.untouchedBytes,
    stats.metadataBytes,
  ];
  return stats.reservedBytes - sum(parts, (bytes) => bytes);
}

/** Counts begin anew from what they are now; the heap itself is not touched. */
export function resetStats(memory: HeapMemory): void {
  const { f64, i32, geometry } = memory;
  const raw = readCounters(memory);
  eachCounter(raw, (entry, value) => {
    setBaseline(f64, geometry.baseline, entry, value);
    return value;
  });
  setPeakMappedPages(i32, geometry.pageHeap, getMappedPages(i32, geometry.pageHeap));
  restartPeakLive(memory);
}

/** The heap's statistics since creation, whatever was reset: counts that never start anew. */
export function readTotals(memory: HeapMemory): HeapStats {
  return addUp(readNow(memory));
}

/** Everything since the heap was made. What is in use now may be the most so far. */
function readNow(memory: HeapMemory): HeapStats {
  const stats = readCounters(memory);
  notePeakLive(memory, stats.inUseBytes);
  return stats;
}

function sinceBaseline({ f64, geometry }: HeapMemory, stats: HeapStats): HeapStats {
  // Another thread's reset may have seen more than is seen here by now.
  eachCounter(stats, (entry, value) =>
    Math.max(0, value - getBaseline(f64, geometry.baseline, entry)),
  );
  return addUp(stats);
}

function addUp(stats: HeapStats): HeapStats {
  stats.allocations = sum(stats.sizeClasses, (c) => c.allocations) + stats.large.allocations;
  stats.frees = sum(stats.sizeClasses, (c) => c.frees) + stats.large.frees;
  return stats;
}

/** Passes every count that a reset sets back, and stores what comes out of it. */
function eachCounter(stats: HeapStats, pass: (entry: number, value: number) => number): void {
  stats.splits = pass(heapEntry(HEAP.splits), stats.splits);
  stats.coalesces = pass(heapEntry(HEAP.coalesces), stats.coalesces);
  stats.directMaps = pass(heapEntry(HEAP.directMaps), stats.directMaps);
  const { locks, large, recovery } = stats;
  locks.acquisitions = pass(heapEntry(HEAP.acquisitions), locks.acquisitions);
  locks.contentions = pass(heapEntry(HEAP.contentions), locks.contentions);
  locks.waitNanoseconds = pass(heapEntry(HEAP.waitNanoseconds), locks.waitNanoseconds);
  locks.ownerDeaths = pass(heapEntry(HEAP.ownerDeaths), locks.ownerDeaths);
  recovery.recoveries = pass(heapEntry(HEAP.recoveries), recovery.recoveries);
  recovery.blocksReturned = pass(heapEntry(HEAP.blocksReturned), recovery.blocksReturned);
  recovery.runsReturned = pass(heapEntry(HEAP.runsReturned), recovery.runsReturned);
  recovery.contextsReturned = pass(heapEntry(HEAP.contextsReturned), recovery.contextsReturned);
  stats.totalAllocatedBytes = pass(heapEntry(HEAP.totalAllocatedBytes), stats.totalAllocatedBytes);
  stats.totalFreedBytes = pass(heapEntry(HEAP.totalFreedBytes), stats.totalFreedBytes);
  large.allocations = pass(heapEntry(HEAP.largeAllocations), large.allocations);
  large.frees = pass(heapEntry(HEAP.largeFrees), large.frees);
  stats.sizeClasses.forEach((c, i) => {
    c.allocations = pass(classEntry(i, ALLOCATIONS), c.allocations);
    c.frees = pass(classEntry(i, FREES), c.frees);
  });
  for (const thread of stats.threads) {
    thread.allocations = pass(slotEntry(thread.slot, ALLOCATIONS), thread.allocations);
    thread.frees = pass(slotEntry(thread.slot, FREES), thread.frees);
    thread.refills = pass(slotEntry(thread.slot, SLOT_REFILLS), thread.refills);
    thread.flushes = pass(slotEntry(thread.slot, SLOT_FLUSHES), thread.flushes);
  }
}
