/**
 * Proves docs/limits.md: every row with a number is tried at its limit, where the call works, and one past
 * it, where the call throws the error of the row.
 */

import { readFileSync } from 'node:fs';
import test from 'ava';
import { HeapExhaustedError, NULL, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';

const page = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8');

/** Rows of the page's tables: what, from, to, past it. */
const rows = page
  .split('\n')
  .filter((line) => /^\|(?! (what|---) \|)/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const MIB = 2 ** 20;
const SIZE = 16 * MIB;
const create = (options: object) => SharedHeap.create({ size: SIZE, ...options }).detach();

/** The first number of a cell. */
const numberIn = (cell: string): number => Number(/[\d,]+/.exec(cell)?.[0].replaceAll(',', ''));

interface Probe {
  /** The call with a value: at the limit it works. */
  readonly call: (value: number) => unknown;
  /** The limits, where the cells have more than a number. */
  readonly from?: number;
  readonly to?: number;
}

const heap = SharedHeap.create({ size: SIZE });

const PROBES: Record<string, Probe> = {
  '`size`': { call: (size) => create({ size }), from: 2 * MIB, to: 4 * 2 ** 30 },
  '`threads`: threads that are attached at once': { call: (threads) => create({ threads }) },
  '`contexts`: memory contexts alive at once': {
    call: (contexts) => SharedHeap.create({ size: '512MiB', contexts }).detach(),
  },
  '`lockTimeoutMs`': { call: (lockTimeoutMs) => create({ lockTimeoutMs }) },
  'an alignment': { call: (alignment) => heap.free(heap.alignedAlloc(alignment, 1)) },
  '`initialBytes`, `maxBytes`': {
    call(bytes) {
      heap.contexts.create('low', { initialBytes: bytes }).delete();
      heap.contexts.create('high', { initialBytes: 256, maxBytes: bytes }).delete();
    },
  },
  // One of the longest has no room in a heap: the error is another then.
  '`bytes` of an element': {
    call(bytes) {
      try {
        heap.vectors.create({ bytes }).delete();
      } catch (error) {
        if (!(error instanceof HeapExhaustedError)) throw error;
      }
    },
  },
  '`guard`': { call: (guard) => create({ debug: { guard } }) },
  '`history`': {
    call: (history) => SharedHeap.create({ threads: 1, debug: { history } }).detach(),
  },
  '`stacks`': { call: (stacks) => create({ debug: { stacks } }) },
  '`length` of `inspect.hexdump`': {
    call(length) {
      const block = heap.malloc(16);
      heap.inspect.hexdump(block, { length });
      heap.free(block);
    },
  },
};

/** Rows of another kind than a range: each has a test below, or of its own elsewhere. */
const OTHERS = [
  'a size, in `malloc` and the like',
  'a block',
  'an address, in `free` and the like',
  'name and `ident` of a context, as other threads see them',
  '`capacity` and length of a vector',
  '`trace`',
  'problems that `verify()` lists',
  '`threads`',
  'objects inside each other in the result of a task',
];

test('docs/limits.md: each row is tried', (t) => {
  t.deepEqual(rows.map(([what]) => what).sort(), [...Object.keys(PROBES), ...OTHERS].sort());
});

for (const [what = '', from = '', to = '', past = ''] of rows) {
  const probe = PROBES[what];
  if (probe === undefined) continue;
  test(`docs/limits.md, ${what}: both ends work, and past them is the error of the page`, (t) => {
    const [low, high] = [probe.from ?? numberIn(from), probe.to ?? numberIn(to)];
    const [, code] = /`(ERR_SHMALLOC_\w+)`/.exec(past) ?? [];
    if (what !== '`length` of `inspect.hexdump`') t.notThrows(() => probe.call(high));
    t.notThrows(() => probe.call(low));
    // A size is rounded up to pages.
    const step = what === '`size`' ? 65_536 : 1;
    t.throws(() => probe.call(high + step), { code });
    t.throws(() => probe.call(low - step), { code });
  });
}

/** The numbers of a row's cell, by the start of its first cell. */
function cellOf(what: string): string {
  const row = rows.find(([first]) => first === what);
  if (row === undefined) throw new Error(`no row ${what}`);
  return row.join(' | ');
}

test('docs/limits.md: what malloc has no room for, and what is no size', (t) => {
  const code = 'ERR_SHMALLOC_INVALID_SIZE';
  t.true(cellOf('a size, in `malloc` and the like').includes(code));
  t.is(heap.malloc(2 ** 60), NULL);
  for (const size of [-1, 0.5, Number.NaN, Infinity]) t.throws(() => heap.malloc(size), { code });
  const full = 'ERR_SHMALLOC_HEAP_EXHAUSTED';
  t.true(cellOf('a block').includes(full));
  t.is(heap.calloc(SIZE, 1), NULL);
  t.is(heap.alignedAlloc(16, SIZE), NULL);
  t.throws(() => heap.alloc(Uint8Array, SIZE), { code: full });
  t.throws(() => heap.allocString('x'.repeat(SIZE)), { code: full });
  t.is(heap.usableSize(heap.malloc(0)), 16);
  t.throws(() => heap.free(8), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
});

test('docs/limits.md: one thread, one context more than a heap has', (t) => {
  const small = SharedHeap.create({ size: SIZE, contexts: 1, threads: 1 });
  small.contexts.create('one');
  t.throws(() => small.contexts.create('two'), { code: 'ERR_SHMALLOC_CONTEXT' });
});

test('docs/limits.md: names of contexts are cut in the heap, and whole in their thread', (t) => {
  const bytes = numberIn(
    cellOf('name and `ident` of a context, as other threads see them').split('|')[2] ?? '',
  );
  const context = heap.contexts.create('n'.repeat(bytes + 1), { ident: 'i'.repeat(bytes) });
  t.is(context.name.length, bytes + 1);
  context.malloc(10);
  const [label] = heap.inspect.blocks().flatMap((block) => block.context ?? []);
  t.is(label?.name, 'n'.repeat(bytes));
  t.is(label?.ident, 'i'.repeat(bytes));
  context.delete();
});

test('docs/limits.md: capacities of vectors', (t) => {
  const row = cellOf('`capacity` and length of a vector');
  t.true(row.includes((2 ** 32 - 1).toLocaleString('en')));
  t.throws(() => heap.vectors.create(Uint8Array, { capacity: 2 ** 32 }), {
    code: 'ERR_SHMALLOC_VECTOR',
  });
  t.throws(() => heap.vectors.create(Uint8Array, { capacity: 2 ** 32 - 1 }), {
    code: 'ERR_SHMALLOC_HEAP_EXHAUSTED',
  });
});

test('docs/limits.md: the path of a trace', (t) => {
  const bytes = numberIn(cellOf('`trace`').split('|')[2] ?? '');
  const code = 'ERR_SHMALLOC_INVALID_OPTION';
  t.throws(() => create({ debug: { trace: `/${'x'.repeat(bytes)}` } }), { code, message: /1024/ });
});

test('docs/limits.md: the threads of a pool', (t) => {
  const filename = new URL(import.meta.url);
  const code = 'ERR_SHMALLOC_INVALID_OPTION';
  const small = SharedHeap.create({ size: SIZE, threads: 3 });
  t.throws(() => new HeapPool(small, { filename, threads: 3 }), { code, message: /2 at most/ });
});
