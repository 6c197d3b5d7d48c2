/**
 * Operations on memory contexts in a tight loop, and equivalent ones on blocks of the heap.
 *
 *     node dist/bench/context-calls.js SCENARIO SIZE MILLISECONDS [BODIES]      prints JSON
 *
 * One scenario per process, for the reason given in micro.ts. contexts.ts describes what they
 * model.
 */

import { type Context, type ContextOptions, type ContextType, SharedHeap } from 'shmalloc';
import { timeBodies, type Work } from './bodies.js';

/** Number of objects of a request that is not small. */
const ROUNDS = 2000;
/** Number of objects that end together, or are freed one by one. */
const MANY = 100_000;

type Scenario = (heap: SharedHeap, size: number) => Work;

/** malloc_ts alone, with the frees done after the timing: the peer of a context's malloc. */
function malloc({ malloc_ts, free_ts }: SharedHeap, size: number): Work {
  const blocks = new Uint32Array(ROUNDS);
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) blocks[n] = malloc_ts(size);
    },
    after() {
      for (const block of blocks) free_ts(block as never);
    },
  };
}

/** malloc in a context that is new each time: its chunks are taken in the body. */
function mallocIn(options: ContextOptions): Scenario {
  return (heap, size) => {
    const objects = new Uint32Array(ROUNDS);
    let context: Context = heap.contexts.create('request', options);
    return {
      rounds: ROUNDS,
      body() {
        const current = context;
        for (let n = 0; n < ROUNDS; n++) objects[n] = current.malloc(size);
      },
      after() {
        context.delete();
        context = heap.contexts.create('request', options);
      },
    };
  };
}

/** malloc in a context that is reset and filled again: its first chunk has room for all objects. */
function mallocAgain(heap: SharedHeap, size: number): Work {
  const objects = new Uint32Array(ROUNDS);
  const context = heap.contexts.create('request', { initialBytes: 2 ** 20 });
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) objects[n] = context.malloc(size);
    },
    after() {
      context.reset();
    },
  };
}

/** A context without objects. */
function createEnd(heap: SharedHeap): Work {
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) heap.contexts.create('request').delete();
    },
  };
}

/** A context with one object, and therefore one chunk. */
function createUseEnd(heap: SharedHeap, size: number): Work {
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) {
        const context = heap.contexts.create('request');
        context.malloc(size);
        context.delete();
      }
    },
  };
}

/** One object in a context that is reset and kept. */
function useReset(heap: SharedHeap, size: number): Work {
  const context = heap.contexts.create('request');
  return {
    rounds: ROUNDS,
    body() {
      for (let n = 0; n < ROUNDS; n++) {
        context.malloc(size);
        context.reset();
      }
    },
  };
}

/**
 * The end of a context with many objects. They were written, as a program's objects are: that
 * evicts the data that the heap needs for the end from the processor's caches, which is most of the
 * cost.
 */
function endMany(kind: ContextType): Scenario {
  return (heap, size) => {
    const { u32 } = heap;
    let context: Context;
    return {
      rounds: 1,
      before() {
        context = heap.contexts.create('request', { kind });
        for (let n = 0; n < MANY; n++) u32[context.malloc(size) >>> 2] = n;
      },
      body() {
        context.delete();
      },
    };
  };
}

/** The same number of blocks, written too, freed in the order of their allocation. */
function freeMany({ u32, malloc_ts, free_ts }: SharedHeap, size: number): Work {
  const blocks = new Uint32Array(MANY);
  return {
    rounds: 1,
    before() {
      for (let n = 0; n < MANY; n++) {
        blocks[n] = malloc_ts(size);
        u32[blocks[n] >>> 2] = n;
      }
    },
    body() {
      for (let n = 0; n < MANY; n++) free_ts(blocks[n] as never);
    },
  };
}

const SCENARIOS = {
  malloc,
  'malloc-bump': mallocIn({}),
  'malloc-again': mallocAgain,
  'malloc-set': mallocIn({ kind: 'set' }),
  'create-end': createEnd,
  'create-use-end': createUseEnd,
  'use-reset': useReset,
  'end-bump': endMany('bump'),
  'end-set': endMany('set'),
  'free-many': freeMany,
} satisfies Record<string, Scenario>;

export type ContextScenario = keyof typeof SCENARIOS;

function main([name = '', size = '', milliseconds = '', bodies = '200']: readonly string[]): void {
  if (!(name in SCENARIOS)) throw new Error(`unknown scenario '${name}'`);
  using heap = SharedHeap.create({ size: '256MiB', threads: 1 });
  const work = SCENARIOS[name as ContextScenario](heap, Number(size));
  const result = timeBodies(name, Number(size), work, Number(milliseconds), Number(bodies));
  console.log(JSON.stringify(result));
}

main(process.argv.slice(2));
