/**
 * Counters: sums of what the threads of a heap have counted since its creation.
 *
 * Called by stats.ts. Any thread; takes no lock and stops no thread. Reads every slot's counters
 * (about 40 microseconds) and every context's (about 20 ns each), and walks over no block.
 *
 * Figures that no thread counts are derived: frees of small blocks (slot-readings.ts), large blocks
 * and the reserve (page-readings.ts). Requested sizes come from a sample of calls
 * (pages/samples.ts).
 *
 * I1  No figure is below 0, and no part exceeds its whole, whatever threads do meanwhile: values
 *     that were read at different moments are clamped. When threads are quiet nothing is clamped.
 * I2  A count never falls between two readings by one attachment: each count is a lower bound
 *     (seen.ts), and exact when threads are quiet.
 * I3  Per class, in use + cached + free = blocks of its spans, at any moment; and in use =
 *     allocations - frees, when threads are quiet.
 */

import {
  BLOCK_BYTES,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SPAN_BLOCKS,
  SPAN_TAIL_BYTES,
  times,
} from '../base/index.js';
import * as Header from '../layout/header.js';
import type { HeapMemory, LockIndex } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as Registry from '../layout/registry.js';
import * as Slot from '../layout/slot.js';
import * as SlotCounters from '../layout/slot-counters.js';
import { countContexts } from './context-totals.js';
import { describeFragmentation } from './fragmentation.js';
import type {
  ContextTotals,
  HeapStats,
  LargeStats,
  LockStats,
  RecoveryStats,
  SizeClassStats,
  ThreadStats,
} from './heap-stats.js';
import { type LargeReading, type PageReading, readLarge, readPages } from './page-readings.js';
import { seenOf } from './seen.js';
import { readSlot, type SlotReading } from './slot-readings.js';
import { sum } from './sum.js';

/** All figures since the heap's creation. */
export function readCounters(memory: HeapMemory, seen = seenOf(memory)): HeapStats {
  const { u32, f64, geometry } = memory;
  const totals = countContexts(memory);
  const largeReading = readLarge(memory, seen);
  const slots = Slot.used(u32, geometry.slots, geometry.threads).map((slot) =>
    readSlot(memory, seen, slot),
  );
  const pages = readPages(memory, seen);
  const sizeClasses = times(SIZE_CLASS_COUNT, (i) =>
    describeClass(memory, slots, pages, (i + 1) as SizeClass),
  );
  const large = describeLarge(memory, slots, pages, largeReading);
  const inUseBytes = sum(sizeClasses, (c) => c.blocksInUse * c.blockBytes) + large.bytesInUse;
  const totalOf = (blocks: (c: SizeClassStats) => number): number =>
    sum(sizeClasses, (c) => blocks(c) * c.blockBytes);
  const mappedBytes = pages.mappedPages * PAGE_BYTES;
  const footprintBytes = pages.footprintPages * PAGE_BYTES;
  const freeRunBytes = footprintBytes - mappedBytes;
  const untouchedBytes = geometry.dataBytes - footprintBytes;
  const counter = (which: number) => PageHeapRecord.getCounter(f64, geometry.pageHeap, which);
  return {
    reservedBytes: geometry.bytes,
    footprintBytes,
    mappedBytes,
    peakFootprintBytes: pages.peakMappedPages * PAGE_BYTES,
    inUseBytes,
    cachedBytes: totalOf((c) => c.blocksCached),
    freeBlockBytes: totalOf((c) => c.blocksFree),
    spanTailBytes: sum(sizeClasses, (c, i) => c.spans * SPAN_TAIL_BYTES[i + 1]),
    freeRunBytes,
    untouchedBytes,
    metadataBytes: geometry.bytes - geometry.dataBytes,
    totalAllocatedBytes: totalOf((c) => c.allocations) + largeReading.allocatedBytes,
    totalFreedBytes: totalOf((c) => c.frees) + largeReading.freedBytes,
    allocations: 0,
    frees: 0,
    splits: counter(PageHeapRecord.SPLITS),
    coalesces: counter(PageHeapRecord.COALESCES),
    directMaps: counter(PageHeapRecord.DIRECT_MAPS),
    brkBytes: pages.brkPages * PAGE_BYTES,
    large,
    fragmentation: describeFragmentation(memory, {
      ...{ sizeClasses, large, inUseBytes, footprintBytes, freeRunBytes, untouchedBytes },
    }),
    locks: readLocks(memory),
    recovery: readRecovery(memory),
    contexts: cutContexts(totals, sizeClasses, large, inUseBytes),
    sizeClasses,
    threads: times(slots.length, (n) => describeThread(memory, slots[n], largeReading)),
  };
}

function describeClass(
  { f64 }: HeapMemory,
  slots: readonly SlotReading[],
  { spans }: PageReading,
  c: SizeClass,
): SizeClassStats {
  const frees = sum(slots, (slot) => slot.frees[c]);
  // A block that moved between two slots during the reading may have its free counted, but not yet
  // its allocation.
  const allocations = Math.max(
    frees,
    sum(slots, (slot) => slot.mallocs[c]),
  );
  const blocks = spans[c] * SPAN_BLOCKS[c];
  const blocksInUse = Math.min(allocations - frees, blocks);
  const blocksCached = cutCached(slots, c, blocks - blocksInUse);
  // Writers add the bytes before the request, so the bytes may be ahead: the mean is clamped to a
  // block.
  const requestedBytes = sum(slots, ({ record }) => SlotCounters.getSampledBytes(f64, record, c));
  const requests = sum(slots, ({ record }) => SlotCounters.getSampledRequests(f64, record, c));
  const mean = requests > 0 ? Math.min(BLOCK_BYTES[c], requestedBytes / requests) : null;
  return {
    blockBytes: BLOCK_BYTES[c],
    spans: spans[c],
    blocksInUse,
    blocksCached,
    blocksFree: blocks - blocksInUse - blocksCached,
    allocations,
    frees,
    sampledRequests: requests,
    requestBytesMean: mean,
    internalBytes: mean === null ? 0 : Math.round(blocksInUse * (BLOCK_BYTES[c] - mean)),
  };
}

