/**
 * Proves what memory contexts promise: allocation in both kinds, the tree and its end, statistics,
 * and the errors of calls that make no sense.
 */

import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import {
  type Address,
  type AnyContext,
  Context,
  type ContextOptions,
  HeapError,
  HeapExhaustedError,
  InvalidAddressError,
  type SetContext,
  SharedHeap,
} from 'shmalloc';
import { fillPattern, findDamage, findNonZero } from '../helpers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const KINDS = ['bump', 'set'] as const;
const ENDED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT_ENDED' };
const REFUSED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT' };
const BAD_OPTION = { code: 'ERR_SHMALLOC_INVALID_OPTION' };

const make = (size = '16MiB') => SharedHeap.create({ size, threads: 2 });

test('heap.contexts.create: a root of this thread with its name and ident, gone with using', (t) => {
  using heap = make();
  {
    using request = heap.contexts.create('request', { ident: '17' });
    t.true(request instanceof Context);
    t.like(request, { name: 'request', ident: '17', kind: 'bump', parent: null });
    t.deepEqual(heap.contexts.list(), [request]);
    const child = request.createContext('parser', { kind: 'set' });
    t.is(child.parent, request);
    t.is(child.kind, 'set');
    t.deepEqual(request.children, [child]);
    t.deepEqual(heap.contexts.list(), [request], 'a child is no root');
    child.malloc(100);
    t.is(countRecords(heap).contexts, 2);
    assertSound(t, heap);
  }
  t.deepEqual(heap.contexts.list(), []);
  assertNothingLeft(t, heap);
});

