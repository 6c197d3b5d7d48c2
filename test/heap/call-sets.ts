/**
 * The two sets of calls of a heap, as functions of their own; and what a refused call must leave as
 * it was.
 */

import type { Address, SharedHeap } from 'shmalloc';
import { metadataHash, statsButLocks } from '../helpers.js';

export interface Calls {
  malloc(size: number): Address;
  free(address: Address): void;
  calloc(count: number, size: number): Address;
  realloc(address: Address, size: number): Address;
  alignedAlloc(alignment: number, size: number): Address;
}

export const CALL_SETS: Record<string, (heap: SharedHeap) => Calls> = {
  'plain calls': (heap) => ({
    malloc: (size) => heap.malloc(size),
    free: (address) => heap.free(address),
    calloc: (count, size) => heap.calloc(count, size),
    realloc: (address, size) => heap.realloc(address, size),
    alignedAlloc: (alignment, size) => heap.alignedAlloc(alignment, size),
  }),
  '_ts calls': ({ malloc_ts, free_ts, calloc_ts, realloc_ts, alignedAlloc_ts }) => ({
    malloc: malloc_ts,
    free: free_ts,
    calloc: calloc_ts,
    realloc: realloc_ts,
    alignedAlloc: alignedAlloc_ts,
  }),
};

/** Everything that a refused call must leave as it was. */
export function snapshot(heap: SharedHeap): { stats: object; metadata: number } {
  return { stats: statsButLocks(heap), metadata: metadataHash(heap) };
}
