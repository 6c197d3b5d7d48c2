/**
 * sh6bench: threads that allocate runs of one small size after the other, and free most of them at
 * once, a part in order and a part in reverse (MicroQuill, for SmartHeap, 1990s; newly written
 * after the description in mimalloc's tests).
 *
 * A round goes through bases 1, 2, 4, 7, ... below 1,000, and through each base's halves down to 1:
 * it allocates 250 blocks of sizes below 100, 50 of others, about 19,000 in all. The first and last
 * byte of a block are written. saved-ring.ts says where the blocks go, and when they are freed. As
 * in the original, threads share a fixed amount of work: with more of them each has fewer rounds
 * and a shorter ring.
 *
 * Threads do not interact, and most blocks are very small. What the number does not show: blocks
 * that other threads free, and random orders. An operation is a malloc and, later, its free.
 */

import { createSavedRing } from './saved-ring.js';
import type { Allocator, Outcome, Part, Program, Workload } from './workload.js';

const BASE_MAX = 1000;
const MANY_BYTES = 100;
const MANY = 250;
const FEW = 50;

export const sh6bench: Workload = {
  name: 'sh6bench',
  threads: 'many',
  deterministic: true,
  parameters: (size, threads) =>
    size === 'smoke'
      ? [Math.ceil(1000 / threads), Math.ceil(20 / threads)]
      : [Math.ceil(10_000 / threads), Math.ceil(900 / threads)],
  create,
};

function create(allocator: Allocator): Program {
  const { malloc, u8 } = allocator;
  const { open, put, close } = createSavedRing(allocator);

  function allocate(bytes: number, count: number, done: number): void {
    for (let n = done; n < done + count; n++) {
      const block = malloc(bytes);
      u8[block] = n;
      u8[block + bytes - 1] = n;
      put(block);
    }
  }

  /** Allocates all sizes of a round; returns the number of blocks by then. */
  function allocateAll(before: number): number {
    let done = before;
    for (let base = 1; base < BASE_MAX; base = ((base * 3) >>> 1) + 1) {
      for (let bytes = base; bytes > 0; bytes >>>= 1) {
        const count = bytes < MANY_BYTES ? MANY : FEW;
        allocate(bytes, count, done);
        done += count;
      }
    }
    return done;
  }

  function work({ parameters: [slots = 0, rounds = 0] }: Part): Outcome {
    open(slots);
    let operations = 0;
    for (let round = 0; round < rounds; round++) operations = allocateAll(operations);
    return { operations, checksum: close() };
  }

  return { work };
}