/** Blocks in caches, at most `most`: a block that changed slots during the reading counts twice. */
function cutCached(slots: readonly SlotReading[], c: SizeClass, most: number): number {
  let left = most;
  for (const { cached } of slots) {
    cached[c] = Math.min(cached[c], left);
    left -= cached[c];
  }
  return most - left;
}

function describeLarge(
  memory: HeapMemory,
  slots: readonly SlotReading[],
  { mappedPages, spanPages }: PageReading,
  { allocations, frees, allocatedBytes, freedBytes }: LargeReading,
): LargeStats {
  const pages = mappedPages - spanPages;
  const blocksInUse = Math.min(allocations - frees, pages);
  const bytesInUse = Math.min(allocatedBytes - freedBytes, pages * PAGE_BYTES);
  const internal = estimateLargeInternal(memory, slots, blocksInUse);
  const internalBytes = Math.min(internal, bytesInUse);
  return { blocksInUse, bytesInUse, allocations, frees, internalBytes };
}

/** Bytes that rounding up to pages adds to `blocks` large blocks, by the mean of all so far. */
function estimateLargeInternal(
  { f64 }: HeapMemory,
  slots: readonly SlotReading[],
  blocks: number,
): number {
  const sumOf = (which: number) => sum(slots, ({ record }) => SlotCounters.get(f64, record, which));
  const roundingBytes = sumOf(SlotCounters.LARGE_ROUNDING_BYTES);
  const sizings = sumOf(SlotCounters.LARGE_SIZINGS);
  return sizings === 0 ? 0 : Math.round((blocks * roundingBytes) / sizings);
}

/**
 * Chunks are among the blocks in use, but those were read later: clamps chunks and bytes to them.
 */
function cutContexts(
  totals: ContextTotals,
  sizeClasses: readonly SizeClassStats[],
  large: LargeStats,
  inUseBytes: number,
): ContextTotals {
  const blocks = sum(sizeClasses, (c) => c.blocksInUse) + large.blocksInUse;
  const chunks = Math.min(totals.chunks, blocks);
  const bytes = Math.min(totals.bytes, inUseBytes);
  return { ...totals, chunks, bytes };
}

function describeThread(
  { i32, u32, f64, geometry }: HeapMemory,
  { index, record, mallocs, frees, cached }: SlotReading,
  { allocationsOf, freesOf }: LargeReading,
): ThreadStats {
  const counter = (which: number) => SlotCounters.get(f64, record, which);
  return {
    slot: index,
    threadId: Slot.getThreadId(u32, record),
    attached: Registry.loadOwner(i32, geometry.registry, index) !== 0,
    allocations: sum(mallocs) + (allocationsOf[index] ?? 0),
    frees: sum(frees) + (freesOf[index] ?? 0),
    refills: counter(SlotCounters.REFILLS),
    flushes: counter(SlotCounters.FLUSHES),
    cachedBytes: sum(cached, (blocks, c) => blocks * BLOCK_BYTES[c]),
  };
}

function readLocks({ f64, geometry }: HeapMemory): LockStats {
  const stats: LockStats = {
    acquisitions: 0,
    contentions: 0,
    waitNanoseconds: 0,
    longestWaitNanoseconds: 0,
    ownerDeaths: 0,
  };
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    const line = LockTable.at(geometry.locks, lock);
    const counter = (which: number) => LockTable.getCounter(f64, line, which);
    const longest = counter(LockTable.LONGEST_WAIT_NANOSECONDS);
    const deaths = counter(LockTable.OWNER_DEATHS);
    const contentions = counter(LockTable.CONTENTIONS);
    stats.longestWaitNanoseconds = Math.max(stats.longestWaitNanoseconds, longest);
    stats.waitNanoseconds += Math.max(longest, counter(LockTable.WAIT_NANOSECONDS));
    stats.ownerDeaths += deaths;
    stats.contentions += contentions;
    // A thread counts its takeover or wait first and its acquisition afterwards.
    stats.acquisitions += Math.max(deaths, contentions, counter(LockTable.ACQUISITIONS));
  }
  return stats;
}

function readRecovery({ f64, geometry }: HeapMemory): RecoveryStats {
  const recovered = (which: number) => Header.getRecovered(f64, geometry.header, which);
  let closed = 0;
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    closed += LockTable.getCounter(
      f64,
      LockTable.at(geometry.locks, lock),
      LockTable.CLOSED_BLOCKS,
    );
  }
  return {
    recoveries: recovered(Header.RECOVERED_SLOTS),
    blocksReturned: recovered(Header.RECOVERED_BLOCKS) + closed,
    runsReturned: recovered(Header.RECOVERED_RUNS),
    contextsReturned: recovered(Header.RECOVERED_CONTEXTS),
  };
}
