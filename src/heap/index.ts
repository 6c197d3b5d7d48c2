/** heap: the calls (malloc, free, calloc, realloc), and one thread's attachment to a heap. */

export { ALIGNMENT_MAX, requireAlignment, requireSize } from './arguments.js';
export { attachThreadHeap } from './attach.js';
export { clearBytes, copyBytes } from './block-bytes.js';
export type { Calls } from './calls.js';
export { createHeap } from './create.js';
export type { EventQueue, HeapListener } from './event-queue.js';
export { clearInFlightHeader, inFlightHeaderOf } from './in-flight-header.js';
export type { Changing } from './marks.js';
export { type Fill, OwnedBlocks } from './owned-blocks.js';
export type { ThreadHeap } from './thread-heap.js';
export { atEndOfTurn } from './turn.js';
