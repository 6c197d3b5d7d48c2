/**
 * Proves that whatever is given to a public call, the call works, or refuses it with an error of
 * ours that names the call and what it was given; and that the heap is as it was.
 */

import test from 'ava';
import * as main from 'shmalloc';
import { type Context, type ElementType, SharedHeap, type Vector } from 'shmalloc';
import * as mem from 'shmalloc/mem';
import * as pictures from 'shmalloc/pictures';
import { poison } from '../../src/sync/index.js';
import { memoryOf, Random, seedOf } from '../helpers.js';
import {
  foreign,
  outcomeOf,
  PRINTS,
  type Right,
  type Subject,
  type Target,
  Trial,
} from './wrong-calls.js';
import { methodsOf, staticsOf, wrongValues } from './wrong-values.js';

const quiet = { write() {} };
const block = ({ heap }: Subject) => heap.malloc_ts(100);

/** Of calls that have more than one argument, or print; others need none. */
const RIGHT: Readonly<Record<string, Right>> = {
  'SharedHeap.create': () => [{ size: '2MiB' }],
  'SharedHeap.attach': ({ heap }) => [heap.handle],
  'heap.calloc_ts': () => [1, 8],
  'heap.calloc': () => [1, 8],
  'heap.realloc_ts': (subject) => [block(subject), 8],
  'heap.realloc': (subject) => [block(subject), 8],
  'heap.alignedAlloc_ts': () => [16, 8],
  'heap.alignedAlloc': () => [16, 8],
  'heap.alloc': () => [Uint8Array, 8],
  'heap.view': (subject) => [Uint8Array, block(subject), 4, 0],
  'inspect.hexdump': (subject) => [block(subject), {}],
  'inspect.print': () => ['history', quiet],
  'context.calloc': () => [1, 8],
  'context.alloc': () => [Uint8Array, 8],
  'context.realloc': ({ target }) => [(target as Context).malloc(8), 8],
  'context.createContext': () => ['name', {}],
  'contexts.create': () => ['name', {}],
  'contexts.run': () => ['name', () => {}, {}],
  'vectors.create': () => [Float64Array, {}],
  'vectors.attach': ({ heap }) => [heap.vectors.create(Float64Array).handle],
  'vector.set': ({ target }) => [0, (target as Vector).at(0)],
  'vector.insert': ({ target }) => [0, (target as Vector).at(0)],
  'mem.mem_calloc': () => [1, 8],
  'mem.mem_calloc_ts': () => [1, 8],
  'mem.mem_realloc': () => [0, 8],
  'mem.mem_realloc_ts': () => [0, 8],
  'mem.mem_print_stats': () => [quiet],
  'mem.show_alloc_mem': () => [quiet],
  'mem.show_alloc_mem_ex': () => [quiet],
  'pictures.renderText': ({ heap }) => [heap.inspect.map(), {}],
  'pictures.renderSvg': ({ heap }) => [heap.inspect.map(), {}],
  'pictures.renderHtml': ({ heap }) => [heap.inspect.map(), {}],
};

const makeHeap = () => SharedHeap.create({ size: '2MiB', threads: 2 });

/** What is a class of the main entry is called with `new`. */
const CLASSES = Object.fromEntries(
  Object.entries(main)
    .filter(([, value]) => typeof value === 'function')
    .map(([name, value]) => {
      const Class = value as unknown as new (...args: unknown[]) => unknown;
      return [name, (...args: unknown[]) => new Class(...args)];
    }),
);

const makeInstrumented = () =>
  SharedHeap.create({
    size: '4MiB',
    threads: 2,
    debug: { guard: 16, history: 10, quarantine: 4096 },
  });
const inspecting = (heap: SharedHeap): Subject => ({ heap, target: heap.inspect });
const itself = (heap: SharedHeap): Subject => ({ heap, target: heap });
const namesIn = (target: object): string[] => Object.keys(target);

const TARGETS: Record<string, Target> = {
  'static methods of SharedHeap': {
    title: 'SharedHeap',
    make: () => ({ heap: makeHeap(), target: SharedHeap }),
    names: staticsOf,
  },
  constructors: {
    title: 'new',
    make: () => ({ heap: makeHeap(), target: CLASSES }),
    names: namesIn,
  },
  'methods of a heap': { title: 'heap', make: () => itself(makeHeap()), names: methodsOf },
  'methods of heap.contexts': {
    title: 'contexts',
    make() {
      const heap = makeHeap();
      return { heap, target: heap.contexts };
    },
    names: methodsOf,
  },
  'methods of heap.vectors': {
    title: 'vectors',
    make() {
      const heap = makeHeap();
      return { heap, target: heap.vectors };
    },
    names: methodsOf,
  },
  'methods of a heap with debug options': {
    title: 'heap',
    make: () => itself(makeInstrumented()),
    names: methodsOf,
  },
  'methods of heap.inspect': {
    title: 'inspect',
    make: () => inspecting(makeHeap()),
    names: methodsOf,
  },
  'methods of heap.inspect with debug options': {
    title: 'inspect',
    make: () => inspecting(makeInstrumented()),
    names: methodsOf,
  },
  'mem_*': {
    title: 'mem',
    make: () => ({ heap: mem.mem_heap, target: mem }),
    names: (target) => namesIn(target).filter((name) => name !== 'mem_heap'),
  },
  pictures: {
    title: 'pictures',
    make: () => ({ heap: makeHeap(), target: pictures }),
    names: namesIn,
  },
};

