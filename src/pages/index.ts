/** pages: runs of pages, spans of blocks and the caches of threads: the places of free memory. */

export { type HeapAccess, isStable, POST_MORTEM, walkAsFar } from './access.js';
export {
  largePages,
  notePeakLive,
  restartPeakLive,
  samplePeakLive,
  sumCached,
  sumHeld,
} from './live-bytes.js';
export { isLookDue, startLook } from './looks.js';
export { createPageHeap, DIRECT_PAGES_MIN, type PageHeap, type RunFit } from './page-heap.js';
export { createPartialLists } from './partial-lists.js';
export { createRecordPool, type RecordPool } from './record-pool.js';
export { createRetiredSpans, type RetiredSpans } from './retired-spans.js';
export { createRunBins } from './run-bins.js';
export { createSamples, type Samples } from './samples.js';
export { createSpans, type PageTools, type Spans } from './spans.js';
export { type Cache, createCache } from './thread-cache.js';
export { copyRunsLocked, findRunLocked, headOfLocked, walkRunsLocked } from './walk.js';
