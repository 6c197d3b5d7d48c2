/**
 * mem_*: the C manner, over the default heap. Entry `shmalloc/mem`.
 *
 * Any thread, with no wiring: importing this module in the main thread makes the default heap, and
 * every worker started after that finds it.
 */

import { markPublic } from '../base/index.js';
import type { PrintOptions } from '../options/index.js';
import { SharedHeap } from './shared-heap.js';

const heap = SharedHeap.current();

/** As SharedHeap.malloc: another name of mem_malloc_ts. */
export const mem_malloc = heap.malloc;
/** As SharedHeap.free. */
export const mem_free = heap.free;
/** As SharedHeap.calloc. */
export const mem_calloc = heap.calloc;
/** As SharedHeap.realloc. */
export const mem_realloc = heap.realloc;

/** As SharedHeap.malloc_ts: from any thread. */
export const mem_malloc_ts = heap.malloc_ts;
/** As SharedHeap.free_ts. */
export const mem_free_ts = heap.free_ts;
/** As SharedHeap.calloc_ts. */
export const mem_calloc_ts = heap.calloc_ts;
/** As SharedHeap.realloc_ts. */
export const mem_realloc_ts = heap.realloc_ts;

/** The default heap's statistics. */
export const mem_get_stats = () => heap.stats();
/** Prints them as a table. */
export const mem_print_stats = (options?: PrintOptions) => heap.inspect.print('stats', options);
/** Prints all live blocks, by zones. */
export const show_alloc_mem = (options?: PrintOptions) => heap.inspect.print('blocks', options);
/** Prints all live blocks, with the history or the first bytes of each. */
export const show_alloc_mem_ex = (options?: PrintOptions) =>
  heap.inspect.print('contents', options);
/** Starts the counts anew. Blocks stay as they are. */
export const mem_reset = () => heap.resetStats();
/** The default heap itself: its views, and all other calls. */
export const mem_heap = heap;

markPublic({ mem_malloc, mem_free, mem_calloc, mem_realloc });
