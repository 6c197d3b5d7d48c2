/**
 * Statistics: what the heap holds, where it is, and what was done with it.
 *
 * Called by face/. Any thread; takes no lock and stops nobody: counters are written by their owners
 * only, so sums may be a moment old and are never torn. Costs a read of every slot's counters,
 * about 20 microseconds, and no walk.
 *
 * What is not counted is derived. For each class, over all slots:
 *   in use = held - cached      held: blocks taken from spans less blocks given back
 *   frees  = mallocs - in use   so the fast path of free counts nothing
 * and for one slot frees = mallocs - held + cached, since blocks enter a cache by refill or free
 * and leave it by malloc or flush. Large blocks are the mapped runs that are no spans.
 *
 * I1  When threads are quiet: inUse + cached + free blocks + span tails + free runs + untouched
 *     reserve + metadata = reserved, to the byte (identityGap; verify() looks at it).
 */

import {
  BLOCK_BYTES,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type SlotIndex,
  SPAN_BLOCKS,
  SPAN_PAGES,
  SPAN_TAIL_BYTES,
  type WordIndex,
} from '../base/index.js';
import {
  ACQUISITIONS,
  CLOSED_BLOCKS,
  COALESCES,
  CONTENTIONS,
  classEntry,
  classRecord,
  DIRECT_MAPS,
  FLUSHES,
  getBaseline,
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
  getSlotCounter,
  getSpanCount,
  getThreadId,
  getTop,
  getUntouched,
  type HeapMemory,
  heapEntry,
  LARGE_FREES,
  LARGE_MALLOC_BYTES,
  LARGE_MALLOCS,
  LOCK_COUNT,
  LONGEST_WAIT_NANOSECONDS,
  type LockIndex,
  loadOwner,
  lockLine,
  OWNER_DEATHS,
  pageRecord,
  RECOVERED_BLOCKS,
  RECOVERED_RUNS,
  RECOVERED_SLOTS,
  REFILLS,
  runPages,
  SPLITS,
  setBaseline,
  setPeakMappedPages,
  slotEntry,
  slotRecord,
  stackBottom,
  usedSlots,
  WAIT_NANOSECONDS,
} from '../layout/index.js';

/** Lock counts, over all locks of the heap. */
export interface LockStats {
  acquisitions: number;
  /** How often the lock was taken, and the thread had to wait. */
  contentions: number;
  /** Waited in all, over all threads. */
  waitNanoseconds: number;
  /** The longest wait since the heap was made. */
  longestWaitNanoseconds: number;
  /** Locks whose owner had died: taken over, and what they guard repaired. */
  ownerDeaths: number;
}

/** What was taken back from threads that ended without detaching. */
export interface RecoveryStats {
  /** Slots of dead threads. */
  recoveries: number;
  /** Blocks that they had cached, or that were on their way to or from a cache. */
  blocksReturned: number;
  /** Runs that they were allocating or freeing. */
  runsReturned: number;
}

/** One size class. Blocks are live (in use), in some thread's cache, or free in a span. */
export interface SizeClassStats {
  blockBytes: number;
  spans: number;
  blocksInUse: number;
  blocksCached: number;
  blocksFree: number;
  allocations: number;
  frees: number;
}

/** One thread slot that is, or was, in use. Counts go on when another thread takes the slot over. */
export interface ThreadStats {
  slot: number;
  /** `threadId` of worker_threads: of the thread that has the slot now, or had it last. */
  threadId: number;
  attached: boolean;
  allocations: number;
  frees: number;
  refills: number;
  flushes: number;
  cachedBytes: number;
}

/** All sizes are in bytes; blocks count with their usable size. */
export interface HeapStats {
  /** Length of the heap. */
  reservedBytes: number;
  /** Data pages ever taken from the reserve: what the heap may have touched. Never falls. */
  footprintBytes: number;
  /** Data pages that belong to spans and large blocks now. */
  mappedBytes: number;
  /** The most mappedBytes since creation or resetStats(). */
  peakFootprintBytes: number;
  inUseBytes: number;
  /** In threads' caches, ready to be handed out. */
  cachedBytes: number;
  /** Free blocks in spans. */
  freeBlockBytes: number;
  /** Ends of spans, too short for a block. */
  spanTailBytes: number;
  /** Free runs of pages. */
  freeRunBytes: number;
  /** Data pages never taken. */
  untouchedBytes: number;
  /** Everything that is no data page. */
  metadataBytes: number;
  /** Allocated since creation or resetStats(), growth in place included. */
  totalAllocatedBytes: number;
  totalFreedBytes: number;
  allocations: number;
  frees: number;
  /** Runs split in two. */
  splits: number;
  /** Free runs joined with a neighbour. */
  coalesces: number;
  /** Runs of 128 KiB and more, taken from the top. */
  directMaps: number;
  /** How far spans and small runs have grown from the bottom. */
  brkBytes: number;
  /** Live large blocks (runs of their own, over 64 KiB), and what they hold. */
  large: { blocksInUse: number; bytesInUse: number; allocations: number; frees: number };
  locks: LockStats;
  recovery: RecoveryStats;
  sizeClasses: SizeClassStats[];
  threads: ThreadStats[];
}

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
} as const;
const ALLOCATIONS = 0;
const FREES = 1;
const SLOT_REFILLS = 2;
const SLOT_FLUSHES = 3;

