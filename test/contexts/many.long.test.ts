/**
 * Proves that the number and depth of contexts, and the length of what is in them, make no
 * difference: nothing is recursive, nothing is limited but by the heap.
 */

import test from 'ava';
import { type Address, type AnyContext, type Context, SharedHeap } from 'shmalloc';
import { fillPattern, findDamage } from '../helpers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const MIB = 2 ** 20;
const DEEP = 21_000;
/** More than the arguments that fit on a stack. */
const WIDE = 140_000;

/** A chain of nested contexts, each the only child of the one before. */
function chain(heap: SharedHeap, length: number): Context[] {
  const all = [heap.contexts.create('root')];
  for (let n = 1; n < length; n++) all.push((all[n - 1] as Context).createContext('c'));
  return all;
}

test(`a chain of ${DEEP} contexts: reset, delete, move, release and adopt without recursion`, (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 2, contexts: DEEP });
  let calls = 0;
  const count = (): void => {
    calls++;
  };
  for (const end of ['delete', 'reset', 'deleteChildren', 'resetChildren'] as const) {
    const all = chain(heap, DEEP);
    t.is(countRecords(heap).contexts, DEEP);
    for (const context of [all[1], all[DEEP >> 1], all[DEEP - 1]]) {
      context?.malloc(10);
      context?.onReset(count);
    }
    all[0]?.[end]();
    t.is(calls, 3, end);
    calls = 0;
    t.is(countRecords(heap).contexts, { delete: 0, resetChildren: 2 }[end as 'delete'] ?? 1);
    for (const root of heap.contexts.list()) root.delete();
    assertNothingLeft(t, heap);
  }
  const [root] = chain(heap, DEEP);
  const adopted = heap.contexts.adopt((root as Context).release());
  let depth = 1;
  let last = adopted;
  for (; last.children.length > 0; last = last.children[0] as AnyContext) depth++;
  t.is(depth, DEEP);
  t.throws(() => adopted.setParent(last), { code: 'ERR_SHMALLOC_CONTEXT' });
  adopted.setParent(null);
  assertSound(t, heap);
  heap.detach();
  using again = SharedHeap.attach(heap.handle);
  assertNothingLeft(t, again);
});

test(`${WIDE} children of one context: reset, delete, release and adopt`, (t) => {
  using heap = SharedHeap.create({ size: '128MiB', threads: 2, contexts: WIDE + 1 });
  for (const end of ['resetChildren', 'delete'] as const) {
    const root = heap.contexts.create('root');
    for (let n = 0; n < WIDE; n++) root.createContext('child');
    if (end === 'delete') {
      const adopted = heap.contexts.adopt(root.release());
      t.is(adopted.children.length, WIDE);
      adopted.delete();
    } else {
      root[end]();
      t.is(root.children.length, WIDE);
      root.reset();
      t.is(root.children.length, 0);
      root.delete();
    }
    t.deepEqual(countRecords(heap), { contexts: 0, chunks: 0 });
  }
  assertNothingLeft(t, heap);
});

test('10,000 contexts alive at once, each with objects of its own', (t) => {
  using heap = SharedHeap.create({ size: '128MiB', threads: 2, contexts: 10_000 });
  const all = Array.from({ length: 10_000 }, (_, n) => {
    const context = heap.contexts.create('c', {
      kind: n % 2 === 0 ? 'bump' : 'set',
      ident: `${n}`,
    });
    const object = context.malloc(100);
    fillPattern(heap, object, 100, n);
    return { context, object };
  });
  t.is(heap.contexts.list().length, 10_000);
  assertSound(t, heap);
  for (const [n, { context, object }] of all.entries()) {
    if (findDamage(heap, object, 100, n) !== -1) t.fail(`context ${n}`);
    if (context.kind === 'set' && heap.contexts.of(object) !== context) t.fail(`set ${n}`);
    if (n % 3 !== 0) context.delete();
  }
  t.is(heap.contexts.list().length, 3334);
  assertSound(t, heap);
  heap.detach();
  using again = SharedHeap.attach(heap.handle);
  assertNothingLeft(t, again);
});

for (const kind of ['bump', 'set'] as const) {
  test(`a context of 1 GiB, in chunks and in one piece (${kind})`, (t) => {
    using heap = SharedHeap.create({ size: '3GiB', threads: 2 });
    {
      using context = heap.contexts.create('huge', { kind });
      const objects: Address[] = [];
      // Of each only a few bytes are touched.
      while (context.stats().bytes < 1024 * MIB) objects.push(context.malloc(MIB - 100));
      t.true(objects.length > 500);
      for (const [n, object] of objects.entries()) heap.u32[(object + MIB - 104) >>> 2] = n;
      t.true(objects.every((object, n) => heap.u32[(object + MIB - 104) >>> 2] === n));
      assertSound(t, heap);
      context.reset();
      t.is(context.stats().chunks, 1);
      const whole = context.malloc(1024 * MIB);
      heap.u32[(whole + 1024 * MIB - 4) >>> 2] = 7;
      t.true(context.stats().bytes > 1024 * MIB);
      // In the upper half of the buffer, and so past 2 GiB.
      t.true(whole > 2 ** 30 + 2 ** 29);
      const beside = context.malloc(900 * MIB);
      t.true(Math.max(whole, beside) < 3 * 1024 * MIB);
      if (context.kind === 'set') {
        t.is(heap.contexts.of(whole), context);
        context.free(whole);
        t.is(heap.contexts.of(whole), undefined);
      }
    }
    assertNothingLeft(t, heap);
  });
}

test('contexts past 2 GiB: both kinds, small and large objects', (t) => {
  using heap = SharedHeap.create({ size: '4000MiB', threads: 2 });
  const low = heap.malloc_ts(1);
  const pad = Array.from({ length: 5 }, () => heap.malloc_ts(600 * MIB));
  t.true(pad.slice(0, 5).every((block) => block > 0));
  // The rest lies at both ends; what is in the middle is free again.
  heap.free_ts(pad[1] as Address);
  for (const kind of ['bump', 'set'] as const) {
    using context = heap.contexts.create('c', { kind, initialBytes: MIB, maxBytes: 8 * MIB });
    const objects = Array.from({ length: 2000 }, (_, n) => {
      const size = n % 400 === 0 ? 3 * MIB : (n * 37) % 3000;
      const address = context.malloc(size);
      fillPattern(heap, address, Math.min(size, 3000), n);
      return { address, size };
    });
    t.true(objects.some(({ address }) => address > 2 ** 31));
    for (const [n, { address, size }] of objects.entries()) {
      if (findDamage(heap, address, Math.min(size, 3000), n) !== -1) t.fail(`object ${n}`);
      if (context.kind === 'set' && n % 2 === 0) context.free(address);
      if (context.kind === 'set' && n % 2 === 1) {
        const moved = context.realloc(address, size + 5000);
        if (findDamage(heap, moved, size & ~3, n) !== -1) t.fail(`moved object ${n}`);
      }
    }
    assertSound(t, heap);
  }
  for (const [n, block] of pad.entries()) if (n !== 1) heap.free_ts(block);
  heap.free_ts(low);
  assertNothingLeft(t, heap);
});
