/**
 * Calls: what a thread's program calls, as functions of their own, which work without their object.
 *
 * Made by thread-heap.ts once per thread; debug/ puts its own in their place.
 */

import type { Address, WordIndex } from '../base/index.js';
import { createFastPath } from './fast-path.js';
import { usableSize } from './lookup.js';
import { realloc } from './realloc.js';
import { commit, commitOwned, reserveBlock, reservedBytes } from './reserve.js';
import { alignedAlloc, calloc } from './slow-path.js';
import type { ThreadHeap } from './thread-heap.js';

/** One thread's calls on one heap. The contract of each is in api/shared-heap.ts. */
export interface Calls {
  malloc(size: number): Address;
  free(address: Address): void;
  calloc(count: number, size: number): Address;
  realloc(address: Address, size: number): Address;
  alignedAlloc(alignment: number, size: number): Address;
  usableSize(address: Address, asked?: string): number;
  /**
   * The first half of an allocation: a block that belongs to nobody yet, and comes back by recovery
   * should the thread die; 0 when the heap is full. `apart`: a run of its own, whatever its size.
   */
  reserve(alignment: number, bytes: number, apart: boolean): Address;
  /** Usable bytes of what was reserved last. */
  reservedBytes(address: Address): number;
  /** The second half: hands out what was reserved last. */
  commit(address: Address): void;
  /**
   * The second half of an allocation for an object of the heap and not for the program: into a word that
   * has `old` so far (owned-blocks.ts). The intent stands from before.
   */
  commitOwned(address: Address, word: WordIndex, old: Address): void;
  /** Throws where the section would let nobody in. */
  pass(): void;
  /** The thread detaches: no call of these may touch its slot again. */
  close(): void;
}

export function createCalls(heap: ThreadHeap): Calls {
  const { malloc, free, close } = createFastPath(heap);
  return {
    malloc,
    free,
    calloc: (count, size) => calloc(heap, count, size),
    realloc: (address, size) => realloc(heap, address, size),
    alignedAlloc: (alignment, size) => alignedAlloc(heap, alignment, size),
    usableSize: (address, asked) => usableSize(heap, address, asked),
    reserve: (alignment, bytes, apart) => reserveBlock(heap, alignment, bytes, apart),
    reservedBytes: (address) => reservedBytes(heap, address),
    commit: (address) => commit(heap, address),
    commitOwned: (address, word, old) => commitOwned(heap, address, word, old),
    pass() {
      heap.section.enter();
      heap.section.leave();
    },
    close,
  };
}
