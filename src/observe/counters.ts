/**
 * Counters: adds up what the threads of a heap have counted since it was made.
 *
 * Called by stats.ts. Any thread; takes no lock and stops nobody: counters are written by their
 * owners only, so sums may be a moment old and are never torn. Costs a read of every slot's
 * counters, about 20 microseconds, and no walk; and of every context's, some 20 ns each.
 *
 * What is not counted is derived. For each class, over all slots:
 *   in use = held - cached      held: blocks taken from spans less blocks given back
 *   frees  = mallocs - in use   so the fast path of free counts nothing
 * and for one slot frees = mallocs - held + cached, since blocks enter a cache by refill or free
 * and leave it by malloc or flush. Large blocks are the mapped runs that are no spans. What
 * programs asked for is known of a sample of their calls (heap/samples.ts).
 */

import {
  BLOCK_BYTES,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type SlotIndex,
  SPAN_BLOCKS,
  SPAN_TAIL_BYTES,
  type WordIndex,
} from '../base/index.js';
import { largePages, sumCached, sumHeld } from '../heap/index.js';
import {
  ACQUISITIONS,
  CLOSED_BLOCKS,
  COALESCES,
  CONTENTIONS,
  cachedBlocks,
  classRecord,
  DIRECT_MAPS,
  FLUSHES,
  getBrk,
  getHeld,
  getLockCounter,
  getMallocs,
  getMappedPages,
  getMappedRuns,
  getPageHeapCounter,
  getPeakMappedPages,
  getRecovered,
  getRun,
  getSampledBytes,
  getSampledRequests,
  getSlotCounter,
  getSpanCount,
  getThreadId,
  getUntouched,
  type HeapMemory,
  LARGE_FREES,
  LARGE_MALLOC_BYTES,
  LARGE_MALLOCS,
  LARGE_ROUNDING_BYTES,
  LARGE_SIZINGS,
  LOCK_COUNT,
  LONGEST_WAIT_NANOSECONDS,
  type LockIndex,
  loadOwner,
  lockLine,
  OWNER_DEATHS,
  pageRecord,
  RECOVERED_BLOCKS,
  RECOVERED_CONTEXTS,
  RECOVERED_RUNS,
  RECOVERED_SLOTS,
  REFILLS,
  runPages,
  SPLITS,
  slotRecord,
  usedSlots,
  WAIT_NANOSECONDS,
} from '../layout/index.js';
import { countContexts } from './context-tree.js';
import { describeFragmentation } from './fragmentation.js';
import type {
  HeapStats,
  LockStats,
  RecoveryStats,
  SizeClassStats,
  ThreadStats,
} from './heap-stats.js';

/** Everything since the heap was made. */
export function readCounters(memory: HeapMemory): HeapStats {
  const { i32, f64, geometry } = memory;
  const { pageHeap } = geometry;
  const slots = usedSlots(memory.u32, geometry.slots, geometry.threads);
  const records = slots.map((slot) => slotRecord(geometry.slots, slot));
  const sizeClasses = Array.from({ length: SIZE_CLASS_COUNT }, (_, i) =>
    readClass(memory, records, (i + 1) as SizeClass),
  );
  const spans = sum(sizeClasses, (c) => c.spans);
  const mappedPages = getMappedPages(i32, pageHeap);
  const largeBytes = largePages(memory) * PAGE_BYTES;
  const largeBlocks = getMappedRuns(i32, pageHeap) - spans;
  const largeAllocations = sumSlots(memory, records, LARGE_MALLOCS);
  const smallBytes = sum(sizeClasses, (c) => c.blocksInUse * c.blockBytes);
  const inUseBytes = smallBytes + largeBytes;
  const totalAllocatedBytes =
    sum(sizeClasses, (c) => c.allocations * c.blockBytes) +
    sumSlots(memory, records, LARGE_MALLOC_BYTES);
  const untouchedBytes = readUntouchedPages(memory) * PAGE_BYTES;
  const mappedBytes = mappedPages * PAGE_BYTES;
  const counter = (which: number) => getPageHeapCounter(f64, pageHeap, which);
  const footprintBytes = geometry.dataBytes - untouchedBytes;
  const freeRunBytes = footprintBytes - mappedBytes;
  const large = {
    blocksInUse: largeBlocks,
    bytesInUse: largeBytes,
    allocations: largeAllocations,
    frees: largeAllocations - largeBlocks,
    internalBytes: estimateLargeInternal(memory, records, largeBlocks),
  };
  const fragmentation = describeFragmentation(memory, {
    sizeClasses,
    large,
    inUseBytes,
    footprintBytes,
    freeRunBytes,
  });
  return {
    reservedBytes: geometry.bytes,
    footprintBytes,
    mappedBytes,
    peakFootprintBytes: getPeakMappedPages(i32, pageHeap) * PAGE_BYTES,
    inUseBytes,
    cachedBytes: sum(sizeClasses, (c) => c.blocksCached * c.blockBytes),
    freeBlockBytes: sum(sizeClasses, (c) => c.blocksFree * c.blockBytes),
    spanTailBytes: sum(sizeClasses, (c, i) => c.spans * SPAN_TAIL_BYTES[i + 1]),
    freeRunBytes,
    untouchedBytes,
    metadataBytes: geometry.bytes - geometry.dataBytes,
    totalAllocatedBytes,
    totalFreedBytes: totalAllocatedBytes - inUseBytes,
    allocations: 0,
    frees: 0,
    splits: counter(SPLITS),
    coalesces: counter(COALESCES),
    directMaps: counter(DIRECT_MAPS),
    brkBytes: (getBrk(i32, pageHeap) - geometry.firstPage) * PAGE_BYTES,
    large,
    fragmentation,
    locks: readLocks(memory),
    recovery: readRecovery(memory),
    contexts: countContexts(memory),
    sizeClasses,
    threads: slots.map((slot) => readThread(memory, slot)),
  };
}

