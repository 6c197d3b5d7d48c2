/**
 * The common part of cache-scratch and cache-thrash: a thread repeatedly writes into one tiny
 * block.
 *
 * If two threads write to blocks in one cache line, the line moves from processor to processor, and
 * every write waits for it.
 *
 * V8 neither keeps the byte in a register nor moves its store out of the loop: an increment takes 2
 * ns, as long as a load that waits for the store before it. C needs volatile, and takes 0.3 ns on
 * processors that forward a stored byte in a register.
 */

import { type Allocator, type Program, requirePayload, type Workload } from './workload.js';

const BODY_ROUNDS = 2000;
const BYTES = 1;
const LINE_MASK = 63;
const HALF_LINE_BYTES = 32;
/** Maximum blocks that are put aside until one lies in the first half of a line. */
const ASIDE_MAX = 4;

/** @param handedOver whether each thread first frees a block that another one allocated */
export function cacheLines(name: string, handedOver: boolean): Workload {
  return {
    name,
    threads: 'many',
    deterministic: true,
    apart:
      'nearly all of the time is increments, which cost nothing in C (processors forward a store to ' +
      'the next load) and six cycles in JavaScript; only the scaling is meaningful',
    parameters: (size, threads) =>
      size === 'smoke' ? [10, Math.floor(40_000 / threads)] : [1000, Math.floor(300_000 / threads)],
    create: (allocator) => create(allocator, name, handedOver),
  };
}

function create({ malloc, free, calloc, u8, u32 }: Allocator, name: string, handedOver: boolean) {
  function increment(block: number, rounds: number): void {
    for (let n = 0; n < rounds; n++) u8[block]++;
  }

  function incrementMany(block: number, rounds: number): void {
    for (let n = 0; n < rounds; n += BODY_ROUNDS) {
      increment(block, Math.min(BODY_ROUNDS, rounds - n));
    }
  }

  const program: Program = {
    work({ index, root, parameters: [blocks = 0, increments = 0] }) {
      if (handedOver) {
        const given = u32[(root >>> 2) + index] as number;
        requirePayload(u8[given] as number, index & 255, name);
        free(given);
      }
      let checksum = 0;
      for (let n = 0; n < blocks; n++) {
        const block = malloc(BYTES);
        u8[block] = index + n;
        incrementMany(block, increments);
        const found = u8[block] as number;
        requirePayload(found, (index + n + increments) & 255, name);
        checksum += found;
        free(block);
      }
      return { operations: blocks * increments, checksum };
    },
  };
  if (!handedOver) return program;

  return {
    ...program,
    /** The address of the list of blocks: one per thread, then those put aside. */
    setup({ threads }) {
      const root = calloc(threads + ASIDE_MAX, 4);
      const given = root >>> 2;
      const aside = given + threads;
      let block = malloc(BYTES);
      for (let n = 0; n < ASIDE_MAX && (block & LINE_MASK) >= HALF_LINE_BYTES; n++) {
        u32[aside + n] = block;
        block = malloc(BYTES);
      }
      for (let n = 0; n < threads; n++) {
        if (n > 0) block = malloc(BYTES);
        u8[block] = n;
        u32[given + n] = block;
      }
      return root;
    },
    finish({ threads }, root) {
      const aside = (root >>> 2) + threads;
      for (let n = 0; n < ASIDE_MAX; n++) free(u32[aside + n] as number);
      free(root);
      return 0;
    },
  } satisfies Program;
}
