/**
 * One point of growth.ts, in a process of its own. Twin: native/growth.c.
 *
 *     node dist/bench/growth-run.js CASE AT ROUNDS        prints JSON, as native/growth.c does
 *
 *   random AT   AT live blocks of 8 to 128 bytes; frees a random one, and allocates one of another
 *   size near AT     as random, but among 512 blocks that were allocated one after the other; the
 *   512 move on bulk AT     frees 4,096 random blocks of AT, then allocates as many: more than the
 *   thread caches heap AT     as random, with 4,096 live blocks, in a heap of AT bytes
 *   runs AT     malloc and free of 256 KiB, with AT free runs in the heap
 *
 * Ten passes of ROUNDS rounds are timed, and the best counts. Before them each live block is
 * replaced once on average, so that no heap is as orderly as when it was filled. Blocks are not
 * written.
 */

import { SharedHeap } from 'shmalloc';

const BODY_ROUNDS = 4096;
const PASSES = 10;
const WINDOW = 512;
const LIVE_IN_HEAP = 4096;
const HEAP_BYTES = 2 ** 31;

/** Size of the largest possible heap, in bytes. */
const RUNS_HEAP_BYTES = 2 ** 32 - 2 ** 16;
const RUN_BYTES = 256 * 1024;
const PAGE_BYTES = 8192;
/** Alignment at which a block of one page leaves the page behind it free, in bytes. */
const ALIGNMENT = 2 * PAGE_BYTES;
/** One free run in this many is longer than a page. */
const LONG_EVERY = 50;
/**
 * Minimum pages of a long run, which has 2 to 61: some are too short for a block of 32, some are
 * not.
 */
const LONG_PAGES_MIN = 2;
const LONG_LENGTHS = 60;
/** Coprime to LONG_LENGTHS, so that all lengths occur, in no order. */
const LONG_STEP = 37;

export type GrowthCase = 'random' | 'near' | 'bulk' | 'heap' | 'runs';

/** The result of a process: nanoseconds of a round, which is a malloc and a free. */
export interface GrowthPoint {
  readonly ns: number;
}

type Body = (rounds: number) => void;
type Case = (at: number) => { heapBytes: number; live: number; bodyOf: typeof random };

const CASES: Record<GrowthCase, Case> = {
  random: (at) => ({ heapBytes: HEAP_BYTES, live: at, bodyOf: random }),
  near: (at) => ({ heapBytes: HEAP_BYTES, live: at, bodyOf: near }),
  bulk: (at) => ({ heapBytes: HEAP_BYTES, live: at, bodyOf: bulk }),
  heap: (at) => ({ heapBytes: at, live: LIVE_IN_HEAP, bodyOf: random }),
  runs: (at) => ({ heapBytes: RUNS_HEAP_BYTES, live: at, bodyOf: runs }),
};

function main([name = '', at = '', rounds = '']: readonly string[]): void {
  const { heapBytes, live, bodyOf } = CASES[name as GrowthCase](Number(at));
  using heap = SharedHeap.create({ size: heapBytes, threads: 1 });
  const body = bodyOf(heap, live);
  timePass(body, Math.max(live, Number(rounds)));
  const passes = Array.from({ length: PASSES }, () => timePass(body, Number(rounds)));
  const result: GrowthPoint = { ns: Math.min(...passes) };
  console.log(JSON.stringify(result));
}

/** Nanoseconds of a round. */
function timePass(body: Body, rounds: number): number {
  const started = performance.now();
  for (let n = 0; n < rounds; n += BODY_ROUNDS) body(Math.min(BODY_ROUNDS, rounds - n));
  return ((performance.now() - started) * 1e6) / rounds;
}

/** A size from 8 to 128 bytes. */
function sizeOf(x: number): number {
  return 8 + (Math.imul(x, 0x9e3779b1) >>> 28) * 8;
}

function random({ malloc_ts, free_ts }: SharedHeap, live: number): Body {
  const slots = fillSlots(malloc_ts, live);
  let state = 0x9e3779b9 | 0;
  return (rounds) => {
    let x = state;
    for (let n = 0; n < rounds; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const slot = (x >>> 1) % live;
      free_ts(slots[slot] as never);
      slots[slot] = malloc_ts(sizeOf(x));
    }
    state = x;
  };
}

function near({ malloc_ts, free_ts }: SharedHeap, live: number): Body {
  const slots = fillSlots(malloc_ts, live);
  let state = 0x9e3779b9 | 0;
  let first = 0;
  return (rounds) => {
    let x = state;
    for (let n = 0; n < rounds; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const slot = (first + (x & (WINDOW - 1))) % live;
      first = first + 1 === live ? 0 : first + 1;
      free_ts(slots[slot] as never);
      slots[slot] = malloc_ts(sizeOf(x));
    }
    state = x;
  };
}

/** One body is one bulk, so there must be more live blocks than rounds in a body. */
function bulk({ malloc_ts, free_ts }: SharedHeap, live: number): Body {
  const slots = fillSlots(malloc_ts, live);
  const empty = new Uint32Array(BODY_ROUNDS);
  let state = 0x9e3779b9 | 0;
  return (rounds) => {
    let x = state;
    for (let n = 0; n < rounds; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      let slot = (x >>> 1) % live;
      while (slots[slot] === 0) slot = slot + 1 === live ? 0 : slot + 1;
      free_ts(slots[slot] as never);
      slots[slot] = 0;
      empty[n] = slot;
    }
    for (let n = 0; n < rounds; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      slots[empty[n] as number] = malloc_ts(sizeOf(x));
    }
    state = x;
  };
}

function fillSlots(malloc: (bytes: number) => number, live: number): Uint32Array {
  const slots = new Uint32Array(live);
  let state = 0x85ebca6b | 0;
  const fill = (from: number, to: number) => {
    let x = state;
    for (let n = from; n < to; n++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      slots[n] = malloc(sizeOf(x));
      if (slots[n] === 0) throw new Error(`no room for ${live} blocks`);
    }
    state = x;
  };
  for (let n = 0; n < live; n += BODY_ROUNDS) fill(n, Math.min(n + BODY_ROUNDS, live));
  return slots;
}

function runs({ malloc_ts, free_ts, alignedAlloc_ts }: SharedHeap, holes: number): Body {
  const long = Math.floor(holes / LONG_EVERY);
  const allocate = (bytes: number) => {
    const address = alignedAlloc_ts(ALIGNMENT, bytes);
    if (address === 0) throw new Error(`no room for ${holes} free runs`);
    return address;
  };
  for (let n = long; n < holes; n++) allocate(PAGE_BYTES);
  const ends = Array.from({ length: long }, (_, n) => {
    const bytes = (LONG_PAGES_MIN + ((n * LONG_STEP) % LONG_LENGTHS)) * PAGE_BYTES;
    const run = allocate(bytes);
    // A block of the same length beside the run keeps it apart from the next run.
    allocate(bytes);
    return run;
  });
  for (const run of ends) free_ts(run);
  return (rounds) => {
    for (let n = 0; n < rounds; n++) free_ts(malloc_ts(RUN_BYTES));
  };
}

main(process.argv.slice(2));