function readClass(memory: HeapMemory, slots: readonly WordIndex[], c: SizeClass): SizeClassStats {
  const { i32, f64, geometry } = memory;
  const held = sumHeld(memory, slots, c);
  const cached = sumCached(memory, slots, c);
  const mallocs = sum(slots, (slot) => getMallocs(f64, slot, c));
  const requests = sum(slots, (slot) => getSampledRequests(f64, slot, c));
  const requestedBytes = sum(slots, (slot) => getSampledBytes(f64, slot, c));
  const mean = requests > 0 ? requestedBytes / requests : null;
  const spans = getSpanCount(i32, classRecord(geometry.classes, c));
  const blocksInUse = held - cached;
  return {
    blockBytes: BLOCK_BYTES[c],
    spans,
    blocksInUse,
    blocksCached: cached,
    blocksFree: spans * SPAN_BLOCKS[c] - held,
    allocations: mallocs,
    frees: mallocs - blocksInUse,
    sampledRequests: requests,
    requestBytesMean: mean,
    internalBytes: mean === null ? 0 : wholeBytes(blocksInUse * (BLOCK_BYTES[c] - mean)),
  };
}

/** What rounding up to pages adds to so many large blocks, if they are as all that there were. */
function estimateLargeInternal(
  memory: HeapMemory,
  slots: readonly WordIndex[],
  blocks: number,
): number {
  const sizings = sumSlots(memory, slots, LARGE_SIZINGS);
  if (sizings === 0) return 0;
  return wholeBytes((blocks * sumSlots(memory, slots, LARGE_ROUNDING_BYTES)) / sizings);
}

/** Counts read at different moments may fall short of each other. */
const wholeBytes = (bytes: number): number => Math.max(0, Math.round(bytes));

function readThread(memory: HeapMemory, slotIndex: SlotIndex): ThreadStats {
  const { i32, u32, f64, geometry } = memory;
  const slot = slotRecord(geometry.slots, slotIndex);
  let allocations = getSlotCounter(f64, slot, LARGE_MALLOCS);
  let frees = getSlotCounter(f64, slot, LARGE_FREES);
  let cachedBytes = 0;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    const cached = cachedBlocks(u32, slot, c);
    const mallocs = getMallocs(f64, slot, c);
    allocations += mallocs;
    frees += mallocs - getHeld(f64, slot, c) + cached;
    cachedBytes += cached * BLOCK_BYTES[c];
  }
  return {
    slot: slotIndex,
    threadId: getThreadId(u32, slot),
    attached: loadOwner(i32, geometry.registry, slotIndex) !== 0,
    allocations,
    frees,
    refills: getSlotCounter(f64, slot, REFILLS),
    flushes: getSlotCounter(f64, slot, FLUSHES),
    cachedBytes,
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
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    const line = lockLine(geometry.locks, lock);
    stats.acquisitions += getLockCounter(f64, line, ACQUISITIONS);
    stats.contentions += getLockCounter(f64, line, CONTENTIONS);
    stats.waitNanoseconds += getLockCounter(f64, line, WAIT_NANOSECONDS);
    stats.ownerDeaths += getLockCounter(f64, line, OWNER_DEATHS);
    const longest = getLockCounter(f64, line, LONGEST_WAIT_NANOSECONDS);
    stats.longestWaitNanoseconds = Math.max(stats.longestWaitNanoseconds, longest);
  }
  return stats;
}

function readRecovery({ f64, geometry }: HeapMemory): RecoveryStats {
  const recovered = (which: number) => getRecovered(f64, geometry.header, which);
  let closed = 0;
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    closed += getLockCounter(f64, lockLine(geometry.locks, lock), CLOSED_BLOCKS);
  }
  return {
    recoveries: recovered(RECOVERED_SLOTS),
    blocksReturned: recovered(RECOVERED_BLOCKS) + closed,
    runsReturned: recovered(RECOVERED_RUNS),
    contextsReturned: recovered(RECOVERED_CONTEXTS),
  };
}

function readUntouchedPages({ i32, geometry }: HeapMemory): number {
  const head = getUntouched(i32, geometry.pageHeap);
  if (head === 0) return 0;
  return runPages(getRun(i32, pageRecord(geometry.pageTable, head)));
}

function sumSlots({ f64 }: HeapMemory, slots: readonly WordIndex[], counter: number): number {
  return sum(slots, (slot) => getSlotCounter(f64, slot, counter));
}

/** The sum over some items. */
export function sum<T>(items: readonly T[], of: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + of(item, index), 0);
}
