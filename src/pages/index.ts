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
export { DIRECT_PAGES_MIN, PageHeap, type RunFit } from './page-heap.js';
export type { PageTools } from './page-tools.js';
export { createPartialLists, type PartialLists } from './partial-lists.js';
export { createRecordPool, type RecordPool } from './record-pool.js';
export { RetiredSpans } from './retired-spans.js';
export { RunBins } from './run-bins.js';
export { createSamples, type Samples } from './samples.js';
export { Spans } from './spans.js';
export { Cache } from './thread-cache.js';
export { copyRunsLocked, findRunLocked, headOfLocked, walkRunsLocked } from './walk.js';
