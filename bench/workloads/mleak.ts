/**
 * mleak: very many very short threads, each of which leaves a block (Leijen, mimalloc-bench).
 *
 * A life takes 128 zeroed bytes, swaps them for the content of a random one of 1,000 slots that all
 * share, and frees that. The question is whether memory grows with the number of lives: at most
 * 1,000 blocks are ever in the slots. Each block has the number of its life, which is verified when
 * it is freed; which block a life finds depends on the threads' speed, but the checksum adds up all
 * numbers.
 *
 * In the C twin a life is a thread, as in the original; here it is a turn of a worker, since
 * starting a worker takes 100,000 times as long as a life. So times are not comparable: the twin's
 * is the cost of starting and ending threads, ours is that of calloc and free. The important number
 * is the footprint of a full run relative to that of a smoke run. The number does not show, here:
 * threads that end. An operation is a life.
 */

import { seedFrom } from './random.js';
import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  type Run,
  requirePayload,
  type Workload,
} from './workload.js';

const SLOTS = 1000;
const LIVES = 10;
const ITEMS = 16;
const ITEM_BYTES = 8;
const LAST_WORD = (ITEMS * ITEM_BYTES) / 4 - 1;
const BODY_ROUNDS = 200;

export const mleak: Workload = {
  name: 'mleak',
  threads: 'many',
  deterministic: true,
  apart: 'the twin starts a thread for each life, ours uses turns of the same workers',
  /** Rounds of ten lives; the threads share them. */
  parameters: (size) => (size === 'smoke' ? [200] : [1000]),
  create,
};

function create({ free, calloc, u32, i32 }: Allocator): Program {
  let checksum = 0;

  function verifyAndFree(block: number): void {
    if (block === 0) return;
    const number = u32[block >>> 2] as number;
    requirePayload(u32[(block >>> 2) + LAST_WORD] as number, ~number >>> 0, 'mleak');
    checksum = (checksum + number) | 0;
    free(block);
  }

  function live(slots: number, round: number, place: number): void {
    const block = calloc(ITEMS, ITEM_BYTES);
    const first = block >>> 2;
    const number = round * LIVES + place + 1;
    requirePayload((u32[first] as number) | (u32[first + LAST_WORD] as number), 0, 'mleak: calloc');
    u32[first] = number;
    u32[first + LAST_WORD] = ~number;
    const slot = (seedFrom(round, place) >>> 8) % SLOTS;
    verifyAndFree(Atomics.exchange(i32, slots + slot, block));
  }

  function liveMany(slots: number, first: number, end: number, step: number): void {
    for (let round = first; round < end; round += step) {
      for (let place = 0; place < LIVES; place++) live(slots, round, place);
    }
  }

  function setup(): number {
    return calloc(SLOTS, 4);
  }

  function work({ index, threads, parameters: [rounds = 0], root }: Part): Outcome {
    checksum = 0;
    let lives = 0;
    const stride = BODY_ROUNDS * threads;
    for (let round = index; round < rounds; round += stride) {
      const end = Math.min(round + stride, rounds);
      liveMany(root >>> 2, round, end, threads);
      lives += Math.ceil((end - round) / threads) * LIVES;
    }
    return { operations: lives, checksum };
  }

  function finish(_: Run, root: number): number {
    checksum = 0;
    for (let n = 0; n < SLOTS; n++) verifyAndFree(i32[(root >>> 2) + n] as number);
    free(root);
    return checksum;
  }

  return { setup, work, finish };
}
