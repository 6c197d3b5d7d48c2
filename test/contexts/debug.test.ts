/**
 * Proves that contexts are what they are in heaps with debug options, one by one and all together:
 * their memory is not the options' to touch, nor theirs to be confused by.
 */

import test from 'ava';
import {
  type Address,
  type AnyContext,
  type DebugOptions,
  HeapCorruptionError,
  HeapError,
  InvalidAddressError,
  SharedHeap,
} from 'shmalloc';
import { headerWord } from '../../src/layout/index.js';
import { poison } from '../../src/sync/index.js';
import { fillPattern, findDamage, memoryOf } from '../helpers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const KINDS = ['bump', 'set'] as const;
const ALL: DebugOptions = {
  guard: 32,
  quarantine: '256KiB',
  scribble: true,
  strict: true,
  history: 64,
  stacks: 4,
  direct: true,
};
const OPTIONS: Record<string, DebugOptions> = {
  guard: { guard: 64 },
  quarantine: { quarantine: '256KiB' },
  scribble: { scribble: true },
  strict: { strict: true },
  history: { history: 32 },
  stacks: { stacks: 4 },
  direct: { direct: true },
  'all of them': ALL,
};

const make = (debug: DebugOptions, size = '16MiB') =>
  SharedHeap.create({ size, threads: 3, debug });

interface Thing {
  readonly context: AnyContext;
  readonly address: Address;
  readonly size: number;
}

/** Objects of all lengths in a tree of both kinds, filled. */
function fillTree(heap: SharedHeap): { root: AnyContext; things: Thing[] } {
  const root = heap.contexts.create('root');
  const things: Thing[] = [];
  for (const kind of KINDS) {
    const context = root.createContext(kind, { kind });
    for (const size of [0, 16, 100, 5000, 70_000, 2_200_000]) {
      const address = context.malloc(size);
      fillPattern(heap, address, size, things.length);
      things.push({ context, address, size });
    }
  }
  return { root, things };
}

for (const [name, debug] of Object.entries(OPTIONS)) {
  test(`contexts in a heap with ${name}: whole, verified, and gone at the end`, (t) => {
    const heap = make(debug);
    const blocks: Address[] = [];
    for (let round = 0; round < 5; round++) {
      const { root, things } = fillTree(heap);
      for (let n = 0; n < 40; n++) blocks.push(heap.malloc_ts(n * 200));
      for (const block of blocks.splice(0, 30)) heap.free_ts(block);
      assertSound(t, heap);
      for (const [n, { context, address, size }] of things.entries()) {
        t.is(findDamage(heap, address, size, n), -1);
        if (context.kind === 'set') context.free(address);
      }
      if (round % 2 === 0) root.reset();
      assertSound(t, heap);
      root.delete();
      t.deepEqual(countRecords(heap), { contexts: 0, chunks: 0 });
    }
    for (const block of blocks) heap.free_ts(block);
    heap.contexts.create('left to detach').malloc(5000);
    heap.detach();
    using again = SharedHeap.attach(heap.handle);
    assertNothingLeft(t, again);
  });

  test(`free_ts and the like of a context's memory in a heap with ${name}: owned`, (t) => {
    using heap = make(debug);
    const { root, things } = fillTree(heap);
    for (const { address } of things) {
      for (const call of [
        () => heap.free_ts(address),
        () => heap.realloc_ts(address, 100),
        () => heap.usableSize(address),
        () => heap.view(Uint8Array, address, 1),
        () => heap.free(address),
      ]) {
        t.is(t.throws(call, { instanceOf: InvalidAddressError })?.reason, 'owned');
      }
    }
    const own = new Set(things.map(({ address }) => address));
    const block = heap.malloc_ts(100);
    const [programs, owned] = [false, true].map((is) =>
      heap.inspect.blocks().filter(({ owned: whose }) => (whose === 'context') === is),
    );
    t.deepEqual(programs?.map(({ address }) => address).length, 1);
    t.is(owned?.length, countRecords(heap).chunks, 'blocks() says whose they are');
    t.false(own.has(block));
    for (const [n, { address, size }] of things.entries()) {
      t.is(findDamage(heap, address, size, n), -1);
    }
    heap.free_ts(block);
    assertSound(t, heap);
    root.delete();
  });
}

test('scribble: what a reset, an end or a free gives back is painted, what is live is not', (t) => {
  using heap = make({ scribble: true });
  for (const kind of KINDS) {
    const context = heap.contexts.create('c', { kind });
    const first = context.malloc(1000);
    const own = context.malloc(2_200_000);
    for (const [address, size] of [
      [first, 1000],
      [own, 2_200_000],
    ] as const) {
      heap.u8.fill(0xee, address, address + size);
    }
    const painted = (address: number, size: number) =>
      heap.u8.subarray(address, address + size).every((byte) => byte === 0x55);
    context.reset();
    t.true(painted(first, 1000));
    t.true(painted(own, 2_200_000));
    const again = context.malloc(1000);
    heap.u8.fill(0xee, again, again + 1000);
    heap.contexts.create('other').delete();
    t.true(heap.u8.subarray(again, again + 1000).every((byte) => byte === 0xee));
    context.delete();
    t.true(painted(again, 1000));
  }
  assertNothingLeft(t, heap);
});

test('quarantine: where it holds back what is needed, a context gets it', (t) => {
  using heap = make({ quarantine: '8MiB' }, '6MiB');
  // Freed, all of it, and held back.
  for (let n = 0; n < 3; n++) heap.free_ts(heap.malloc_ts(1_500_000));
  for (const kind of KINDS) {
    using context = heap.contexts.create('c', { kind });
    t.notThrows(() => context.malloc(3_000_000));
    t.true(context.tryMalloc(500_000) > 0);
  }
  assertSound(t, heap);
});

test('history and stacks: contexts leave no events of blocks that nobody was given', (t) => {
  using heap = make({ history: 64, stacks: 4 });
  const block = heap.malloc_ts(100);
  const before = heap.inspect.history().length;
  {
    using context = heap.contexts.create('c', { kind: 'set' });
    for (let n = 0; n < 100; n++) context.malloc(n * 100);
  }
  t.is(heap.inspect.history().length, before);
  heap.free_ts(block);
  t.is(heap.inspect.history().length, before + 1);
});

test('a broken heap: contexts can be let go of, and say what is wrong', (t) => {
  const heap = make({});
  const context = heap.contexts.create('c', { kind: 'set' });
  const child = context.createContext('child');
  for (const one of [context, child]) one.malloc(5000);
  let called = 0;
  child.onReset(() => {
    called++;
  });
  poison(memoryOf(heap), 'on purpose');
  t.true(headerWord(0) > 0);
  t.throws(() => child.malloc(3_000_000), { instanceOf: HeapCorruptionError });
  t.throws(() => heap.contexts.create('more'), { instanceOf: HeapCorruptionError });
  t.throws(() => context.delete(), { instanceOf: HeapCorruptionError });
  const error = t.throws(() => heap.detach(), { instanceOf: AggregateError });
  t.true(error?.errors.every((one) => one instanceof HeapCorruptionError));
  t.is(called, 1, 'callbacks are called once');
  for (const one of [context, child]) {
    t.throws(() => one.malloc(8), { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT_ENDED' });
  }
});
