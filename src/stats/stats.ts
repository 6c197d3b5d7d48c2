/**
 * Statistics: what the heap holds, where it is, and what threads did since the last reset.
 *
 * Called by api/. Any thread; takes no lock (counters.ts). While another thread resets the counts,
 * some of them may be since this reset and some since the one before.
 *
 * I1  When threads are quiet: inUse + cached + free blocks + span tails + free runs + untouched
 *     reserve + metadata = reserved, to the byte (identityGap; verify() checks it).
 */

import * as Baseline from '../layout/baseline.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import { notePeakLive, restartPeakLive } from '../pages/index.js';
import { readCounters } from './counters.js';
import type { HeapStats } from './heap-stats.js';
import { nothingSeen } from './seen.js';
import { sum } from './sum.js';

// Indexes in the baseline.
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
 * The figures of a heap whose threads are quiet, for verify(): it may be broken, so no bound is
 * kept.
 */
export function readQuiet(memory: HeapMemory): HeapStats {
  return readCounters(memory, nothingSeen(memory));
}

/** Bytes by which the parts of a heap fall short of the whole; 0 when threads are quiet. */
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

/** Restarts the counts at their present values; the heap itself does not change. */
export function resetStats(memory: HeapMemory): void {
  const { f64, i32, geometry } = memory;
  const raw = readCounters(memory);
  eachCounter(raw, (entry, value) => {
    Baseline.set(f64, geometry.baseline, entry, value);
    return value;
  });
  PageHeapRecord.setPeakMappedPages(
    i32,
    geometry.pageHeap,
    PageHeapRecord.getMappedPages(i32, geometry.pageHeap),
  );
  restartPeakLive(memory);
}

/** The heap's statistics since its creation, whatever was reset. */
export function readTotals(memory: HeapMemory): HeapStats {
  return addUp(readNow(memory));
}

/** All figures since the heap's creation; also notes the bytes in use if they are a new peak. */
function readNow(memory: HeapMemory): HeapStats {
  const stats = readCounters(memory);
  notePeakLive(memory, stats.inUseBytes);
  return stats;
}

function sinceBaseline({ f64, geometry }: HeapMemory, stats: HeapStats): HeapStats {
  // Another thread's reset may have read larger counts than this reading.
  eachCounter(stats, (entry, value) =>
    Math.max(0, value - Baseline.get(f64, geometry.baseline, entry)),
  );
  return addUp(stats);
}

function addUp(stats: HeapStats): HeapStats {
  stats.allocations = sum(stats.sizeClasses, (c) => c.allocations) + stats.large.allocations;
  stats.frees = sum(stats.sizeClasses, (c) => c.frees) + stats.large.frees;
  return stats;
}

/** Passes every count that a reset sets back, and stores the result in its place. */
function eachCounter(stats: HeapStats, pass: (entry: number, value: number) => number): void {
  stats.splits = pass(Baseline.heapEntry(HEAP.splits), stats.splits);
  stats.coalesces = pass(Baseline.heapEntry(HEAP.coalesces), stats.coalesces);
  stats.directMaps = pass(Baseline.heapEntry(HEAP.directMaps), stats.directMaps);
  const { locks, large, recovery } = stats;
  locks.acquisitions = pass(Baseline.heapEntry(HEAP.acquisitions), locks.acquisitions);
  locks.contentions = pass(Baseline.heapEntry(HEAP.contentions), locks.contentions);
  locks.waitNanoseconds = pass(Baseline.heapEntry(HEAP.waitNanoseconds), locks.waitNanoseconds);
  locks.ownerDeaths = pass(Baseline.heapEntry(HEAP.ownerDeaths), locks.ownerDeaths);
  recovery.recoveries = pass(Baseline.heapEntry(HEAP.recoveries), recovery.recoveries);
  recovery.blocksReturned = pass(Baseline.heapEntry(HEAP.blocksReturned), recovery.blocksReturned);
  recovery.runsReturned = pass(Baseline.heapEntry(HEAP.runsReturned), recovery.runsReturned);
  recovery.contextsReturned = pass(
    Baseline.heapEntry(HEAP.contextsReturned),
    recovery.contextsReturned,
  );
  stats.totalAllocatedBytes = pass(
    Baseline.heapEntry(HEAP.totalAllocatedBytes),
    stats.totalAllocatedBytes,
  );
  stats.totalFreedBytes = pass(Baseline.heapEntry(HEAP.totalFreedBytes), stats.totalFreedBytes);
  large.allocations = pass(Baseline.heapEntry(HEAP.largeAllocations), large.allocations);
  large.frees = pass(Baseline.heapEntry(HEAP.largeFrees), large.frees);
  stats.sizeClasses.forEach((c, i) => {
    c.allocations = pass(Baseline.classEntry(i, ALLOCATIONS), c.allocations);
    c.frees = pass(Baseline.classEntry(i, FREES), c.frees);
  });
  for (const thread of stats.threads) {
    thread.allocations = pass(Baseline.slotEntry(thread.slot, ALLOCATIONS), thread.allocations);
    thread.frees = pass(Baseline.slotEntry(thread.slot, FREES), thread.frees);
    thread.refills = pass(Baseline.slotEntry(thread.slot, SLOT_REFILLS), thread.refills);
    thread.flushes = pass(Baseline.slotEntry(thread.slot, SLOT_FLUSHES), thread.flushes);
  }
}
