/**
 * Proves what contexts of kind 'set' promise beyond that: single objects are freed and used again,
 * addresses know their context, and whatever is wrong with an address or a header is found out.
 */

import test from 'ava';
import {
  type Address,
  BlockDamagedError,
  type Context,
  HeapExhaustedError,
  InvalidAddressError,
  NULL,
  SharedHeap,
} from 'shmalloc';
import { fillPattern, findDamage, memoryOf, metadataHash } from '../helpers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const HEADER = 16;
const make = (size = '16MiB') => SharedHeap.create({ size, threads: 2 });
const reasonOf = (t: { throws: typeof test.prototype.throws }, call: () => unknown) => {
  const error = t.throws(call, { instanceOf: InvalidAddressError }) as InvalidAddressError;
  return error?.reason;
};

test('Context.free: an object is used again for the next of its size, and the heap not asked', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set' });
  for (const size of [1, 16, 17, 32, 100, 128, 1000, 60_000]) {
    const first = context.malloc(size);
    context.free(first);
    const { inUseBytes, allocations } = heap.stats();
    for (let n = 0; n < 100; n++) {
      const again = context.malloc(size);
      t.is(again, first, `${size} bytes`);
      context.free(again);
    }
    t.like(heap.stats(), { inUseBytes, allocations });
  }
  t.is(context.stats().objects, 0);
  t.is(context.stats().freeBytes, context.stats().bytes);
  context.free(0 as Address);
  assertSound(t, heap);
});

test('Context.free: a program that keeps little needs little, however long it runs', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set' });
  const live: Address[] = [];
  let chunks = 0;
  for (let n = 0; n < 40_000; n++) {
    live.push(context.malloc((n * 31) % 700));
    if (live.length > 50) context.free(live.splice((n * 17) % 50, 1)[0] as Address);
    if (n === 10_000) chunks = context.stats().chunks;
  }
  t.true(chunks > 0);
  t.is(context.stats().chunks, chunks);
  t.is(context.stats().objects, live.length);
});

test('Context.free: an object with a chunk of its own gives it back to the heap', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set', maxBytes: 256 * 1024 });
  context.malloc(100);
  const before = heap.stats().inUseBytes;
  const stats = context.stats();
  for (const size of [70_000, 200_000, 5_000_000, 70_000]) {
    const object = context.malloc(size);
    t.is(context.stats().chunks, stats.chunks + 1);
    t.true(context.usableSize(object) >= size);
    fillPattern(heap, object, size, size);
    t.is(findDamage(heap, object, size, size), -1);
    t.true(heap.stats().inUseBytes > before + size);
    context.free(object);
    t.is(heap.stats().inUseBytes, before);
    t.deepEqual(context.stats(), stats);
  }
  assertSound(t, heap);
});

test('Context.realloc: keeps the contents, in place where the size class stays', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set', maxBytes: 64 * 1024 });
  let object = context.realloc(NULL, 20);
  let kept = 20;
  fillPattern(heap, object, kept, 1);
  for (const size of [32, 17, 33, 5000, 16_000, 17_000, 300_000, 400_000, 9, 70_000, 1]) {
    const before = object;
    const fits = Math.ceil(Math.log2(Math.max(16, size))) === Math.log2(context.usableSize(object));
    object = context.realloc(object, size);
    if (fits && size < 16_000) t.is(object, before, `${size} bytes`);
    const same = Math.min(kept, size) & ~3;
    t.is(findDamage(heap, object, same, 1), -1, `${size} bytes`);
    t.true(context.usableSize(object) >= size);
    fillPattern(heap, object, size, 1);
    kept = size;
    t.is(context.stats().objects, 1);
  }
  t.is(context.realloc(object, 0), NULL);
  t.is(context.stats().objects, 0);
  t.is(context.stats().freeBytes, context.stats().bytes);
  assertSound(t, heap);
});