for (const kind of ['bump', 'set'] as const) {
  TARGETS[`methods of a context (${kind})`] = {
    title: 'context',
    make() {
      const heap = makeHeap();
      return { heap, target: heap.contexts.create('c', { kind }) };
    },
    names: methodsOf,
  };
}

for (const [elements, element, shared] of [
  [Float64Array, 1, false],
  [BigInt64Array, 1n, true],
  ['address', 0, false],
  [{ bytes: 24 }, new Uint8Array(24), true],
] as const) {
  const what = typeof elements === 'function' ? elements.name : JSON.stringify(elements);
  TARGETS[`methods of a vector (${what}${shared ? ', shared' : ''})`] = {
    title: 'vector',
    make() {
      const heap = makeHeap();
      const vector = heap.vectors.create(elements, { shared }) as Vector<ElementType>;
      vector.push(element);
      return { heap, target: vector };
    },
    names: methodsOf,
  };
}

const kinds = wrongValues();
const tried = new Set<string>();

for (const [what, target] of Object.entries(TARGETS)) {
  test.serial(`${what}: whatever is given works, or is refused by name`, async (t) => {
    const trial = new Trial(target, new Random(seedOf(t)));
    await trial.run(kinds, RIGHT);
    t.deepEqual(trial.faults, []);
    for (const call of trial.tried) tried.add(call);
  });
}

test.serial('options: each one of every call was tried with every value', (t) => {
  const history = 'address, thread, last';
  const context = 'kind, initialBytes, maxBytes, ident';
  t.deepEqual([...tried].sort(), [
    'SharedHeap.create debug: scribble, preScribble, guard, quarantine, checkStart, checkEach, ' +
      'strict, onError, history, stacks, trace, leaks, stats, direct, help',
    'SharedHeap.create: size, buffer, byteOffset, overwrite, threads, contexts, lockTimeoutMs, debug',
    `context.createContext: ${context}`,
    `contexts.create: parent, ${context}`,
    `contexts.run: parent, ${context}`,
    'heap.metrics: format, labels',
    'heap.verify: quiet',
    'inspect.hexdump: length, offset',
    `inspect.history: ${history}`,
    `inspect.print: write, ${history}`,
    'mem.mem_print_stats: write',
    'mem.show_alloc_mem: write',
    'mem.show_alloc_mem_ex: write',
    'pictures.renderHtml: title',
    'pictures.renderSvg: title, width',
    'pictures.renderText: color, width',
    'vectors.create: capacity, shared, context',
  ]);
});

// ---- heaps that can do nothing more

for (const [what, finish] of [
  ['this thread has detached from', (heap: SharedHeap) => heap.detach()],
  ['is broken', (heap: SharedHeap) => poison(memoryOf(heap), 'a reason (page-heap I1)')],
] as const) {
  test(`all calls: of a heap that ${what}, they look, or refuse with a code`, async (t) => {
    const heap = makeHeap();
    const address = heap.malloc_ts(100);
    const objects = [
      heap,
      heap.inspect,
      heap.contexts.create('b'),
      heap.contexts.create('s', { kind: 'set' }),
      heap.vectors.create(Float64Array),
      heap.vectors.create('address', { shared: true }),
    ];
    const faults: string[] = [];
    finish(heap);
    for (const target of objects) {
      const on = target as unknown as Record<string | symbol, (...args: unknown[]) => unknown>;
      for (const name of methodsOf(target)) {
        const some = [[], [address], [16, 16], ['name', () => {}], [Uint8Array, address, 1]];
        const print = ['blocks', 'contents', 'leaks', 'history', 'contexts', 'stats'].map(
          (what) => [what, quiet],
        );
        for (const args of PRINTS.test(String(name)) ? print : some) {
          const { error } = await outcomeOf(() => on[name](...args));
          if (error === undefined) continue;
          for (const fault of foreign(error)) faults.push(`${String(name)}: ${fault}`);
        }
      }
    }
    t.deepEqual(faults, []);
  });
}
