/**
 * What statistics there are: their names and units. Filled in by counters.ts and stats.ts.
 */

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