test('Context.realloc: one that finds no room leaves the object as it was', (t) => {
  using heap = make('4MiB');
  using context = heap.contexts.create('set', { kind: 'set' });
  const object = context.malloc(100);
  fillPattern(heap, object, 100, 7);
  const stats = context.stats();
  for (const size of [2 ** 22, 2 ** 31, 2 ** 32 + 100, 2 ** 32 + 128, 2 ** 40 + 65, 2 ** 52]) {
    t.throws(() => context.realloc(object, size), { instanceOf: HeapExhaustedError }, `${size}`);
    t.is(findDamage(heap, object, 100, 7), -1);
    t.deepEqual(context.stats(), stats);
  }
  t.throws(() => context.realloc(object, -1), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
  context.free(object);
  assertSound(t, heap);
});

test('heap.contexts.of: the context of a live object, nothing for other addresses', (t) => {
  using heap = make();
  using a = heap.contexts.create('a', { kind: 'set' });
  using b = a.createContext('b', { kind: 'set' });
  using bump = heap.contexts.create('bump');
  const inA = a.malloc(100);
  const inB = b.malloc(3_000_000);
  const inBump = bump.malloc(100);
  const block = heap.malloc_ts(100);
  t.is(heap.contexts.of(inA), a);
  t.is(heap.contexts.of(inB), b);
  for (const address of [inBump, block, inA + 16, inA - 16, inA + 1, 0, -16, 2 ** 33, 16, 0.5]) {
    t.is(heap.contexts.of(address as Address), undefined, `${address}`);
  }
  for (const wrong of ['16', null, undefined, {}, 16n]) {
    t.is(heap.contexts.of(wrong as unknown as Address), undefined);
  }
  a.free(inA);
  t.is(heap.contexts.of(inA), undefined, 'freed');
  b.delete();
  t.is(heap.contexts.of(inB), undefined, 'ended');
  heap.free_ts(block);
});

test('Context.free: an address that is no live object of it is refused, and nothing changes', (t) => {
  using heap = make();
  using context = heap.contexts.create('mine', { kind: 'set' });
  using other = heap.contexts.create('other', { kind: 'set' });
  using bump = heap.contexts.create('bump');
  const freed = context.malloc(50);
  const object = context.malloc(50);
  context.free(freed);
  const big = context.malloc(4_000_000);
  context.free(big);
  const block = heap.malloc_ts(50);
  const wrong: [unknown, string][] = [
    [freed, 'freed'],
    [big, 'freed'],
    [object + 16, 'foreign'],
    [object + 1, 'misaligned'],
    [other.malloc(50), 'foreign'],
    [bump.malloc(50), 'foreign'],
    [block, 'foreign'],
    [-16, 'negative'],
    [0.5, 'fractional'],
    [Number.NaN, 'nan'],
    [16, 'metadata'],
    [2 ** 33, 'out-of-range'],
    ['16', 'not-a-number'],
    [undefined, 'not-a-number'],
  ];
  const before = metadataHash(heap);
  for (const [address, reason] of wrong) {
    for (const call of [
      () => context.free(address as Address),
      () => context.realloc(address as Address, 10),
      () => context.usableSize(address as Address),
    ]) {
      const error = t.throws(call, { instanceOf: InvalidAddressError });
      t.is(error?.reason, reason as never, `${String(address)}: ${error?.message}`);
    }
  }
  t.is(metadataHash(heap), before);
  heap.free_ts(block);
  context.free(object);
  assertSound(t, heap);
});

test('Context.free: an address from before a reset, or of a context that was, is refused', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set' });
  const stale = [10, 10, 500, 3000].map((size) => context.malloc(size));
  context.reset();
  for (const address of stale)
    t.is(
      reasonOf(t as never, () => context.free(address)),
      'foreign',
    );
  context.malloc(10);
  for (const address of stale.slice(1)) {
    t.is(
      reasonOf(t as never, () => context.free(address)),
      'foreign',
    );
  }
  const before = heap.contexts.create('short', { kind: 'set' });
  const gone = before.malloc(10);
  before.delete();
  using after = heap.contexts.create('in its record', { kind: 'set' });
  t.is(after.malloc(10), gone, 'the same memory, ...');
  after.reset();
  t.is(
    reasonOf(t as never, () => after.free(gone)),
    'foreign',
  );
  assertSound(t, heap);
});

// ---- damage

/** Overwrites each word of an object's header in turn, and puts it back. */
function eachWord(heap: SharedHeap, object: Address, check: (word: number) => void): void {
  for (let word = 0; word < HEADER / 4; word++) {
    const at = (object - HEADER) / 4 + word;
    const was = heap.u32[at] as number;
    for (const value of [0, 1, was ^ 1, was ^ 0x80000000, 0xffffffff]) {
      if (value === was) continue;
      heap.u32[at] = value;
      check(word);
    }
    heap.u32[at] = was;
  }
}

