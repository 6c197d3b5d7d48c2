/** The calls of a heap under short names. */

import type { SharedHeap } from 'shmalloc';

export interface Calls {
  readonly malloc: SharedHeap['malloc_ts'];
  readonly free: SharedHeap['free_ts'];
  readonly calloc: SharedHeap['calloc_ts'];
  readonly realloc: SharedHeap['realloc_ts'];
  readonly alignedAlloc: SharedHeap['alignedAlloc_ts'];
}

export const callsOf = (heap: SharedHeap): Calls => ({
  malloc: heap.malloc_ts,
  free: heap.free_ts,
  calloc: heap.calloc_ts,
  realloc: heap.realloc_ts,
  alignedAlloc: heap.alignedAlloc_ts,
});