for (const kind of KINDS) {
  test(`Context.malloc: objects of any size, apart from each other (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    const sizes = [0, 0, 1, 15, 16, 17, 100, 1000, 4095, 4097, 65_535, 65_536, 65_537, 3_000_000];
    const objects = sizes.map((size) => ({ size, address: context.malloc(size) }));
    for (const [n, { size, address }] of objects.entries()) {
      t.is(address % 16, 0);
      t.true(address > 0);
      fillPattern(heap, address, size, n);
    }
    t.is(new Set(objects.map(({ address }) => address)).size, sizes.length, 'none is another');
    for (const [n, { size, address }] of objects.entries()) {
      t.is(findDamage(heap, address, size, n), -1, `${size} bytes`);
    }
    t.is(context.stats().objects, sizes.length);
    assertSound(t, heap);
  });

  test(`Context.calloc and alloc: zeros, where others have been before (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    for (let round = 0; round < 3; round++) {
      for (const [count, size] of [
        [1, 100],
        [100, 8],
        [3, 30_000],
        [0, 8],
        [1, 2_500_000],
      ] as const) {
        const address = context.calloc(count, size);
        t.is(findNonZero(heap, address, count * size), -1);
        heap.u8.fill(0xee, address, address + count * size);
      }
      const view = context.alloc(Float64Array, 500);
      t.true(view instanceof Float64Array);
      t.is(view.length, 500);
      t.is(view.buffer as unknown, heap.handle.buffer);
      t.true(view.every((x) => x === 0));
      view.fill(1 / 3);
      const bytes = context.alloc(Uint8Array, 33);
      t.true(bytes.every((x) => x === 0));
      bytes.fill(0xff);
      t.is(context.alloc(BigUint64Array, 0).length, 0);
      context.reset();
    }
  });

  test(`Context.allocString and heap.readString: any text comes back (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    const texts = ['', 'a', 'Grüße', '日本語', '🙂'.repeat(3000), 'x'.repeat(100_000), '\0\n'];
    const stored = texts.map((text) => context.allocString(text));
    for (const [n, address] of stored.entries()) {
      t.is(heap.readString(address), texts[n]);
      t.is(heap.u32[address >>> 2], Buffer.byteLength(texts[n] as string));
      t.is(heap.u8[address + 4 + Buffer.byteLength(texts[n] as string)], 0);
    }
    t.throws(() => context.allocString(7 as unknown as string), BAD_OPTION);
    for (const bad of [0, 3, -16, 16, 2 ** 40, Number.NaN, '16', null]) {
      t.throws(() => heap.readString(bad as Address), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
    }
  });

  test(`Context.stats: chunks, bytes, free bytes and objects agree with a recount (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind, initialBytes: 1024, maxBytes: 64 * 1024 });
    let objects = 0;
    let taken = 0;
    for (let n = 0; n < 400; n++) {
      const size = (n * 37) % 900;
      context.malloc(size);
      objects++;
      const room = Math.max(16, Math.ceil(size / 16) * 16);
      taken += kind === 'bump' ? room : 16 + 2 ** Math.ceil(Math.log2(room));
      const stats = context.stats();
      t.is(stats.objects, objects);
      t.is(stats.bytes - stats.freeBytes, taken);
    }
    for (const size of [20_000, 100_000]) {
      context.malloc(size);
      objects++;
      taken += size + (kind === 'set' ? 16 : 0);
      const stats = context.stats();
      t.is(stats.bytes - stats.freeBytes, Math.ceil(taken / 16) * 16);
      t.is(stats.objects, objects);
    }
    const { chunks, bytes } = context.stats();
    t.true(chunks > 3);
    t.is(chunks, countRecords(heap).chunks);
    t.is(bytes, heap.stats().inUseBytes, 'nothing else is in use');
    context.reset();
    t.like(context.stats(), { chunks: 1, bytes: 1024, freeBytes: 1024, objects: 0 });
    t.is(heap.stats().inUseBytes, 1024);
  });

  test(`Context.malloc: sizes that are none are refused, and nothing has changed (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    for (const size of [-1, 1.5, Number.NaN, Infinity, '8', undefined, null, 8n]) {
      for (const call of ['malloc', 'tryMalloc'] as const) {
        t.throws(() => context[call](size as number), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
      }
      t.throws(() => context.calloc(1, size as number), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
      t.throws(() => context.alloc(Uint8Array, size as number), {
        code: 'ERR_SHMALLOC_INVALID_SIZE',
      });
    }
    t.deepEqual(context.stats(), { chunks: 0, bytes: 0, freeBytes: 0, objects: 0 });
    assertSound(t, heap);
  });

  test(`Context.malloc: what no heap has room for is HeapExhaustedError, tryMalloc 0 (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind, ident: 'x9' });
    for (const size of [2 ** 24, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 100, 2 ** 52]) {
      const error = t.throws(() => context.malloc(size), { instanceOf: HeapExhaustedError });
      t.is(error?.code, 'ERR_SHMALLOC_HEAP_EXHAUSTED');
      t.is(error?.bytes, size);
      t.regex(error?.message ?? '', /malloc: no room for \d+ bytes in context 'c' \(x9\)/);
      t.is(context.tryMalloc(size), 0 as Address);
    }
    t.throws(() => context.calloc(2 ** 40, 2 ** 40), { instanceOf: HeapExhaustedError });
    t.throws(() => context.alloc(Float64Array, 2 ** 50), { instanceOf: HeapExhaustedError });
    t.deepEqual(context.stats(), { chunks: 0, bytes: 0, freeBytes: 0, objects: 0 });
    assertSound(t, heap);
  });

  test(`Context: every call on one that has ended says so (${kind})`, (t) => {
    using heap = make();
    const context = heap.contexts.create('gone', { kind });
    const object = context.malloc(10);
    context.delete();
    const others = heap.contexts.create('other', { kind });
    for (const [what, call] of Object.entries(callsOn(context, object, others))) {
      t.throws(call, { ...ENDED, message: /'gone'.*ended/ }, what);
    }
    t.notThrows(() => context[Symbol.dispose]());
    t.throws(() => others.setParent(context), ENDED);
    t.throws(() => heap.contexts.create('x', { parent: context }), ENDED);
    others.delete();
    assertNothingLeft(t, heap);
  });
}