/** The heap's statistics since creation or the last resetStats(). */
export function readStats(memory: HeapMemory): HeapStats {
  return sinceBaseline(memory, readRaw(memory));
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
  const raw = readRaw(memory);
  eachCounter(raw, (entry, value) => {
    setBaseline(f64, geometry.baseline, entry, value);
    return value;
  });
  setPeakMappedPages(i32, geometry.pageHeap, getMappedPages(i32, geometry.pageHeap));
}

function sinceBaseline({ f64, geometry }: HeapMemory, stats: HeapStats): HeapStats {
  // What is derived from counters read at different moments may fall behind for a moment.
  eachCounter(stats, (entry, value) =>
    Math.max(0, value - getBaseline(f64, geometry.baseline, entry)),
  );
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

/** Everything since the heap was made. */
function readRaw(memory: HeapMemory): HeapStats {
  const { i32, f64, geometry } = memory;
  const { pageHeap } = geometry;
  const slots = usedSlots(memory.u32, geometry.slots, geometry.threads);
  const sizeClasses = Array.from({ length: SIZE_CLASS_COUNT }, (_, i) =>
    readClass(memory, slots, (i + 1) as SizeClass),
  );
  const spanPages = sum(sizeClasses, (c, i) => c.spans * SPAN_PAGES[i + 1]);
  const spans = sum(sizeClasses, (c) => c.spans);
  const mappedPages = getMappedPages(i32, pageHeap);
  const largeBytes = (mappedPages - spanPages) * PAGE_BYTES;
  const largeBlocks = getMappedRuns(i32, pageHeap) - spans;
  const largeAllocations = sumSlots(memory, slots, LARGE_MALLOCS);
  const smallBytes = sum(sizeClasses, (c) => c.blocksInUse * c.blockBytes);
  const inUseBytes = smallBytes + largeBytes;
  const totalAllocatedBytes =
    sum(sizeClasses, (c) => c.allocations * c.blockBytes) +
    sumSlots(memory, slots, LARGE_MALLOC_BYTES);
  const untouchedBytes = readUntouchedPages(memory) * PAGE_BYTES;
  const mappedBytes = mappedPages * PAGE_BYTES;
  const counter = (which: number) => getPageHeapCounter(f64, pageHeap, which);
  return {
    reservedBytes: geometry.bytes,
    footprintBytes: geometry.dataBytes - untouchedBytes,
    mappedBytes,
    peakFootprintBytes: getPeakMappedPages(i32, pageHeap) * PAGE_BYTES,
    inUseBytes,
    cachedBytes: sum(sizeClasses, (c) => c.blocksCached * c.blockBytes),
    freeBlockBytes: sum(sizeClasses, (c) => c.blocksFree * c.blockBytes),
    spanTailBytes: sum(sizeClasses, (c, i) => c.spans * SPAN_TAIL_BYTES[i + 1]),
    freeRunBytes: geometry.dataBytes - untouchedBytes - mappedBytes,
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
    large: {
      blocksInUse: largeBlocks,
      bytesInUse: largeBytes,
      allocations: largeAllocations,
      frees: largeAllocations - largeBlocks,
    },
    locks: readLocks(memory),
    recovery: readRecovery(memory),
    sizeClasses,
    threads: slots.map((slot) => readThread(memory, slot)),
  };
}

function readClass(memory: HeapMemory, slots: SlotIndex[], c: SizeClass): SizeClassStats {
  const { i32, f64, geometry } = memory;
  let held = 0;
  let cached = 0;
  let mallocs = 0;
  for (const slotIndex of slots) {
    const slot = slotRecord(geometry.slots, slotIndex);
    held += getHeld(f64, slot, c);
    cached += cachedBlocks(memory, slot, c);
    mallocs += getMallocs(f64, slot, c);
  }
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
  };
}

function readThread(memory: HeapMemory, slotIndex: SlotIndex): ThreadStats {
  const { i32, u32, f64, geometry } = memory;
  const slot = slotRecord(geometry.slots, slotIndex);
  let allocations = getSlotCounter(f64, slot, LARGE_MALLOCS);
  let frees = getSlotCounter(f64, slot, LARGE_FREES);
  let cachedBytes = 0;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    const cached = cachedBlocks(memory, slot, c);
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
  };
}

function readUntouchedPages({ i32, geometry }: HeapMemory): number {
  const head = getUntouched(i32, geometry.pageHeap);
  if (head === 0) return 0;
  return runPages(getRun(i32, pageRecord(geometry.pageTable, head)));
}

function cachedBlocks({ u32 }: HeapMemory, slot: WordIndex, c: SizeClass): number {
  // 0 for a slot that is being attached for the first time.
  return Math.max(0, getTop(u32, slot, c) - stackBottom(slot, c));
}

function sumSlots({ f64, geometry }: HeapMemory, slots: SlotIndex[], counter: number): number {
  return sum(slots, (s) => getSlotCounter(f64, slotRecord(geometry.slots, s), counter));
}

function sum<T>(items: readonly T[], of: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + of(item, index), 0);
}
