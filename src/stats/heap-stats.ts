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
  /** Memory contexts that they owned, ended with all that was in them. */
  contextsReturned: number;
}

/**
 * Memory contexts: blocks of the heap that belong to objects in them. They are in use, so in
 * inUseBytes and their size classes, too.
 */
export interface ContextTotals {
  /** Contexts that there are, released ones included. */
  live: number;
  /** Roots that nobody owns, to be adopted. */
  released: number;
  /** Blocks that they have, and their bytes; but not the storage of shared vectors. */
  chunks: number;
  bytes: number;
}

/**
 * One size class. Blocks are live (in use), in some thread's cache, or free in a span. When threads are
 * quiet in use = allocations - frees, since the heap was made.
 */
export interface SizeClassStats {
  blockBytes: number;
  spans: number;
  blocksInUse: number;
  blocksCached: number;
  blocksFree: number;
  allocations: number;
  frees: number;
  /** How many requests for blocks of this class were sampled, since the heap was made. */
  sampledRequests: number;
  /** Their mean size; null where none was sampled, as where none was ever made. */
  requestBytesMean: number | null;
  /** blocksInUse times what a block has more than that: an estimate. */
  internalBytes: number;
}

/**
 * Blocks that are runs of their own, over 64 KiB. One that a thread was allocating or freeing when it
 * died counts as freed once no lock is held.
 */
export interface LargeStats {
  blocksInUse: number;
  bytesInUse: number;
  allocations: number;
  frees: number;
  /** blocksInUse times what rounding up to pages added on the average, since the heap was made. */
  internalBytes: number;
}

/**
 * How well the heap uses its memory. Sampled, so an estimate: what has to do with the sizes that
 * programs asked for (the calls that refilled a thread's cache tell theirs: the first of a class,
 * then one in 8 to 64), and the peak of live bytes. All else is exact when threads are quiet.
 */
export interface FragmentationStats {
  /**
   * Internal: bytes of live blocks that nobody asked for, since sizes are rounded up to a class, or
   * to whole pages. Sampled; of large blocks the mean of all sizes there ever were.
   */
  internalBytes: number;
  /** internalBytes of inUseBytes, 0 to 1; 0 where nothing is in use. */
  internalRatio: number;
  /**
   * The longest free run of pages. Of more than 64 runs of about its length it may be one that is
   * up to an eighth shorter. The untouched reserve is no free run.
   */
  largestFreeRunBytes: number;
  /** External: largestFreeRunBytes of freeRunBytes, 0 to 1; 1 where no run is free. */
  largestFreeRunRatio: number;
  /** The rest, 1 - largestFreeRunRatio: 0 where all free pages are in one piece. */
  externalRatio: number;
  /**
   * The longest run that can be had: the longest free one, or the untouched reserve with the free
   * runs on both sides of it. malloc of this many bytes succeeds, of more it answers 0, if nothing
   * is left in caches and spans that it could give back first.
   */
  largestFitBytes: number;
  /**
   * The most bytes in use since creation or resetStats(), as far as it was seen: by every stats(),
   * and by threads when the heap grows and at every 256th of their slow calls.
   */
  peakLiveBytes: number;
  /** footprintBytes over peakLiveBytes: what the heap costs for what it has to hold; 0 for 0. */
  footprintOverPeakLive: number;
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

/**
 * All sizes are in bytes; blocks count with their usable size. Exact when threads are quiet, but for
 * what is sampled. While they run: see SharedHeap.stats().
 */
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
  large: LargeStats;
  fragmentation: FragmentationStats;
  locks: LockStats;
  recovery: RecoveryStats;
  contexts: ContextTotals;
  sizeClasses: SizeClassStats[];
  threads: ThreadStats[];
}