/** All that can be asked of a context. */
function callsOn(
  context: AnyContext,
  object: Address,
  other: AnyContext,
): Record<string, () => unknown> {
  return {
    malloc: () => context.malloc(8),
    'malloc of 0': () => context.malloc(0),
    'malloc of much': () => context.malloc(100_000),
    tryMalloc: () => context.tryMalloc(8),
    calloc: () => context.calloc(1, 8),
    alloc: () => context.alloc(Int8Array, 8),
    allocString: () => context.allocString('x'),
    free: () => (context as SetContext).free(object),
    realloc: () => (context as SetContext).realloc(object, 20),
    usableSize: () => (context as SetContext).usableSize(object),
    createContext: () => context.createContext('child'),
    setParent: () => context.setParent(other),
    onReset: () => context.onReset(() => {}),
    reset: () => context.reset(),
    resetOnly: () => context.resetOnly(),
    resetChildren: () => context.resetChildren(),
    delete: () => context.delete(),
    deleteChildren: () => context.deleteChildren(),
    release: () => context.release(),
    stats: () => context.stats(),
  };
}

test('contexts.create: mistakes in options are told as they were given', (t) => {
  using heap = make();
  const wrong: [unknown, unknown][] = [
    ['', {}],
    [7, {}],
    ['c', { kind: 'heap' }],
    ['c', { parent: {} }],
    ['c', { parent: null }],
    ['c', { ident: 7 }],
    ['c', { initialBytes: 100 }],
    ['c', { initialBytes: 300.5 }],
    ['c', { initialBytes: '4KiB' }],
    ['c', { maxBytes: 100 }],
    ['c', { maxBytes: 2 ** 29 }],
    ['c', { maxBytes: Number.NaN }],
    ['c', { initialBytes: 8192, maxBytes: 4096 }],
  ];
  for (const [name, options] of wrong) {
    t.throws(() => heap.contexts.create(name as string, options as ContextOptions), BAD_OPTION);
  }
  t.deepEqual(heap.contexts.list(), []);
  assertNothingLeft(t, heap);
});

test('contexts.create: a parent of another heap, or of an attachment that has ended, is refused', (t) => {
  using heap = make();
  using other = make();
  using foreign = other.contexts.create('foreign');
  t.throws(() => heap.contexts.create('c', { parent: foreign }), REFUSED);
  const mine = heap.contexts.create('c');
  t.throws(() => mine.setParent(foreign), REFUSED);
  t.is(mine.parent, null);
  const again = SharedHeap.attach(heap.handle);
  t.is(again, heap);
  heap.detach();
  t.throws(() => heap.contexts.create('c'), { code: 'ERR_SHMALLOC_DETACHED' });
  t.throws(() => mine.malloc(8), ENDED);
  using new_ = SharedHeap.attach(other.handle);
  t.is(new_, other);
});

// ---- free of single objects

test("Context.free: a 'bump' context says that objects end together", (t) => {
  using heap = make();
  using context = heap.contexts.create('arena');
  const object = context.malloc(10);
  for (const call of ['free', 'realloc', 'usableSize'] as const) {
    t.throws(() => (context[call] as (a: Address, n: number) => void)(object, 5), {
      ...REFUSED,
      message: /'arena': its kind is 'bump'.*reset\(\).*kind: 'set'/,
    });
  }
  t.is(context.stats().objects, 1);
});

// ---- the tree

interface Family {
  root: AnyContext;
  a: AnyContext;
  b: AnyContext;
  aa: AnyContext;
}

/** A root with two children and a grandchild, an object in each. */
function family(heap: SharedHeap): Family {
  const root = heap.contexts.create('root');
  const a = root.createContext('a', { kind: 'set' });
  const b = root.createContext('b');
  const aa = a.createContext('aa');
  for (const context of [root, a, b, aa]) context.malloc(5000);
  return { root, a, b, aa };
}