test('a set: a live object with an overwritten header is refused, and all else goes on', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set' });
  for (const size of [24, 4_000_000]) {
    const object = context.malloc(size);
    const neighbour = context.malloc(24);
    const before = context.stats();
    let checks = 0;
    eachWord(heap, object, () => {
      checks++;
      t.throws(() => context.free(object), { instanceOf: InvalidAddressError });
      t.throws(() => context.realloc(object, 100), { instanceOf: InvalidAddressError });
      t.is(heap.contexts.of(object), undefined);
      t.is(heap.contexts.of(neighbour), context);
      t.deepEqual(context.stats(), before);
    });
    t.true(checks > 12);
    context.free(object);
    context.free(neighbour);
  }
  assertSound(t, heap);
});

test('a set: a freed object that was written to is damage, told once; the list is given up', (t) => {
  using heap = make();
  using context = heap.contexts.create('damaged', { kind: 'set' });
  const objects = Array.from({ length: 5 }, () => context.malloc(24));
  const other = context.malloc(500);
  context.free(other);
  for (const object of objects) context.free(object);
  const last = objects.at(-1) as Address;
  let checks = 0;
  const lists = Array.from(heap.u32.subarray((last - HEADER) / 4, last / 4));
  eachWord(heap, last, (word) => {
    checks++;
    const error = t.throws(() => context.malloc(24), { instanceOf: BlockDamagedError });
    t.is(error?.code, 'ERR_SHMALLOC_BLOCK_DAMAGED');
    t.like(error, { damage: 'write-after-free', address: last });
    t.regex(error?.message ?? '', /'damaged'.*overwritten.*32 bytes/);
    const fresh = context.malloc(24);
    t.false(objects.includes(fresh), `word ${word}: the list is given up`);
    t.is(heap.contexts.of(fresh), context);
    t.is(context.malloc(500), other, 'other lists are as they were');
    context.free(other);
    // The same again, from the start.
    context.reset();
    const again = Array.from({ length: 5 }, () => context.malloc(24));
    t.deepEqual(again, objects, 'a reset makes it whole');
    t.is(context.malloc(500), other);
    context.free(other);
    for (const object of again) context.free(object);
    lists.splice(0, 4, ...heap.u32.subarray((last - HEADER) / 4, last / 4));
    heap.u32[(last - HEADER) / 4 + word] ^= 1;
  });
  t.true(checks > 12);
  context.reset();
  assertSound(t, heap);
});

test('a set: an object whose list was given up can still be counted on: statistics stay true', (t) => {
  using heap = make();
  using context = heap.contexts.create('set', { kind: 'set' });
  const object = context.malloc(24);
  context.free(object);
  heap.u32[object / 4 - 1] ^= 1;
  t.throws(() => context.malloc(24), { instanceOf: BlockDamagedError });
  t.is(context.stats().objects, 0);
  const { freeBytes } = context.stats();
  context.malloc(24);
  t.is(context.stats().freeBytes, freeBytes - 48);
});

test('a set: damage of one context is none of another, nor of the heap', (t) => {
  using heap = make();
  using broken = heap.contexts.create('broken', { kind: 'set' });
  using whole = heap.contexts.create('whole', { kind: 'set' });
  const inBroken = Array.from({ length: 100 }, () => broken.malloc(50));
  const inWhole = Array.from({ length: 100 }, () => whole.malloc(50));
  for (const object of inBroken.slice(50)) broken.free(object);
  const { tags } = memoryOf(heap);
  t.true(tags.length > 0);
  // All that an overrun could reach: the whole chunk.
  for (const object of inBroken) heap.u8.fill(0x5a, object - HEADER, object + 64);
  for (const object of inBroken) {
    t.throws(() => broken.free(object), { instanceOf: InvalidAddressError });
  }
  t.throws(() => broken.malloc(50), { instanceOf: BlockDamagedError });
  t.notThrows(() => broken.malloc(50));
  for (const object of inWhole) whole.free(object);
  broken.reset();
  t.is(broken.malloc(50), inBroken[0] as Address);
  assertSound(t, heap);
});

test('Perfloc: overflow chunks end with their context, slots are used again', (t) => {
  using heap = make();
  const sizes = (context: Context) => [100, 5000, 70_000, 3_000_000].map((n) => context.malloc(n));
  const seen: number[] = [];
  for (let round = 0; round < 200; round++) {
    using context = heap.contexts.create('round', { kind: round % 2 === 0 ? 'bump' : 'set' });
    sizes(context);
    seen.push(countRecords(heap).chunks);
    context.reset();
    t.is(context.stats().chunks, 1, 'overflow chunks are gone');
    sizes(context);
  }
  t.true(Math.max(...seen) <= 6, 'records of contexts and chunks are used again');
  assertNothingLeft(t, heap);
});
