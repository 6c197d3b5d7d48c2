/**
 * threadtest: threads that do not interact (Berger et al. 2000, Hoard).
 *
 * Each thread repeatedly allocates a batch of 8-byte objects, writes both words of each, and frees
 * them all in the order of their allocation. All threads together have 10,000 objects and do the
 * same work for any number of threads: on N threads a run should take an Nth of its time on one.
 *
 * What the number does not show: blocks of more than one size, and blocks freed by other threads.
 * An operation is a malloc and its free.
 */

import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  requirePayload,
  type Workload,
} from './workload.js';

const NAME = 'threadtest';
const BODY_ROUNDS = 2000;

export const threadtest: Workload = {
  name: NAME,
  threads: 'many',
  deterministic: true,
  /** Rounds, objects of all threads, bytes of an object. */
  parameters: (size) => (size === 'smoke' ? [4, 10_000, 8] : [1200, 10_000, 8]),
  create,
};

function create({ malloc, free, u32, i32 }: Allocator): Program {
  function allocate(slots: number, from: number, to: number, bytes: number, seed: number): void {
    for (let n = from; n < to; n++) {
      const block = malloc(bytes);
      i32[block >>> 2] = n;
      i32[(block >>> 2) + 1] = seed;
      u32[slots + n] = block;
    }
  }

  function release(slots: number, from: number, to: number): number {
    let sum = 0;
    for (let n = from; n < to; n++) {
      const block = u32[slots + n] as number;
      const word = block >>> 2;
      requirePayload(i32[word] as number, n, NAME);
      sum = (sum + (i32[word + 1] as number)) | 0;
      free(block);
    }
    return sum;
  }

  function work({ index, threads, parameters }: Part): Outcome {
    const [rounds = 0, objects = 0, bytes = 0] = parameters;
    const count = Math.floor(objects / threads);
    const array = malloc(count * 4);
    const slots = array >>> 2;
    let checksum = 0;
    for (let round = 0; round < rounds; round++) {
      const seed = (index << 16) + round;
      for (let n = 0; n < count; n += BODY_ROUNDS) {
        allocate(slots, n, Math.min(n + BODY_ROUNDS, count), bytes, seed);
      }
      for (let n = 0; n < count; n += BODY_ROUNDS) {
        const sum = release(slots, n, Math.min(n + BODY_ROUNDS, count));
        checksum = (checksum + sum) | 0;
      }
    }
    free(array);
    return { operations: rounds * count, checksum };
  }

  return { work };
}
