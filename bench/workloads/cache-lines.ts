/**
 * What cache-scratch and cache-thrash have in common: a thread keeps writing into one tiny block.
 *
 * Two blocks that different threads write to and that lie in one cache line make the line wander
 * from processor to processor, and every write waits for it.
 *
 * V8 neither keeps the byte in a register nor moves its store out of the loop: an increment takes
 * 2 ns, what a load takes that waits for the store before it. C needs volatile, and takes 0.3 ns
 * where the processor hands a stored byte on in a register.
 */

import { type Allocator, type Program, requirePayload, type Workload } from './workload.js';

const BODY_ROUNDS = 2000;
const BYTES = 1;

/** @param handedOver does each thread first free a block that another one allocated? */
export function cacheLines(name: string, handedOver: boolean): Workload {
  return {
    name,
    threads: 'many',
    deterministic: true,
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
    setup({ threads }) {
      const root = calloc(threads, 4);
      for (let n = 0; n < threads; n++) {
        const block = malloc(BYTES);
        u8[block] = n;
        u32[(root >>> 2) + n] = block;
      }
      return root;
    },
    finish(_, root) {
      free(root);
      return 0;
    },
  } satisfies Program;
}
