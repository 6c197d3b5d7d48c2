/**
 * glibc-simple: blocks of one size, freed half in order and half in reverse (glibc's benchtests,
 * bench-malloc-simple.c).
 *
 * For sizes of 16, 32 and 64 bytes and for 25, 100, 400 and 1600 blocks: allocates them all and
 * writes all of each, frees the first half in the order of allocation and the second half in
 * reverse. The repeats are such that each of the twelve allocates the same number of blocks.
 *
 * The original runs on the main thread before and after there is another thread, and on that other
 * one, since glibc takes locks from then on. Our heap makes no such difference, and both run on a
 * started thread. What the number does not show: which of the twelve was slow. An operation is a
 * malloc, the writes and a free.
 */

import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  requirePayload,
  type Workload,
} from './workload.js';

const NAME = 'glibc-simple';
const BLOCK_BYTES = [16, 32, 64] as const;
const BLOCKS_MAX = 1600;
const BLOCKS = [25, 100, 400, BLOCKS_MAX] as const;

export const glibcSimple: Workload = {
  name: NAME,
  threads: 'one',
  deterministic: true,
  /** Blocks that each of the twelve allocates in all: a multiple of 1600. */
  parameters: (size) => (size === 'smoke' ? [3200] : [960_000]),
  create,
};

function create({ malloc, free, u32, i32 }: Allocator): Program {
  function allocate(slots: number, blocks: number, bytes: number, mark: number): void {
    for (let n = 0; n < blocks; n++) {
      const block = malloc(bytes);
      const end = (block + bytes) >>> 2;
      for (let word = block >>> 2; word < end; word++) i32[word] = mark + n;
      u32[slots + n] = block;
    }
  }

  /** Frees a block, and returns its last word. */
  function release(slot: number, bytes: number, expected: number): number {
    const block = u32[slot] as number;
    requirePayload(i32[block >>> 2] as number, expected, NAME);
    const last = i32[((block + bytes) >>> 2) - 1] as number;
    free(block);
    return last;
  }

  function repeat(slots: number, blocks: number, bytes: number, mark: number): number {
    allocate(slots, blocks, bytes, mark);
    const half = blocks >>> 1;
    let sum = 0;
    for (let n = 0; n < half; n++) sum = (sum + release(slots + n, bytes, mark + n)) | 0;
    for (let n = blocks - 1; n >= half; n--) {
      sum = (sum + release(slots + n, bytes, mark + n)) | 0;
    }
    return sum;
  }

  function work({ index, parameters: [inAll = 0] }: Part): Outcome {
    const array = malloc(BLOCKS_MAX * 4);
    let checksum = 0;
    for (const bytes of BLOCK_BYTES) {
      for (const blocks of BLOCKS) {
        const repeats = Math.floor(inAll / blocks);
        for (let n = 0; n < repeats; n++) {
          const sum = repeat(array >>> 2, blocks, bytes, (index << 24) + n);
          checksum = (checksum + sum) | 0;
        }
      }
    }
    free(array);
    return { operations: BLOCK_BYTES.length * BLOCKS.length * inAll, checksum };
  }

  return { work };
}
