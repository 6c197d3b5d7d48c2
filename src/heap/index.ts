/** heap: page heap, spans, caches, allocation and free, recovery, verification. */
export type { Calls } from './allocator.js';
export { type Attacher, attachCore, type HeapCore } from './core.js';
export { type Creation, createHeap } from './create.js';
export type { Diagnose } from './diagnose.js';
export { largePages, restartPeakLive, samplePeakLive, sumCached, sumHeld } from './live-bytes.js';
export type { HeapListener } from './news.js';
export type { Recovered } from './recover.js';
export type { Block, VerifyOptions, VerifyProblem, VerifyReport } from './verify.js';
