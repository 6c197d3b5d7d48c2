/**
 * Micro scenarios: one kind of call in a tight loop, on a heap of its own.
 *
 *     node dist/bench/micro.js SCENARIO SIZE MILLISECONDS [BODIES]    prints JSON, as native/pair.c does
 *
 * At least so many bodies are run first, 200 unless told.
 *
 * Models the cost of the calls alone, on one thread: what a program that does nothing else would
 * see. Does not show cache misses on the program's own data, cold code, or other threads.
 *
 * One scenario a process: a call site that has seen two heaps is three times as slow, which would
 * be the benchmark's fault and no program's. Bodies are loops of 2,000 rounds, called again and
 * again: a loop of millions would run code that was compiled while it ran.
 */

import { SharedHeap } from 'shmalloc';
import { timeBodies } from './bodies.js';

const ROUNDS = 2000;
const SLOTS = 4096;

type Body = () => void;
type Scenario = (heap: SharedHeap, size: number) => Body;

// ---- scenarios: each makes its body as a closure over constants, as a program would

/** malloc and free of one size: the block comes straight back from the thread's cache. */
function pair({ malloc_ts, free_ts }: SharedHeap, size: number): Body {
  return () => {
    for (let n = 0; n < ROUNDS; n++) free_ts(malloc_ts(size));
  };
}

/** The same by the calls without locks, for heaps with one thread. */
function pairUnsafe(heap: SharedHeap, size: number): Body {
  return () => {
    for (let n = 0; n < ROUNDS; n++) heap.free(heap.malloc(size));
  };
}

/** The same with one lock around every call: what a heap without caches would cost at the least. */
function pairLocked({ malloc_ts, free_ts }: SharedHeap, size: number): Body {
  const word = new Int32Array(new SharedArrayBuffer(4));
  const lock = () => {
    while (Atomics.compareExchange(word, 0, 0, 1) !== 0) Atomics.wait(word, 0, 1, 1);
  };
  const unlock = () => {
    Atomics.store(word, 0, 0);
  };
  return () => {
    for (let n = 0; n < ROUNDS; n++) {
      lock();
      const address = malloc_ts(size);
      unlock();
      lock();
      free_ts(address);
      unlock();
    }
  };
}

/** Random replacement: of 4,096 live blocks of 16 to 1,016 bytes, one is freed and made anew. */
function replace({ malloc_ts, free_ts }: SharedHeap): Body {
  const slots = fillSlots(malloc_ts);
  let state = 0x9e3779b9 | 0;
  return () => {
    let x = state;
    for (let n = 0; n < ROUNDS; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const slot = x & (SLOTS - 1);
      free_ts(slots[slot] as never);
      slots[slot] = malloc_ts(randomSize(x));
    }
    state = x;
  };
}

function replaceUnsafe(heap: SharedHeap): Body {
  const slots = fillSlots((size) => heap.malloc(size));
  let state = 0x9e3779b9 | 0;
  return () => {
    let x = state;
    for (let n = 0; n < ROUNDS; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const slot = x & (SLOTS - 1);
      heap.free(slots[slot] as never);
      slots[slot] = heap.malloc(randomSize(x));
    }
    state = x;
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

/** 16 to 1,016 bytes. */
function randomSize(x: number): number {
  return 16 + ((x >>> 12) % 126) * 8;
}

/** calloc and free of one size. */
function calloc({ calloc_ts, free_ts }: SharedHeap, size: number): Body {
  return () => {
    for (let n = 0; n < ROUNDS; n++) free_ts(calloc_ts(1, size));
  };
}

/** malloc of one size, realloc to twice that, free. */
function realloc({ malloc_ts, realloc_ts, free_ts }: SharedHeap, size: number): Body {
  return () => {
    for (let n = 0; n < ROUNDS; n++) free_ts(realloc_ts(malloc_ts(size), size * 2));
  };
}

const SCENARIOS: Record<string, Scenario> = {
  pair,
  'pair-unsafe': pairUnsafe,
  'pair-locked': pairLocked,
  replace,
  'replace-unsafe': replaceUnsafe,
  calloc,
  realloc,
};

function main([name = '', size = '', milliseconds = '', bodies = '200']: readonly string[]): void {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`unknown scenario '${name}'`);
  using heap = SharedHeap.create({ size: '64MiB', threads: 1 });
  const work = { rounds: ROUNDS, body: scenario(heap, Number(size)) };
  const result = timeBodies(name, Number(size), work, Number(milliseconds), Number(bodies));
  console.log(JSON.stringify(result));
}

main(process.argv.slice(2));
