/**
 * larson: a server whose threads come and go while its blocks stay (Larson and Krishnan 1998).
 *
 * Each thread owns a part of the slots, and replaces random ones by blocks of 8 to 999 bytes; after
 * so many rounds another thread takes the part over, blocks and all. So blocks are freed by other
 * threads than allocated them, and they lie all over from the start: setup allocates all, shuffles
 * them over the parts and replaces each four times on average.
 *
 * Here a part moves on to the next worker of the pool; in the C twin its thread starts a successor
 * and ends, as in the original. What the number does not show: threads that end, and take what they
 * had cached with them. An operation is a free and a malloc.
 */

import { seedFrom } from './random.js';
import { announce, waitFor } from './sync.js';
import type { Allocator, Outcome, Part, Program, Run, Workload } from './workload.js';

const BYTES_MIN = 8;
const BYTES_MAX = 1000;
const SEED = 4141;
const BODY_ROUNDS = 2000;

/** Words at the root: the slots' address, then how many generations each part has seen. */
const SLOTS = 0;
const GENERATIONS = 1;

/** The original's generator: a linear congruence, shuffled by a table (Knuth's algorithm M). */
const MULTIPLIER = 1366;
const INCREMENT = 150_889;
const MODULUS = 714_025;
const TABLE = 97;

export const larson: Workload = {
  name: 'larson',
  threads: 'many',
  deterministic: true,
  parameters: (size) => (size === 'smoke' ? [500, 10, 8] : [5000, 20, 160]),
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

  /** Replaces `rounds` of the `count` blocks from word `slots` on; a sum of what stood in them. */
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

  function setup({ threads, parameters: [perThread = 0] }: Run): number {
    const root = calloc(GENERATIONS + threads, 4);
    const count = perThread * threads;
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

  function work({ index, threads, parameters, root }: Part): Outcome {
    const [perThread = 0, rounds = 0, generations = 0] = parameters;
    const seen = (root >>> 2) + GENERATIONS;
    const slots = (u32[(root >>> 2) + SLOTS] as number) >>> 2;
    let checksum = 0;
    for (let generation = 0; generation < generations; generation++) {
      const part = (index + generation) % threads;
      waitFor(i32, seen + part, generation);
      seed(seedFrom(part, generation));
      checksum += replaceMany(slots + part * perThread, perThread, rounds * perThread);
      announce(i32, seen + part, generation + 1);
    }
    return { operations: generations * rounds * perThread, checksum };
  }

  function finish({ threads, parameters: [perThread = 0] }: Run, root: number): number {
    const address = u32[(root >>> 2) + SLOTS] as number;
    let checksum = 0;
    for (let n = 0; n < perThread * threads; n++) {
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
