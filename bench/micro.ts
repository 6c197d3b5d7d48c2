/**
 * Micro scenarios: one kind of call in a tight loop, on its own heap.
 *
 *     node dist/bench/micro.js SCENARIO SIZE MILLISECONDS [BODIES]
 *
 * Prints JSON, as native/pair.c does. At least BODIES bodies run first; default 200.
 *
 *   pair, replace                  the `_ts` calls
 *   pair-thi.ng, replace-thi.ng    @thi.ng/malloc, which does not support threads
 *   pair-locked                    the `_ts` calls with one lock around each: the least cost of a
 *                                  heap without caches
 *   calloc, realloc                the named calls, with the frees
 *
 * Models the cost of the calls alone, on one thread, in a program that does nothing else. Does not
 * show cache misses on the program's own data, cold code, or other threads. Pairs are the best case
 * of
 * @thi.ng/malloc, which then has one free block; in replacement it walks the list of all live
 *   blocks
 * at each free, and of all free ones at each malloc.
 *
 * One scenario per process: a call site that has seen two heaps is three times as slow, which would
 * be an error of the benchmark and not of any program. Bodies are loops of 2,000 rounds (20 for
 * slow calls), called repeatedly: a loop of millions would run code that is compiled while it runs.
 */

import { SharedHeap } from 'shmalloc';
import { type AllocatorName, allocatorOf, share } from './allocators.js';
import { timeBodies, type Work } from './bodies.js';

const HEAP_BYTES = 64 * 2 ** 20;
const ROUNDS = 2000;
/** Rounds of a body if a round takes tens of microseconds. */
const ROUNDS_SLOW = 20;
const SLOTS = 4096;

type Scenario = (heap: SharedHeap, size: number) => Work;

// ---- calls of each allocator: each closes over constants, as in a program

interface Calls {
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
}

const on = (name: AllocatorName, heap: SharedHeap): Calls =>
  allocatorOf(share(name, HEAP_BYTES), heap);

// ---- what is done with them

/** malloc and free of one size: the block comes directly from the thread's cache. */
function pair({ malloc, free }: Calls, size: number): Work {
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) free(malloc(size));
    },
  };
}

/**
 * Random replacement: frees one of 4,096 live blocks of 16 to 1,016 bytes, and allocates another.
 */
function replace({ malloc, free }: Calls, rounds = ROUNDS): Work {
  const slots = fillSlots(malloc);
  let state = 0x9e3779b9 | 0;
  return {
    rounds,
    body() {
      let x = state;
      for (let n = 0; n < rounds; n++) {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        const slot = x & (SLOTS - 1);
        free(slots[slot] as number);
        slots[slot] = malloc(randomSize(x));
      }
      state = x;
    },
  };
}

function fillSlots(malloc: (size: number) => number): Uint32Array {
  let x = 0x85ebca6b | 0;
  return Uint32Array.from({ length: SLOTS }, () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return malloc(randomSize(x));
  });
}

/** A size from 16 to 1,016 bytes. */
function randomSize(x: number): number {
  return 16 + ((x >>> 12) % 126) * 8;
}

/** calloc and free of one size. */
function calloc({ calloc_ts, free_ts }: SharedHeap, size: number): Work {
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) free_ts(calloc_ts(1, size));
    },
  };
}

/** malloc of one size, realloc to twice that, free. */
function realloc({ malloc_ts, realloc_ts, free_ts }: SharedHeap, size: number): Work {
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) free_ts(realloc_ts(malloc_ts(size), size * 2));
    },
  };
}

const SCENARIOS: Record<string, Scenario> = {
  pair: (heap, size) => pair(on('shmalloc', heap), size),
  replace: (heap) => replace(on('shmalloc', heap)),
  'pair-thi.ng': (heap, size) => pair(on('thi.ng', heap), size),
  'replace-thi.ng': (heap) => replace(on('thi.ng', heap), ROUNDS_SLOW),
  'pair-locked': (heap, size) => pair(on('locked', heap), size),
  calloc,
  realloc,
};

function main([name = '', size = '', milliseconds = '', bodies = '200']: readonly string[]): void {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`unknown scenario '${name}'`);
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 1 });
  const work = scenario(heap, Number(size));
  const result = timeBodies(name, Number(size), work, Number(milliseconds), Number(bodies));
  console.log(JSON.stringify(result));
}

main(process.argv.slice(2));