const lives = (context: AnyContext): boolean => {
  try {
    return context.stats().chunks >= 0;
  } catch {
    return false;
  }
};

const TREE_CALLS: Record<
  string,
  { call: (f: Family) => void; live: (keyof Family)[]; empty: (keyof Family)[] }
> = {
  'reset(): ends children, empties this': {
    call: ({ root }) => root.reset(),
    live: ['root'],
    empty: ['root'],
  },
  'resetOnly(): empties this, and leaves children alone': {
    call: ({ root }) => root.resetOnly(),
    live: ['root', 'a', 'b', 'aa'],
    empty: ['root'],
  },
  'resetChildren(): children are empty and have no children; this is as it was': {
    call: ({ root }) => root.resetChildren(),
    live: ['root', 'a', 'b'],
    empty: ['a', 'b'],
  },
  'deleteChildren(): children end, this is as it was': {
    call: ({ root }) => root.deleteChildren(),
    live: ['root'],
    empty: [],
  },
  'delete(): all of them end': { call: ({ root }) => root.delete(), live: [], empty: [] },
  'delete() of a child: its parent and siblings stay': {
    call: ({ a }) => a.delete(),
    live: ['root', 'b'],
    empty: [],
  },
  'setParent(null), then delete() of the root: what was moved stays': {
    call({ root, a }) {
      a.setParent(null);
      root.delete();
    },
    live: ['a', 'aa'],
    empty: [],
  },
  'setParent() to a cousin, then delete() of the old parent': {
    call({ a, b, aa }) {
      aa.setParent(b);
      a.delete();
    },
    live: ['root', 'b', 'aa'],
    empty: [],
  },
};

for (const [title, { call, live, empty }] of Object.entries(TREE_CALLS)) {
  test(`Context.${title}`, (t) => {
    using heap = make();
    const all = family(heap);
    call(all);
    for (const [name, context] of Object.entries(all)) {
      const alive = live.includes(name as keyof Family);
      t.is(lives(context), alive, name);
      if (alive) t.is(context.stats().objects, empty.includes(name as never) ? 0 : 1, name);
    }
    assertSound(t, heap);
    t.is(countRecords(heap).contexts, live.length);
    for (const root of heap.contexts.list()) root.delete();
    assertNothingLeft(t, heap);
  });
}

test('Context.setParent: never below itself; roots and children are as it says', (t) => {
  using heap = make();
  const { root, a, b, aa } = family(heap);
  t.throws(() => root.setParent(aa), { ...REFUSED, message: /'aa' lies below it/ });
  t.throws(() => a.setParent(a), REFUSED);
  t.throws(() => a.setParent({} as AnyContext), { any: true });
  a.setParent(a.parent);
  t.deepEqual(root.children, [b, a]);
  a.setParent(null);
  t.deepEqual(heap.contexts.list(), [root, a]);
  t.is(a.parent, null);
  root.setParent(aa);
  t.deepEqual(heap.contexts.list(), [a]);
  assertSound(t, heap);
  a.delete();
  assertNothingLeft(t, heap);
});

// ---- addresses of contexts in other calls

