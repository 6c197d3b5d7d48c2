/**
 * The statistics of a heap: their names and units. Filled in by counters.ts and stats.ts.
 */

/** Counts of all locks of the heap together. */
export interface LockStats {
  acquisitions: number;
  /** Acquisitions for which the thread had to wait. */
  contentions: number;
  /** Total wait of all threads. */
  waitNanoseconds: number;
  /** The longest wait since the heap's creation. */
  longestWaitNanoseconds: number;
  /** Locks taken over from dead owners; what each guards was repaired. */
  ownerDeaths: number;
}

/** What recovery took back from threads that ended without detaching. */
export interface RecoveryStats {
  /** Slots of dead threads. */
  recoveries: number;
  /** Blocks in caches of dead threads, or in transit to or from one. */
  blocksReturned: number;
  /** Runs that dead threads were allocating or freeing. */
  runsReturned: number;
  /** Memory contexts of dead threads, ended with all their objects. */
  contextsReturned: number;
}

/**
 * Memory contexts and their chunks. Chunks are blocks in use: inUseBytes and the size classes
 * include them.
 */
export interface ContextTotals {
  /** Contexts that have not ended, released ones included. */
  live: number;
  /** Root contexts without an owner, which a thread can adopt. */
  released: number;
  /** Chunks of contexts, and their bytes; the storage of shared vectors is not included. */
  chunks: number;
  bytes: number;
}

/**
 * One size class. A block is live (in use), in a thread's cache, or free in a span. When threads
 * are quiet, in use = allocations - frees since the heap's creation.
 */
export interface SizeClassStats {
  blockBytes: number;
  spans: number;
  blocksInUse: number;
  blocksCached: number;
  blocksFree: number;
  allocations: number;
  frees: number;
  /** Sampled requests for blocks of this class since the heap's creation. */
  sampledRequests: number;
  /** Mean size of the sampled requests, in bytes; null if none was sampled. */
  requestBytesMean: number | null;
  /** blocksInUse times (blockBytes - requestBytesMean): an estimate. */
  internalBytes: number;
}

/**
 * Blocks over 64 KiB; each is a run of its own. A block that a thread was allocating or freeing
 * when it died counts as freed as soon as no lock is held.
 */
export interface LargeStats {
  blocksInUse: number;
  bytesInUse: number;
  allocations: number;
  frees: number;
  /** blocksInUse times the mean bytes added by rounding up to pages, since the heap's creation. */
  internalBytes: number;
}

/**
 * How well the heap uses its memory. Figures about requested sizes are estimates from a sample:
 * calls that refill a thread's cache record their size (the first call of a class, then one in 8 to
 * 64). The peak of live bytes is sampled too. All other figures are exact when threads are quiet.
 */
export interface FragmentationStats {
  /**
   * Internal fragmentation: bytes of live blocks that were not requested, because sizes are rounded
   * up to a class or to whole pages. Sampled; for large blocks the mean of all sizes so far is
   * used.
   */
  internalBytes: number;
  /** internalBytes / inUseBytes, 0 to 1; 0 if nothing is in use. */
  internalRatio: number;
  /**
   * The longest free run of pages. If more than 64 free runs are of about this length, the true
   * longest run may be up to an eighth longer. The untouched reserve is not a free run.
   */
  largestFreeRunBytes: number;
  /** largestFreeRunBytes / freeRunBytes, 0 to 1; 1 if no run is free. */
  largestFreeRunRatio: number;
  /** External fragmentation, 1 - largestFreeRunRatio: 0 if all free pages are in one run. */
  externalRatio: number;
  /**
   * The longest run that can be allocated: the longest free run, or the untouched reserve with the
   * free runs on both sides of it. malloc of this many bytes succeeds; malloc of more returns 0,
   * unless caches and spans have pages that they can give back first.
   */
  largestFitBytes: number;
  /**
   * The most bytes in use that were seen since creation or resetStats(). Every stats() looks, and
   * so does a thread when the heap grows and at every 256th of its slow calls.
   */
  peakLiveBytes: number;
  /** footprintBytes / peakLiveBytes: the cost of what the heap has to hold; 0 if the peak is 0. */
  footprintOverPeakLive: number;
}

/**
 * One thread slot that was ever in use. Its counts go on when another thread takes the slot over.
 */
export interface ThreadStats {
  slot: number;
  /** `threadId` (worker_threads) of the thread that has the slot now, or had it last. */
  threadId: number;
  attached: boolean;
  allocations: number;
  frees: number;
  refills: number;
  flushes: number;
  cachedBytes: number;
}

/**
 * All sizes are in bytes; a block counts with its usable size. Exact when threads are quiet, except
 * for sampled figures. For figures read while threads run, see SharedHeap.stats().
 */
export interface HeapStats {
  /** Length of the heap, in bytes. */
  reservedBytes: number;
  /**
   * Data pages ever taken from the reserve: the most memory that the heap can have touched. Never
   * falls.
   */
  footprintBytes: number;
  /** Data pages in spans and large blocks now. */
  mappedBytes: number;
  /** The most mappedBytes since creation or resetStats(). */
  peakFootprintBytes: number;
  inUseBytes: number;
  /** Blocks in threads' caches, ready to be handed out. */
  cachedBytes: number;
  /** Free blocks in spans. */
  freeBlockBytes: number;
  /** Ends of spans that are too short for a block. */
  spanTailBytes: number;
  /** Free runs of pages. */
  freeRunBytes: number;
  /** Data pages never used. */
  untouchedBytes: number;
  /** All bytes outside of data pages. */
  metadataBytes: number;
  /** Bytes allocated since creation or resetStats(), growth in place included. */
  totalAllocatedBytes: number;
  totalFreedBytes: number;
  allocations: number;
  frees: number;
  /** Runs split in two. */
  splits: number;
  /** Free runs joined with a neighbour. */
  coalesces: number;
  /** Runs of 128 KiB and more, taken from the top of the reserve. */
  directMaps: number;
  /** Bytes from the first data page to the end of the spans and small runs, which grow upwards. */
  brkBytes: number;
  /** Live blocks over 64 KiB, each a run of its own. */
  large: LargeStats;
  fragmentation: FragmentationStats;
  locks: LockStats;
  recovery: RecoveryStats;
  contexts: ContextTotals;
  sizeClasses: SizeClassStats[];
  threads: ThreadStats[];
}
