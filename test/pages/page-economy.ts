/**
 * Shared by the tests of page economy: 1,024 blocks of 1,024 bytes, all written, take at most 290 pages of
 * 4 KiB, data and metadata together (the blocks alone are 256); freeing each block before the next is
 * allocated takes at most 10 pages more than an idle heap.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';

export const KIB = 1024;
export const GIB = 2 ** 30;
export const SYSTEM_PAGE_BYTES = 4 * KIB;
const BLOCKS = 1024;
const BLOCK_BYTES = 1024;
export const PAGES_MAX = 290;
export const IDLE_PAGES_MORE_MAX = 10;

/** Keeps heaps until the process ends, so that no mapping goes away between two counts. */
const kept: SharedHeap[] = [];

export function makeHeap(): SharedHeap {
  const heap = SharedHeap.create({ size: GIB + 40 * KIB, threads: 1 });
  kept.push(heap);
  return heap;
}

function write(heap: SharedHeap, p: number): void {
  heap.u8.fill(0x5a, p, p + BLOCK_BYTES);
}

export function allocateAll(heap: SharedHeap): void {
  for (let n = 0; n < BLOCKS; n++) write(heap, heap.malloc_ts(BLOCK_BYTES));
}

export function allocateOneByOne(heap: SharedHeap): void {
  for (let n = 0; n < BLOCKS; n++) {
    const p = heap.malloc_ts(BLOCK_BYTES);
    write(heap, p);
    heap.free_ts(p);
  }
}

test.after.always(() => {
  for (const heap of kept) heap.detach();
});
