/** heap: page heap, spans, caches, allocation and free. Imports base, layout, sync. */
export type { Calls } from './allocator.js';
export { attachCore, type HeapCore } from './core.js';
export { type Creation, createHeap } from './create.js';
export type { Diagnose } from './diagnose.js';
export type { Recovered } from './recover.js';
