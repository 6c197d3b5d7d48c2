/**
 * mstress: blocks that move between threads and outlive them (Leijen, mimalloc's stress test).
 *
 * In each round every thread makes 100 x scale x (index % 8 + 1) blocks, and half as many that it
 * retains to the end of the round. After each it frees a random block with 67 %, and with 26 %
 * swaps one for the content of a random slot that all threads share. Blocks have a power of two of
 * 8-byte items, up to 16, retained ones up to 64; one in fifty is 100, 1,000 or 10,000 times as
 * long. Each is written from end to end, and verified from end to end when it is freed. Between
 * rounds half of the shared slots are emptied, so that some blocks live on.
 *
 * Which thread frees a block depends on the threads' speed, but each is freed once: the checksum is
 * the length of all freed blocks.
 *
 * Here a round is a turn of the same worker, with a barrier after it; in the C twin each round has
 * new threads, as in the original. What the number does not show: threads that end. About half of
 * the time is writing and verifying, which C does faster, not the allocator. Where the original has
 * 64 bits, in its generator and its contents, here and in the twin there are 32; the number of
 * bytes is the same. An operation is a malloc and its free.
 */

import { seedFrom } from './random.js';
import { arrive } from './sync.js';
import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  type Run,
  requirePayload,
  type Workload,
} from './workload.js';

const SEED = 43;
const TRANSFERS = 1000;
const ALLOCATIONS_PER_SCALE = 100;
const ITEM_BYTES = 8;
const ITEM_WORDS = 2;
/** Number of powers of two for the items of a block. */
const SHIFTS = 5;
const RETAINED_SHIFTS = 7;
/** Number of places by which the list of blocks grows. */
const GROWTH = 100_000;
const COOKIE = 0x1ce4e5b9;
const BODY_ROUNDS = 2000;

/** Words at the root: the barrier, on its own cache line, and the slots that all share. */
const BARRIER = 0;
const SLOTS = 16;

export const mstress: Workload = {
  name: 'mstress',
  threads: 'many',
  deterministic: true,
  /** Scale, rounds. */
  parameters: (size) => (size === 'smoke' ? [20, 4] : [50, 25]),
  create,
};

function create({ malloc, free, calloc, realloc, u32, i32 }: Allocator): Program {
  /** State of an inlined xorshift: each round starts it again. */
  let x = SEED;
  let checksum = 0;
  /** Number of blocks still to be made in this round. */
  let toMake = 0;
  let toRetain = 0;
  /** Two lists in the heap: blocks that may be freed or swapped, and retained blocks. */
  let list = 0;
  let listRoom = 0;
  let listLength = 0;
  let retained = 0;
  let retainedLength = 0;

  /** A number below `count`, which is small. */
  function pick(count: number): number {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 8) % count;
  }

  /** As in the original: true in one more of a hundred cases than it says. */
  function chance(percent: number): boolean {
    return pick(100) <= percent;
  }

  function inflation(): number {
    if (!chance(1)) return 1;
    if (chance(1)) return 10_000;
    return chance(10) ? 1000 : 100;
  }

  /** Writes into each word the number of words from it to the end. */
  function fill(first: number, words: number): void {
    for (let n = 0; n < words; n++) u32[first + n] = (words - n) ^ COOKIE;
  }

  function verify(first: number, words: number): void {
    for (let n = 1; n < words; n++) {
      const found = (u32[first + n] as number) ^ COOKIE;
      if (found !== words - n) requirePayload(found, words - n, 'mstress');
    }
  }

  function make(shifts: number): number {
    const items = (1 << pick(shifts)) * inflation();
    const block = malloc(items * ITEM_BYTES);
    fill(block >>> 2, items * ITEM_WORDS);
    return block;
  }

  function verifyAndFree(block: number): void {
    if (block === 0) return;
    const words = (u32[block >>> 2] as number) ^ COOKIE;
    verify(block >>> 2, words);
    checksum = (checksum + words) | 0;
    free(block);
  }

  function append(block: number): void {
    if (listLength === listRoom) {
      listRoom += GROWTH;
      list = list === 0 ? malloc(listRoom * 4) : realloc(list, listRoom * 4);
    }
    u32[(list >>> 2) + listLength] = block;
    listLength++;
  }

  function step(slots: number): void {
    if (toRetain === 0 || (chance(50) && toMake > 0)) {
      toMake--;
      append(make(SHIFTS));
    } else {
      toRetain--;
      u32[(retained >>> 2) + retainedLength] = make(RETAINED_SHIFTS);
      retainedLength++;
    }
    if (chance(66) && listLength > 0) {
      const place = (list >>> 2) + pick(listLength);
      verifyAndFree(u32[place] as number);
      u32[place] = 0;
    }
    if (chance(25) && listLength > 0) {
      const place = (list >>> 2) + pick(listLength);
      i32[place] = Atomics.exchange(i32, slots + pick(TRANSFERS), i32[place] as number);
    }
  }

  function steps(slots: number): void {
    for (let n = 0; n < BODY_ROUNDS && toMake + toRetain > 0; n++) step(slots);
  }

  function freeAll(blocks: number, length: number): void {
    for (let n = 0; n < length; n++) verifyAndFree(u32[(blocks >>> 2) + n] as number);
    free(blocks);
  }

  function stress(count: number, slots: number): void {
    toMake = count;
    toRetain = count >>> 1;
    retained = malloc(toRetain * 4);
    while (toMake + toRetain > 0) steps(slots);
    freeAll(retained, retainedLength);
    freeAll(list, listLength);
    list = listRoom = listLength = retainedLength = 0;
  }

  /** Empties slots between rounds, by one thread: half of them, or all. */
  function emptySlots(slots: number, round: number, all: boolean): void {
    for (let n = 0; n < TRANSFERS; n++) {
      if (!all && (seedFrom(round, n) >>> 8) % 100 > 50) continue;
      verifyAndFree(Atomics.exchange(i32, slots + n, 0));
    }
  }

  function setup(): number {
    return calloc(SLOTS + TRANSFERS, 4);
  }

  function work({ index, threads, parameters: [scale = 0, rounds = 0], root }: Part): Outcome {
    const barrier = (root >>> 2) + BARRIER;
    const slots = (root >>> 2) + SLOTS;
    const count = ALLOCATIONS_PER_SCALE * scale * ((index % 8) + 1);
    checksum = 0;
    for (let round = 0; round < rounds; round++) {
      x = seedFrom(index + 1, SEED) | 0;
      stress(count, slots);
      arrive(i32, barrier, threads, 2 * round + 1);
      if (index === 0) emptySlots(slots, round, round + 1 === rounds);
      arrive(i32, barrier, threads, 2 * round + 2);
    }
    return { operations: rounds * (count + (count >>> 1)), checksum };
  }

  function finish(_: Run, root: number): number {
    free(root);
    return 0;
  }

  return { setup, work, finish };
}
