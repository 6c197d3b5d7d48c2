/** heap: page heap, spans, caches, allocation and free, recovery, verification. */
export type { Calls } from './allocator.js';
export { ALIGNMENT_MAX, requireAlignment, requireSize } from './arguments.js';
export { clearBytes, copyBytes } from './block-bytes.js';
export { type Attacher, attachCore, type HeapCore } from './core.js';
export { type Creation, createHeap } from './create.js';
export type { Diagnose } from './diagnose.js';
export { freeContext } from './end-objects.js';
export type { BlockPlace, Place, RunPlace } from './inspect.js';
export {
  BLOCKS_AT_ONCE,
  type Block,
  type BlockDetails,
  type BlockRegion,
  type BlockUser,
  type Eyes,
  eachBlock,
} from './known-block.js';
export { largePages, notePeakLive, restartPeakLive, samplePeakLive } from './live-bytes.js';
export type { Changing, Marks } from './marks.js';
export type { HeapListener, News } from './news.js';
export { clearNursery, nurseryOf } from './nursery.js';
export type { Fill, Placement } from './placement.js';
export { createRecordPool, type RecordPool } from './record-pool.js';
export type { Recovered } from './recover.js';
export { atEndOfTurn } from './turn.js';
export {
  addProblem,
  type VerifyOptions,
  type VerifyProblem,
  type VerifyReport,
} from './verify.js';
export {
  type ContextLabel,
  describeContext,
  describeOwner,
  nameContext,
  type Ownership,
  readLabel,
} from './whose-block.js';
