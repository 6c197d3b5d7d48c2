/**
 * Proves how contexts take their memory: chunks that double up to a limit, chunks of their own for
 * long objects, a first one that stays; what happens when the heap is full at any size; and that a
 * reset in a loop does not touch the heap.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, type Context, HeapExhaustedError, SharedHeap } from 'shmalloc';
import * as ContextRecord from '../../src/layout/context-record.js';
import { fillPattern, findDamage, geometryOf, metadataHash } from '../helpers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const KINDS = ['bump', 'set'] as const;
const KIB = 1024;
const MIB = 1024 * KIB;
const make = (size = '64MiB') => SharedHeap.create({ size, threads: 2 });

/** Allocates objects of `size` bytes until the context has `chunks` chunks; how long each was. */
function growTo(context: Context, chunks: number, size: number): number[] {
  const lengths: number[] = [];
  let bytes = 0;
  while (context.stats().chunks < chunks) {
    context.malloc(size);
    const stats = context.stats();
    if (stats.chunks > lengths.length) lengths.push(stats.bytes - bytes);
    bytes = stats.bytes;
  }
  return lengths;
}

for (const kind of KINDS) {
  test(`chunks: from 4 KiB, each twice as long, up to 8 MiB (${kind})`, (t) => {
    using heap = make('128MiB');
    using context = heap.contexts.create('c', { kind });
    const expected = Array.from({ length: 14 }, (_, n) => Math.min(4 * KIB * 2 ** n, 8 * MIB));
    t.deepEqual(growTo(context, 14, 1000), expected);
    t.is(expected.at(-1), 8 * MIB);
    t.is(expected.at(-3), 8 * MIB);
    assertSound(t, heap);
  });

  test(`chunks: as the options say (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind, initialBytes: 256, maxBytes: 4096 });
    t.deepEqual(growTo(context, 8, 100), [256, 512, 1024, 2048, 4096, 4096, 4096, 4096]);
    using fixed = heap.contexts.create('c', { kind, initialBytes: 64 * KIB, maxBytes: 64 * KIB });
    t.deepEqual(growTo(fixed, 3, 1000), [64 * KIB, 64 * KIB, 64 * KIB]);
    using long = heap.contexts.create('c', { kind, initialBytes: 16 * MIB });
    long.malloc(1);
    t.is(long.stats().bytes, 16 * MIB);
  });

  test(`chunks: an object over a quarter of the largest has its own, others go on (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    const quarter = 2 * MIB - (kind === 'set' ? 16 : 0);
    context.malloc(100);
    const [first] = growTo(context, 1, 100);
    t.is(first ?? 4 * KIB, 4 * KIB);
    for (const size of [quarter + 1, 3 * MIB, 9 * MIB]) {
      const { chunks, bytes } = context.stats();
      const before = context.malloc(16);
      const own = context.malloc(size);
      t.is(own % 16, 0);
      t.is(context.stats().chunks, chunks + 1);
      t.true(context.stats().bytes - bytes >= size);
      t.true(context.stats().bytes - bytes <= size + 8192 + 16);
      t.is(context.malloc(16) - before, kind === 'set' ? 32 : 16, 'in the chunk as before');
    }
    const { chunks } = context.stats();
    for (let n = 0; n < 5; n++) context.malloc(MIB - 100);
    t.true(context.stats().chunks < chunks + 5, 'under a quarter several share one');
    // Where the current chunk has room for it, too.
    context.malloc(3 * MIB);
    const again = context.stats().chunks;
    context.malloc(3 * MIB);
    t.is(context.stats().chunks, again + 1);
    assertSound(t, heap);
  });

  test(`chunks: objects never move, whatever comes after (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind, initialBytes: 256 });
    const objects = Array.from({ length: 3000 }, (_, n) => {
      const size = (n * 97) % 2000;
      const address = context.malloc(size);
      fillPattern(heap, address, size, n);
      return { address, size };
    });
    context.malloc(3 * MIB);
    for (const [n, { address, size }] of objects.entries()) {
      if (findDamage(heap, address, size, n) !== -1) t.fail(`object ${n}`);
    }
    assertSound(t, heap);
  });

  test(`reset(): the first chunk stays, at its place; all others go back (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    const first = context.malloc(100);
    for (let round = 0; round < 5; round++) {
      growTo(context, 6, 1000);
      context.malloc(3 * MIB);
      context.reset();
      t.deepEqual(context.stats(), { chunks: 1, bytes: 4096, freeBytes: 4096, objects: 0 });
      t.is(heap.stats().inUseBytes, 4096);
      t.is(context.malloc(100), first);
      t.is(countRecords(heap).chunks, 1);
      assertSound(t, heap);
    }
    t.deepEqual(growTo(context, 3, 1000).slice(1), [8192, 16_384], 'and steps begin anew');
  });

  test(`reset(): a chunk that is an object's own is not the one to stay (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    context.malloc(5 * MIB);
    context.reset();
    t.deepEqual(context.stats(), { chunks: 0, bytes: 0, freeBytes: 0, objects: 0 });
    t.is(heap.stats().inUseBytes, 0);
    context.malloc(100);
    t.is(context.stats().bytes, 4096);
    assertSound(t, heap);
  });

  test(`reset(): in a loop it touches the heap not at all (${kind})`, (t) => {
    using heap = make();
    using context = heap.contexts.create('c', { kind });
    const work = (): void => {
      for (let n = 0; n < 20; n++) context.malloc(100);
      context.reset();
    };
    work();
    // A copy without the tables of contexts, which are its own: a reset counts its epoch there.
    const geometry = geometryOf(heap);
    const own = ContextRecord.contextTable(geometry);
    const tables = heap.u32.subarray(own.start, own.start + (own.count + 1) * own.recordWords);
    const hashOfHeap = (): number => {
      const saved = tables.slice();
      tables.fill(0);
      const hash = metadataHash(heap, geometry);
      tables.set(saved);
      return hash;
    };
    const { threads, ...before } = heap.stats();
    const hash = hashOfHeap();
    const locks = heap.u32.slice(geometry.locks, geometry.classes);
    for (let n = 0; n < 10_000; n++) work();
    t.deepEqual(heap.u32.slice(geometry.locks, geometry.classes), locks, 'no lock was taken');
    t.is(hashOfHeap(), hash, 'nothing of the heap has changed');
    const { threads: threadsAfter, ...after } = heap.stats();
    t.deepEqual(after, before);
    t.deepEqual(threadsAfter, threads);
    // The proof sees what one chunk more would do.
    context.malloc(5000);
    context.reset();
    t.not(hashOfHeap(), hash);
  });
}

// ---- full heaps

/** Fills the heap with objects of a size; all of them are whole. */
function fill(heap: SharedHeap, context: Context, size: number): Address[] {
  const objects: Address[] = [];
  for (;;) {
    const address = context.tryMalloc(size);
    if (address === 0) return objects;
    fillPattern(heap, address, Math.min(size, 64), objects.length);
    objects.push(address);
  }
}

function assertWhole(t: ExecutionContext, heap: SharedHeap, objects: Address[], size: number) {
  const damaged = objects.findIndex((address, n) => {
    return findDamage(heap, address, Math.min(size, 64), n) !== -1;
  });
  t.is(damaged, -1);
}

for (const kind of KINDS) {
  for (const size of [1, 100, 1000, 5000, 40_000, 100_000, 700_000, 3 * MIB]) {
    test(`a full heap: ${size} bytes, nothing is lost and the next calls are fine (${kind})`, (t) => {
      using heap = SharedHeap.create({ size: '5MiB', threads: 1 });
      using context = heap.contexts.create('full', { kind });
      let first = 0;
      for (let round = 0; round < 3; round++) {
        const objects = fill(heap, context, size);
        t.true(objects.length > 0);
        first ||= objects.length;
        t.is(objects.length, first, 'as much room as the first time');
        const { freeRunBytes, untouchedBytes, freeBlockBytes } = heap.stats();
        const left = freeRunBytes + untouchedBytes + freeBlockBytes;
        t.true(left < Math.max(size + 16, 70_000) + 8192, `${left} bytes are left`);
        const error = t.throws(() => context.malloc(size), { instanceOf: HeapExhaustedError });
        t.is(error?.bytes, size);
        t.is(context.stats().objects, objects.length);
        assertWhole(t, heap, objects, size);
        assertSound(t, heap);
        using other = heap.contexts.create('other', { kind });
        t.is(other.tryMalloc(size), 0 as Address, 'others find no room either');
        if (context.kind === 'set') {
          for (const object of objects) context.free(object);
          t.is(context.stats().objects, 0);
          t.is(context.stats().freeBytes, context.stats().bytes);
        }
        context.reset();
        t.true(context.malloc(size) > 0);
        t.true(heap.free_ts(heap.malloc_ts(size)) === undefined);
        context.reset();
      }
      context.delete();
      assertNothingLeft(t, heap);
    });
  }

  test(`a full heap: a small step is better than none (${kind})`, (t) => {
    using heap = SharedHeap.create({ size: '5MiB', threads: 1 });
    const rest: Address[] = [];
    const last = heap.malloc_ts(100_000);
    for (;;) {
      const block = heap.malloc_ts(100_000);
      if (block === 0) break;
      rest.push(block);
    }
    heap.free_ts(last);
    using context = heap.contexts.create('c', { kind, initialBytes: MIB });
    t.true(context.malloc(500) > 0);
    t.true(context.stats().bytes < MIB);
    assertSound(t, heap);
    for (const block of rest) heap.free_ts(block);
  });

  test(`a full heap: records of chunks run out, and come back (${kind})`, (t) => {
    using heap = SharedHeap.create({ size: '2MiB', threads: 1, contexts: 10 });
    for (let round = 0; round < 3; round++) {
      using context = heap.contexts.create('c', { kind, initialBytes: 256, maxBytes: 256 });
      const objects = fill(heap, context, 200);
      t.is(countRecords(heap).chunks, geometryOf(heap).chunkCount, 'all of them are used');
      t.true(heap.malloc_ts(10_000) > 0, 'the heap is not full');
      assertWhole(t, heap, objects, 200);
      assertSound(t, heap);
    }
    for (const { address } of heap.inspect.blocks()) heap.free_ts(address);
    assertNothingLeft(t, heap);
  });
}
