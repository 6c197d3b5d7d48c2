/**
 * The ten calls of a heap: five, each under two names. They are properties, so that a program may keep
 * one in a variable: `const { malloc_ts } = heap`.
 *
 * SharedHeap has them; heap/calls.ts makes them.
 */

import type { Address } from '../base/index.js';
import type { ThreadHeap } from '../heap/index.js';

/** What a heap is there for. */
export interface HeapCalls {
  /**
   * Allocates a block of at least `size` bytes, with whatever they contain.
   * @param size bytes, a whole number from 0; 0 gives a smallest block
   * @returns the block's address, a multiple of 16; 0 when the heap is full: what this thread has
   *   cached was given back before, and what threads had that have been dead for longer than 5 ms (or
   *   20 times what it takes to look at all threads, 100 ms at most)
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE; HeapCorruptionError; HeapError
   *   ERR_SHMALLOC_DETACHED
   *
   * Threads: any, at any time. Cost: about 3 ns from the thread's cache; once in 16-64 calls
   * a lock and about 10 ns per block; over 64 KiB a lock and about 200 ns; about 1 microsecond in a
   * full heap as long as nothing comes back, and a look at all threads every 5 ms at most.
   */
  readonly malloc_ts: (size: number) => Address;
  /**
   * Frees a block that any thread allocated. `free_ts(0)` does nothing.
   * @param address what an allocation returned
   * @throws InvalidAddressError for anything but the start of a live block; nothing is changed
   *
   * Threads: any, at any time. Cost: as malloc_ts.
   */
  readonly free_ts: (address: number) => void;
  /**
   * Allocates `count * size` bytes, all zero.
   * @param count elements, a whole number from 0
   * @param size bytes of an element, a whole number from 0
   * @returns the block's address; 0 when the heap is full or the product is too large for it
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time. Cost: malloc_ts and about 20 ns per KiB.
   */
  readonly calloc_ts: (count: number, size: number) => Address;
  /**
   * Gives a block another size, keeping its contents up to the smaller one; it may move.
   * `realloc_ts(0, n)` is malloc_ts, `realloc_ts(p, 0)` frees and gives 0.
   * @param address a live block's, or 0
   * @param size bytes, a whole number from 0
   * @returns the block's address, or 0 when the heap is full: the old block is then untouched
   * @throws InvalidAddressError; TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time; the block is the caller's meanwhile. Cost: a few ns where the size
   * class stays, a copy where it does not; large blocks grow in place where there is room.
   */
  readonly realloc_ts: (address: number, size: number) => Address;
  /**
   * Allocates a block at a multiple of `alignment`.
   * @param alignment bytes, a power of two up to 65,536
   * @param size bytes, a whole number from 0
   * @returns the block's address; 0 when the heap is full
   * @throws RangeError ERR_SHMALLOC_INVALID_ALIGNMENT; TypeError, RangeError
   *   ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time. Cost: as malloc_ts, of a class that is a multiple of the alignment.
   */
  readonly alignedAlloc_ts: (alignment: number, size: number) => Address;

  /**
   * malloc_ts by another name: one function. There is nothing to save by leaving the safety away: the
   * fast path takes no lock, and slow paths without locks measured no faster.
   */
  readonly malloc: HeapCalls['malloc_ts'];
  /** free_ts by another name. */
  readonly free: HeapCalls['free_ts'];
  /** calloc_ts by another name. */
  readonly calloc: HeapCalls['calloc_ts'];
  /** realloc_ts by another name. */
  readonly realloc: HeapCalls['realloc_ts'];
  /** alignedAlloc_ts by another name. */
  readonly alignedAlloc: HeapCalls['alignedAlloc_ts'];
}

/** The calls of an attachment, the most used first: the first properties lie in the object itself. */
export function callsOf(core: ThreadHeap): HeapCalls {
  // They check an address themselves: a number will do.
  const { malloc, calloc, alignedAlloc } = core.shared;
  const free = core.shared.free as HeapCalls['free'];
  const realloc = core.shared.realloc as HeapCalls['realloc'];
  return {
    malloc_ts: malloc,
    free_ts: free,
    calloc_ts: calloc,
    realloc_ts: realloc,
    alignedAlloc_ts: alignedAlloc,
    malloc,
    free,
    calloc,
    realloc,
    alignedAlloc,
  };
}

/**
 * Descriptors of properties that are not enumerable: a program that compares or prints two heaps would
 * otherwise get all their bytes.
 */
export const hidden = (values: object): PropertyDescriptorMap =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      // Without a prototype: a program may have put a getter named `get` on Object.prototype.
      { __proto__: null, value, enumerable: false, writable: true, configurable: true },
    ]),
  );
