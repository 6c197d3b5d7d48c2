/**
 * xmalloc-test: threads that only allocate, and threads that only free (Lever and Boreham 2000).
 *
 * Every other thread produces batches: a record with 4096 addresses, and as many blocks of 64
 * bytes, which it fills. It pushes them on a stack that a mutex guards, and waits while there are
 * 100. The others pop batches, and free the blocks and the record. So all blocks are freed by
 * another thread than the one that allocated them, and an allocator must take them back to where
 * they are needed. A single thread alternates: it produces 50 batches, then consumes them.
 *
 * The work is a fixed number of batches, for any number of threads. What the number does not show:
 * which of both sides was slower. The number of live blocks, and so the footprint, depends on that
 * and on chance. An operation is a malloc, the writes and a free.
 */

import { announce, lock, unlock, waitFor } from './sync.js';
import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  type Run,
  requirePayload,
  type Workload,
} from './workload.js';

const NAME = 'xmalloc-test';
const BATCHES_MAX = 100;
const BATCHES_ALONE = 50;
const FILLED_BYTES_MAX = 128;
const BODY_ROUNDS = 2048;

/**
 * Words at the root: the mutex, the stack's top, and the numbers of batches pushed and popped so
 * far.
 */
const MUTEX = 0;
const TOP = 1;
const PUSHED = 2;
const POPPED = 3;
const ROOT_WORDS = 4;

/** Words of a batch: the one below it, its number, then its blocks' addresses. */
const NEXT = 0;
const NUMBER = 1;
const BLOCKS = 2;

export const xmallocTest: Workload = {
  name: NAME,
  threads: 'many',
  deterministic: true,
  /** Batches in all, blocks of a batch, bytes of a block. */
  parameters: (size) => (size === 'smoke' ? [10, 4096, 64] : [1500, 4096, 64]),
  create,
};

function create({ malloc, free, calloc, u32, i32 }: Allocator): Program {
  /** Fills slots `from` to `to`, and the blocks with numbers from `first` on. */
  function allocate(slots: number, from: number, to: number, bytes: number, first: number): void {
    const filledWords = Math.min(bytes, FILLED_BYTES_MAX) >>> 2;
    for (let n = from; n < to; n++) {
      const block = malloc(bytes);
      const end = (block >>> 2) + filledWords;
      for (let word = block >>> 2; word < end; word++) i32[word] = first + n;
      u32[slots + n] = block;
    }
  }

  function release(slots: number, from: number, to: number, bytes: number, first: number): number {
    const lastWord = (Math.min(bytes, FILLED_BYTES_MAX) >>> 2) - 1;
    let sum = 0;
    for (let n = from; n < to; n++) {
      const block = u32[slots + n] as number;
      requirePayload(i32[block >>> 2] as number, first + n, NAME);
      sum = (sum + (i32[(block >>> 2) + lastWord] as number)) | 0;
      free(block);
    }
    return sum;
  }

  function push(root: number, batch: number): void {
    lock(i32, root + MUTEX);
    for (;;) {
      const popped = i32[root + POPPED] as number;
      if ((i32[root + PUSHED] as number) - popped < BATCHES_MAX) break;
      unlock(i32, root + MUTEX);
      waitFor(i32, root + POPPED, popped + 1);
      lock(i32, root + MUTEX);
    }
    u32[(batch >>> 2) + NEXT] = u32[root + TOP] as number;
    u32[root + TOP] = batch;
    announce(i32, root + PUSHED, (i32[root + PUSHED] as number) + 1);
    unlock(i32, root + MUTEX);
  }

  /** A batch, or 0 when all threads together have popped `batches`. */
  function pop(root: number, batches: number): number {
    lock(i32, root + MUTEX);
    for (;;) {
      const popped = i32[root + POPPED] as number;
      if (popped < (i32[root + PUSHED] as number)) break;
      unlock(i32, root + MUTEX);
      if (popped >= batches) return 0;
      waitFor(i32, root + PUSHED, popped + 1);
      lock(i32, root + MUTEX);
    }
    const batch = u32[root + TOP] as number;
    u32[root + TOP] = u32[(batch >>> 2) + NEXT] as number;
    announce(i32, root + POPPED, (i32[root + POPPED] as number) + 1);
    unlock(i32, root + MUTEX);
    return batch;
  }

  function produce(root: number, number: number, count: number, bytes: number): void {
    const batch = malloc((BLOCKS + count) * 4);
    u32[(batch >>> 2) + NUMBER] = number;
    for (let n = 0; n < count; n += BODY_ROUNDS) {
      const end = Math.min(n + BODY_ROUNDS, count);
      allocate((batch >>> 2) + BLOCKS, n, end, bytes, number * count);
    }
    push(root, batch);
  }

  /** Consumes until all threads together have popped `batches`. */
  function consume(root: number, batches: number, count: number, bytes: number): Outcome {
    let operations = 0;
    let checksum = 0;
    for (;;) {
      const batch = pop(root, batches);
      if (batch === 0) return { operations, checksum };
      const first = (u32[(batch >>> 2) + NUMBER] as number) * count;
      for (let n = 0; n < count; n += BODY_ROUNDS) {
        const end = Math.min(n + BODY_ROUNDS, count);
        const sum = release((batch >>> 2) + BLOCKS, n, end, bytes, first);
        checksum = (checksum + sum) | 0;
      }
      free(batch);
      operations += count;
    }
  }

  function alternate(root: number, batches: number, count: number, bytes: number): Outcome {
    const sum = { operations: 0, checksum: 0 };
    for (let from = 0; from < batches; from += BATCHES_ALONE) {
      const to = Math.min(from + BATCHES_ALONE, batches);
      for (let n = from; n < to; n++) produce(root, n, count, bytes);
      const { operations, checksum } = consume(root, to, count, bytes);
      sum.operations += operations;
      sum.checksum = (sum.checksum + checksum) | 0;
    }
    return sum;
  }

  function work({ index, threads, root, parameters }: Part): Outcome {
    const [batches = 0, count = 0, bytes = 0] = parameters;
    if (threads === 1) return alternate(root >>> 2, batches, count, bytes);
    if (index % 2 === 1) return consume(root >>> 2, batches, count, bytes);
    const producers = Math.ceil(threads / 2);
    for (let n = index / 2; n < batches; n += producers) produce(root >>> 2, n, count, bytes);
    return { operations: 0, checksum: 0 };
  }

  function finish(_: Run, root: number): number {
    free(root);
    return 0;
  }

  return { setup: () => calloc(ROOT_WORDS, 4), work, finish };
}