for (const kind of KINDS) {
  test(`heap.free_ts and the like: memory of a context is owned, not theirs to touch (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    const small = context.malloc(100);
    const large = context.malloc(3_000_000);
    const before = context.stats();
    for (const address of [small, large, (small + 16) as Address, (large + 4096) as Address]) {
      for (const call of ownedCalls(heap, address)) {
        t.is(t.throws(call, { instanceOf: InvalidAddressError })?.reason, 'owned');
      }
    }
    t.throws(() => heap.free_ts((small + 1) as Address), { instanceOf: InvalidAddressError });
    t.deepEqual(context.stats(), before);
    assertSound(t, heap);
  });
}

const ownedCalls = (heap: SharedHeap, address: Address): (() => unknown)[] => [
  () => heap.free_ts(address),
  () => heap.realloc_ts(address, 50),
  () => heap.realloc_ts(address, 500_000),
  () => heap.usableSize(address),
  () => heap.view(Uint8Array, address, 1),
  () => heap.free(address),
  () => heap.realloc(address, 50),
];

test('contexts beside malloc, free and realloc of one thread', (t) => {
  using heap = make();
  const blocks: Address[] = [];
  for (let n = 0; n < 3000; n++) {
    using context = heap.contexts.create('c', { kind: KINDS[n % 2] as 'set' });
    blocks.push(heap.malloc((n * 7) % 6000));
    context.malloc((n * 13) % 9000);
    if (n % 3 === 0) context.malloc(200_000);
    if (n % 3 === 1) heap.free(blocks.shift() as Address);
    if (n % 5 === 4) heap.free_ts(heap.realloc(blocks.shift() as Address, 10_000));
    if (n % 500 === 0) assertSound(t, heap);
  }
  for (const block of blocks) heap.free(block);
  assertNothingLeft(t, heap);
});

// ---- how many there can be

test('contexts.create: as many as the heap was made for, an error for one more, and room again', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1, contexts: 20 });
  for (let round = 0; round < 3; round++) {
    const all = Array.from({ length: 20 }, (_, n) => heap.contexts.create(`c${n}`));
    t.throws(() => heap.contexts.create('one more'), {
      ...REFUSED,
      message: /'one more'.*20 contexts.*in use/,
    });
    t.throws(() => all[0]?.createContext('one more'), REFUSED);
    all[7]?.delete();
    all[7] = heap.contexts.create('in its place');
    assertSound(t, heap);
    for (const context of all) context.delete();
    assertNothingLeft(t, heap);
  }
});

test('contexts.create: a heap for no contexts has none, and works', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1, contexts: 0 });
  t.throws(() => heap.contexts.create('c'), { ...REFUSED, message: /contexts: 0/ });
  heap.free_ts(heap.malloc_ts(100));
  t.throws(
    () =>
      heap.contexts.adopt({
        kind: 'shmalloc context',
        heapId: heap.handle.id,
        index: 1,
        generation: 0,
        adoptions: 0,
        name: 'c',
        ident: '',
      }),
    REFUSED,
  );
  t.is(heap.contexts.of(100 as Address), undefined);
  assertNothingLeft(t, heap);
});

test('contexts.adopt: a handle is good for once, also when the context was released again', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const first = heap.contexts.create('passed').release();
  const second = heap.contexts.adopt(first).release();
  t.throws(() => heap.contexts.adopt(first), {
    code: 'ERR_SHMALLOC_CONTEXT',
    message: /good for once/,
  });
  t.deepEqual(heap.contexts.released(), [second]);
  heap.contexts.adopt(second).delete();
  t.deepEqual(heap.contexts.released(), []);
  assertNothingLeft(t, heap);
});

test('HeapExhaustedError: says what was asked, and what all contexts of the heap have', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  using server = heap.contexts.create('server');
  server.createContext('request', { ident: '7', kind: 'set' }).malloc(100);
  const error = t.throws(() => server.malloc(2 ** 30), { instanceOf: HeapExhaustedError });
  t.is(error?.bytes, 2 ** 30);
  t.regex(error?.message ?? '', /^malloc: no room for 1073741824 bytes in context 'server'\n/);
  t.regex(error?.message ?? '', /^ {2}request \(7\), set: 4096 bytes in 1 chunks; .*1 objects$/m);
  t.regex(error?.message ?? '', /^Grand total: 4096 bytes in 1 chunks; \d+ free; \d+ used$/m);
  t.is(server.tryMalloc(2 ** 30), 0 as Address);
});

test('contexts.tree, inspect.print contexts: all contexts, each below its parent, and the sum', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1, contexts: 200 });
  using server = heap.contexts.create('server');
  for (let n = 0; n < 103; n++) server.createContext('request', { ident: `${n}` });
  server.malloc(100);
  const [root, ...others] = heap.contexts.tree();
  t.like(root, {
    name: 'server',
    level: 1,
    parent: 0,
    owner: 0,
    chunks: 1,
    bytes: 4096,
    objects: 1,
  });
  t.is(others.length, 103);
  t.true(others.every(({ level, path }) => level === 2 && path.length === 2));
  let printed = '';
  const write = (text: string): void => {
    printed += text;
  };
  heap.inspect.print('contexts', { write });
  const lines = printed.trimEnd().split('\n');
  t.is(lines.length, 1 + 100 + 1 + 1);
  t.regex(lines[101] ?? '', /^ {2}3 more contexts: /);
});

test('a context that is printed says what it is and has', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const context = heap.contexts.create('request', { ident: '42' });
  context.malloc(1);
  t.is(inspect(context), "Context 'request' (42), bump: 1 objects in 4096 bytes");
  context.delete();
  t.is(inspect(context), "Context 'request' (42), ended");
});

// ---- contexts.run

async function settles(t: ExecutionContext, heap: SharedHeap, fails: boolean): Promise<void> {
  let seen: AnyContext | undefined;
  let go = (): void => {};
  const section = new Promise<void>((resolve) => {
    go = resolve;
  });
  const result = heap.contexts.run('work', async (context) => {
    seen = context;
    context.malloc(100);
    await section;
    context.malloc(100);
    if (fails) throw new Error('on purpose');
    return 42;
  });
  t.is(seen?.stats().objects, 1, 'it lives while the promise is open');
  go();
  if (fails) await t.throwsAsync(result, { message: 'on purpose' });
  else t.is(await result, 42);
  t.throws(() => seen?.malloc(1), ENDED);
  assertNothingLeft(t, heap);
}

test('heap.contexts.run: ends when the call returns, throws, or its promise settles', async (t) => {
  using heap = make();
  let seen: AnyContext | undefined;
  t.is(
    heap.contexts.run(
      'work',
      (context) => {
        seen = context;
        t.is(context.kind, 'set');
        t.true(context.malloc(10) > 0);
        return 7;
      },
      { kind: 'set' },
    ),
    7,
  );
  t.throws(() => seen?.malloc(1), ENDED);
  t.throws(
    () =>
      heap.contexts.run('work', (context) => {
        seen = context;
        throw new Error('on purpose');
      }),
    { message: 'on purpose' },
  );
  t.throws(() => seen?.malloc(1), ENDED);
  t.notThrows(() => heap.contexts.run('work', (context) => context.delete()));
  assertNothingLeft(t, heap);
  await settles(t, heap, false);
  await settles(t, heap, true);
});

// ---- heaps in given buffers

test('contexts in a dirty buffer at an offset: objects are zero where that is said, bounds hold', (t) => {
  const buffer = new SharedArrayBuffer(12 * 2 ** 20);
  const all = new Uint8Array(buffer).fill(0xa5);
  const [from, bytes] = [3 * 8192, 10 * 2 ** 20];
  using heap = SharedHeap.create({ buffer, byteOffset: from, size: bytes, threads: 2 });
  assertNothingLeft(t, heap);
  for (const kind of KINDS) {
    using root = heap.contexts.create('root', { kind });
    for (let n = 0; n < 150; n++) {
      const child = root.createContext('child', { kind, initialBytes: 512 });
      t.is(findNonZero(heap, child.calloc(1, n * 100), n * 100), -1);
    }
    t.true(root.alloc(Int32Array, 100_000).every((x) => x === 0));
    assertSound(t, heap);
  }
  assertNothingLeft(t, heap);
  const margins = [all.subarray(0, from), all.subarray(from + bytes)];
  t.true(margins.every((margin) => margin.every((byte) => byte === 0xa5)));
});
