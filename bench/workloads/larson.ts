/**
 * larson: a server whose threads come and go while its blocks stay (Larson and Krishnan 1998).
 *
 * The slots are in parts. A thread takes a part and replaces random blocks of it by others of 8 to
 * 999 bytes; after a number of rounds it leaves the part with its blocks to the next thread, and
 * takes another one. So blocks are freed by other threads than those that allocated them, and they
 * are spread all over the heap from the start: setup allocates all, shuffles them over the parts
 * and replaces each four times on average.
 *
 * There is one part more than threads, so that no thread waits for one. In the C twin a thread
 * starts a successor and ends when it leaves a part, as in the original; here a worker of the pool
 * continues with the next part itself. What the number does not show: threads that end with blocks
 * in their caches. An operation is a free and a malloc.
 */

import { seedFrom } from './random.js';
import { lock, unlock } from './sync.js';
import type { Allocator, Outcome, Part, Program, Run, Workload } from './workload.js';

const BYTES_MIN = 8;
const BYTES_MAX = 1000;
const SEED = 4141;
const BODY_ROUNDS = 2000;

/** Words at the root: the slots' address; the queue of free parts, and its lock. */
const SLOTS = 0;
const LOCK = 1;
const LENGTH = 2;
const QUEUE = 3;
/** An entry of the queue: the part, and how often it was left. */
const GENERATION_SHIFT = 8;
const PART_MASK = (1 << GENERATION_SHIFT) - 1;
/** In place of an entry: no part is left for this thread. */
const NONE = -1;

/** The original's generator: a linear congruence, shuffled by a table (Knuth's algorithm M). */
const MULTIPLIER = 1366;
const INCREMENT = 150_889;
const MODULUS = 714_025;
const TABLE = 97;

export const larson: Workload = {
  name: 'larson',
  threads: 'many',
  deterministic: true,
  parameters: (size) => (size === 'smoke' ? [500, 10, 8] : [5000, 20, 100]),
  create,
};

function create({ malloc, free, calloc, u8, u32, i32 }: Allocator): Program {
  const table = new Int32Array(TABLE);
  let x = 0;
  let last = 0;

  function step(): number {
    x = (MULTIPLIER * x + INCREMENT) % MODULUS;
    return x;
  }

  function seed(value: number): void {
    x = value % MODULUS;
    for (let n = 0; n < TABLE; n++) table[n] = step();
    last = step();
  }

  function random(): number {
    const place = last % TABLE;
    last = table[place] as number;
    table[place] = step();
    return last;
  }

  function make(): number {
    const bytes = BYTES_MIN + (random() % (BYTES_MAX - BYTES_MIN));
    const block = malloc(bytes);
    u8[block] = bytes;
    u8[block + 1] = bytes >>> 8;
    return block;
  }

  /**
   * Replaces `rounds` of the `count` blocks from word `slots` on; returns a sum of their contents.
   */
  function replace(slots: number, count: number, rounds: number): number {
    let sum = 0;
    for (let n = 0; n < rounds; n++) {
      const slot = slots + (random() % count);
      const block = u32[slot] as number;
      sum += u8[block] as number;
      free(block);
      u32[slot] = make();
    }
    return sum;
  }

  function replaceMany(slots: number, count: number, rounds: number): number {
    let sum = 0;
    for (let n = 0; n < rounds; n += BODY_ROUNDS) {
      sum += replace(slots, count, Math.min(BODY_ROUNDS, rounds - n));
    }
    return sum;
  }

  function setup({ threads, parameters: [perPart = 0] }: Run): number {
    const parts = threads + 1;
    const root = calloc(QUEUE + parts, 4);
    for (let part = 0; part < parts; part++) put(root >>> 2, part);
    const count = perPart * parts;
    const address = malloc(count * 4);
    const slots = address >>> 2;
    u32[(root >>> 2) + SLOTS] = address;
    seed(SEED);
    for (let n = 0; n < count; n++) u32[slots + n] = make();
    for (let n = count - 1; n > 0; n--) {
      const other = slots + (random() % (n + 1));
      const moved = u32[other] as number;
      u32[other] = u32[slots + n] as number;
      u32[slots + n] = moved;
    }
    replaceMany(slots, count, 4 * count);
    return root;
  }

  /** Leaves a part to the next thread. */
  function put(words: number, entry: number): void {
    const length = u32[words + LENGTH] as number;
    u32[words + QUEUE + length] = entry;
    u32[words + LENGTH] = length + 1;
  }

  /** Takes the part that was left first. */
  function take(words: number): number {
    const length = u32[words + LENGTH] as number;
    if (length === 0) return NONE;
    const first = u32[words + QUEUE] as number;
    u32.copyWithin(words + QUEUE, words + QUEUE + 1, words + QUEUE + length);
    u32[words + LENGTH] = length - 1;
    return first;
  }

  /** Leaves a part, if there is one, and takes the next one. */
  function exchange(words: number, entry: number): number {
    lock(i32, words + LOCK);
    if (entry !== NONE) put(words, entry);
    const next = take(words);
    unlock(i32, words + LOCK);
    return next;
  }

  function work({ parameters, root }: Part): Outcome {
    const [perPart = 0, rounds = 0, generations = 0] = parameters;
    const words = root >>> 2;
    const slots = (u32[words + SLOTS] as number) >>> 2;
    let checksum = 0;
    let operations = 0;
    for (let entry = exchange(words, NONE); entry !== NONE; ) {
      const part = entry & PART_MASK;
      const generation = entry >>> GENERATION_SHIFT;
      seed(seedFrom(part, generation));
      checksum += replaceMany(slots + part * perPart, perPart, rounds * perPart);
      operations += rounds * perPart;
      const done = generation + 1 === generations;
      entry = exchange(words, done ? NONE : entry + (1 << GENERATION_SHIFT));
    }
    return { operations, checksum };
  }

  function finish({ threads, parameters: [perPart = 0] }: Run, root: number): number {
    const address = u32[(root >>> 2) + SLOTS] as number;
    let checksum = 0;
    for (let n = 0; n < perPart * (threads + 1); n++) {
      const block = u32[(address >>> 2) + n] as number;
      checksum += u8[block] as number;
      free(block);
    }
    free(address);
    free(root);
    return checksum;
  }

  return { setup, work, finish };
}
