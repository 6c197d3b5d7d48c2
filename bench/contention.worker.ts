/**
 * Pool task of bench/contention.ts: one thread of a contended scenario.
 *
 * All threads of a scenario start together, at a barrier in shared memory, and run for a given
 * time.
 */

import { performance } from 'node:perf_hooks';
import { SharedHeap } from 'shmalloc';

export type Role = 'pairs' | 'replace' | 'producer' | 'consumer';

export interface ContentionTask {
  readonly role: Role;
  readonly milliseconds: number;
  /** Word 0: number of threads that have arrived. */
  readonly barrier: Int32Array<SharedArrayBuffer>;
  readonly threads: number;
  /** Address of the ring, for producer and consumer. */
  readonly ring: number;
}

export interface ContentionResult {
  readonly rounds: number;
  readonly milliseconds: number;
}

const BODY_ROUNDS = 2000;
const SLOTS = 4096;
const BLOCK_BYTES = 64;

/** The ring: blocks put in, blocks taken out, and the end mark, each on its own cache line. */
const PUT = 0;
const TAKEN = 16;
const CLOSED = 32;
const ENTRIES = 48;
const RING_ENTRIES = 4096;
export const RING_BYTES = (ENTRIES + RING_ENTRIES) * 4;
/** Number of addresses that are handed over by one atomic store, and released by another. */
const HAND_OVER = 64;
const SPINS = 2000;
/** Maximum milliseconds of a sleep: a sleeper looks again after it, woken or not. */
const WAIT_LIMIT_MS = 5;

export default function contend(task: ContentionTask): ContentionResult {
  const heap = SharedHeap.current();
  switch (task.role) {
    case 'pairs':
      return repeat(pairs(heap), task);
    case 'replace':
      return repeat(replace(heap), task);
    case 'producer':
      return produce(heap, task);
    case 'consumer':
      return consume(heap, task);
  }
}

function repeat({ body, finish }: Loop, task: ContentionTask): ContentionResult {
  for (let n = 0; n < 500; n++) body();
  arrive(task);
  const started = performance.now();
  const end = started + task.milliseconds;
  let bodies = 0;
  let now = started;
  while (now < end) {
    for (let n = 0; n < 8; n++) body();
    bodies += 8;
    now = performance.now();
  }
  finish();
  return { rounds: bodies * BODY_ROUNDS, milliseconds: now - started };
}

interface Loop {
  readonly body: () => void;
  readonly finish: () => void;
}

function pairs({ malloc_ts, free_ts }: SharedHeap): Loop {
  return {
    body() {
      for (let n = 0; n < BODY_ROUNDS; n++) free_ts(malloc_ts(BLOCK_BYTES));
    },
    finish() {},
  };
}

function replace({ malloc_ts, free_ts }: SharedHeap): Loop {
  const slots = new Uint32Array(SLOTS);
  let state = 0x9e3779b9 | 0;
  return {
    body() {
      let x = state;
      for (let n = 0; n < BODY_ROUNDS; n++) {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        const slot = x & (SLOTS - 1);
        free_ts(slots[slot]);
        slots[slot] = malloc_ts(16 + ((x >>> 12) % 126) * 8);
      }
      state = x;
    },
    finish() {
      for (const address of slots) free_ts(address);
    },
  };
}

/** Allocates blocks, writes a word into each, hands them over. Closes the ring at the end. */
function produce(heap: SharedHeap, task: ContentionTask): ContentionResult {
  const { malloc_ts, i32, u32 } = heap;
  const ring = task.ring >>> 2;
  let put = 0;

  function handOver(): void {
    for (let spins = 0; ; spins++) {
      const taken = i32[ring + TAKEN];
      if (put - taken <= RING_ENTRIES - HAND_OVER) break;
      if (spins >= SPINS) Atomics.wait(i32, ring + TAKEN, taken, WAIT_LIMIT_MS);
    }
    for (let n = 0; n < HAND_OVER; n++) {
      const address = malloc_ts(BLOCK_BYTES);
      u32[address >>> 2] = put;
      u32[ring + ENTRIES + (put & (RING_ENTRIES - 1))] = address;
      put++;
    }
    Atomics.store(i32, ring + PUT, put);
    Atomics.notify(i32, ring + PUT, 1);
  }

  arrive(task);
  const started = performance.now();
  const end = started + task.milliseconds;
  let now = started;
  while (now < end) {
    for (let n = 0; n < 32; n++) handOver();
    now = performance.now();
  }
  Atomics.store(i32, ring + CLOSED, 1);
  return { rounds: put, milliseconds: now - started };
}

/** Frees what the producer allocated, until the ring is closed and empty. */
function consume(heap: SharedHeap, task: ContentionTask): ContentionResult {
  const { free_ts, i32, u32 } = heap;
  const ring = task.ring >>> 2;
  let taken = 0;
  let sum = 0;

  function takeBatch(): void {
    for (const end = taken + HAND_OVER; taken < end; taken++) {
      const address = u32[ring + ENTRIES + (taken & (RING_ENTRIES - 1))];
      sum = (sum + u32[address >>> 2]) | 0;
      free_ts(address);
    }
    Atomics.store(i32, ring + TAKEN, taken);
    Atomics.notify(i32, ring + TAKEN, 1);
  }

  arrive(task);
  const started = performance.now();
  for (let spins = 0; ; spins++) {
    if (i32[ring + PUT] !== taken) {
      takeBatch();
      spins = 0;
    } else if (spins >= SPINS) {
      // The order matters: all blocks put before the ring was closed are seen.
      const closed = Atomics.load(i32, ring + CLOSED) !== 0;
      if (closed && Atomics.load(i32, ring + PUT) === taken) break;
      Atomics.wait(i32, ring + PUT, taken, WAIT_LIMIT_MS);
    }
  }
  if (taken > 1 && sum === 0) throw new Error('the blocks handed over were empty');
  return { rounds: taken, milliseconds: performance.now() - started };
}

/** The barrier: returns when all threads have arrived. */
function arrive({ barrier, threads }: ContentionTask): void {
  Atomics.add(barrier, 0, 1);
  while (Atomics.load(barrier, 0) < threads);
}
