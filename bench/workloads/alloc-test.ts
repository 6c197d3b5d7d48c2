/**
 * alloc-test: a program with few hot and many cold blocks, which it writes and reads in full
 * (Hare and others of OLogN, alloc-test, 2018).
 *
 * Each thread owns a part of the slots, half of them filled at first. An operation picks a slot: if
 * it is full, the operation reads all bytes and frees the block; if it is empty, it puts a new
 * block in and writes all bytes. Slots are picked by Pareto's law, 80 to 20, six levels deep: a
 * quarter of all operations go to 0.0064 % of the slots, and 0.0064 % of the operations to the last
 * quarter. Sizes are 5 to 8 bytes for every other block, 9 to 16 for every fourth, and so on up to
 * 1,024.
 *
 * The original has random numbers of 64 bits, and slot and size are parts of one; here each is a
 * number of 32 bits. Memory is written and read as words, and the rest as bytes: as bytes alone the
 * loops would weigh more than the heap. The time includes filling half of the slots, and emptying
 * them at the end. What the number does not show: the heap alone, since the time includes reading
 * and writing for every allocator; and blocks that other threads free.
 */

import { seedFrom } from './random.js';
import type { Allocator, Outcome, Part, Program, Workload } from './workload.js';

const SEED = 41;
const BODY_ROUNDS = 2000;

/**
 * Probability of each level. A level has a share of the slots equal to the probability of its
 * opposite.
 */
const LEVELS = [0.262144, 0.393216, 0.24576, 0.08192, 0.01536, 0.001536, 0.000064] as const;
const LEVEL_LAST = LEVELS.length - 1;
/** A draw of 31 bits below `limits[level]` means this level or one before. */
const limits = Int32Array.from(LEVELS, (_, level) => {
  const sum = LEVELS.slice(0, level + 1).reduce((total, one) => total + one, 0);
  return Math.min(2 ** 31 * sum, 2 ** 31 - 1);
});

export const allocTest: Workload = {
  name: 'alloc-test',
  threads: 'many',
  deterministic: true,
  parameters: (size, threads) =>
    size === 'smoke'
      ? [2 ** 14, 100_000]
      : [Math.max(2 ** 14, Math.floor(2 ** 18 / threads)), 7_000_000],
  create,
};

function create({ malloc, free, i32, u8, u32 }: Allocator): Program {
  /** First slot of each level, and its number of slots. */
  const first = new Int32Array(LEVELS.length);
  const length = new Int32Array(LEVELS.length);
  let state = 0;
  let sum = 0;

  function layOut(count: number): void {
    let end = 0;
    for (let level = 0; level <= LEVEL_LAST; level++) {
      const part = Math.max(1, Math.floor(count * (LEVELS[LEVEL_LAST - level] as number)));
      first[level] = end;
      length[level] = level === LEVEL_LAST ? count - end : part;
      end += part;
    }
  }

  /** A new block, filled: its size and its content follow from a random number. */
  function make(slot: number, x: number): void {
    const low = (x & 127) + 1;
    const span = 4 << (31 - Math.clz32(low & -low));
    const bytes = ((x >>> 7) & (span - 1)) + 1 + span;
    const block = malloc(bytes);
    const word = block >>> 2;
    const words = bytes >>> 2;
    for (let n = 0; n < words; n++) i32[word + n] = x;
    for (let n = words << 2; n < bytes; n++) u8[block + n] = x;
    u32[slot] = block;
    u32[slot + 1] = bytes;
  }

  function drop(slot: number): void {
    const block = u32[slot] as number;
    const bytes = u32[slot + 1] as number;
    const word = block >>> 2;
    const words = bytes >>> 2;
    let read = 0;
    for (let n = 0; n < words; n++) read = (read + (i32[word + n] as number)) | 0;
    for (let n = words << 2; n < bytes; n++) read = (read + (u8[block + n] as number)) | 0;
    sum = (sum + read) | 0;
    free(block);
    u32[slot] = 0;
  }

  function operate(slots: number, rounds: number): void {
    let x = state;
    for (let n = 0; n < rounds; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const draw = x >>> 1;
      let level = 0;
      while (level < LEVEL_LAST && draw >= (limits[level] as number)) level++;
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const place = (first[level] as number) + ((x >>> 8) % (length[level] as number));
      const slot = slots + (place << 1);
      if (u32[slot] !== 0) {
        drop(slot);
        continue;
      }
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      make(slot, x);
    }
    state = x;
  }

  function fillHalf(slots: number, count: number): void {
    let x = state;
    for (let n = 0; n < count; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      if (x < 0) make(slots + (n << 1), x);
      else u32[slots + (n << 1)] = 0;
    }
    state = x;
  }

  function dropAll(slots: number, count: number): void {
    for (let n = 0; n < count; n++) {
      if (u32[slots + (n << 1)] !== 0) drop(slots + (n << 1));
    }
  }

  function work({ index, parameters: [count = 0, rounds = 0] }: Part): Outcome {
    const address = malloc(count * 8);
    const slots = address >>> 2;
    const inBodies = (all: number, body: (from: number, rounds: number) => void) => {
      for (let n = 0; n < all; n += BODY_ROUNDS) body(n, Math.min(BODY_ROUNDS, all - n));
    };
    layOut(count);
    state = seedFrom(SEED, index) | 0;
    sum = 0;
    inBodies(count, (from, some) => fillHalf(slots + (from << 1), some));
    inBodies(rounds, (_, some) => operate(slots, some));
    inBodies(count, (from, some) => dropAll(slots + (from << 1), some));
    free(address);
    return { operations: rounds, checksum: sum >>> 0 };
  }

  return { work };
}
