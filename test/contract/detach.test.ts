/**
 * Proves the contract of heap.detach: the calls of a heap that was detached refuse and change
 * nothing, and what the thread had is the heap's again.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { assertEmpty, assertIdentity, GIB, HEAP, heapAbove, snapshot } from './helpers.js';

/** Which of these calls do anything else than refuse with ERR_SHMALLOC_DETACHED, and what. */
function notRefused(calls: Record<string, () => unknown>): string[] {
  return Object.entries(calls).flatMap(([what, call]) => {
    try {
      return [`${what} gave ${call()}`];
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return code === 'ERR_SHMALLOC_DETACHED' ? [] : [`${what} threw ${code}: ${message}`];
    }
  });
}

test('malloc_ts, free_ts and the others: refuse after detach', (t) => {
  const heap = SharedHeap.create(HEAP);
  const { malloc_ts, free_ts, calloc_ts, realloc_ts, alignedAlloc_ts } = heap;
  const small = malloc_ts(100);
  const large = malloc_ts(100000);
  const { base, dataStart } = heap.inspect.map();
  heap.detach();
  const metadata = () => new Uint8Array(heap.handle.buffer).slice(base, dataStart);
  const before = metadata();
  const wrong = notRefused({
    'malloc(0)': () => malloc_ts(0),
    'malloc(100)': () => malloc_ts(100),
    'malloc(65536)': () => malloc_ts(65536),
    'malloc(100000)': () => malloc_ts(100000),
    'calloc(1, 1)': () => calloc_ts(1, 1),
    'calloc(1000, 100)': () => calloc_ts(1000, 100),
    'alignedAlloc(64, 100)': () => alignedAlloc_ts(64, 100),
    'alignedAlloc(65536, 1)': () => alignedAlloc_ts(65536, 1),
    'realloc(0, 100)': () => realloc_ts(0, 100),
    'realloc(small, 110), the same class': () => realloc_ts(small, 110),
    'realloc(small, 1000)': () => realloc_ts(small, 1000),
    'realloc(small, 100000)': () => realloc_ts(small, 100000),
    'realloc(small, 0)': () => realloc_ts(small, 0),
    'realloc(large, 200000)': () => realloc_ts(large, 200000),
    'free(small)': () => free_ts(small),
    'free(large)': () => free_ts(large),
  });
  const after = metadata();
  using again = SharedHeap.attach(heap.handle);
  t.deepEqual(wrong, []);
  t.true(Buffer.compare(after, before) === 0, 'nothing was changed');
  again.free_ts(small);
  again.free_ts(large);
  assertEmpty(t, again);
});

test('malloc_ts and the others of a detached heap: leave the reused slot alone', (t) => {
  const old = SharedHeap.create({ size: '8MiB', threads: 1 });
  const { malloc_ts, free_ts, calloc_ts, realloc_ts, alignedAlloc_ts } = old;
  malloc_ts(10);
  old.detach();
  using heap = SharedHeap.attach(old.handle);
  t.not(heap, old);
  // Every class's cache has blocks in it and room left, so that a fast path would go through.
  const sizes = [16, 100, 1000, 4096, 65536];
  const live = sizes.map((size) => {
    const blocks = [1, 2, 3, 4].map(() => heap.malloc_ts(size));
    heap.free_ts(blocks[0]);
    heap.free_ts(blocks[1]);
    return blocks[2];
  });
  const before = snapshot(heap);
  const wrong = sizes.flatMap((size) =>
    notRefused({
      [`malloc(${size})`]: () => malloc_ts(size),
      [`calloc(1, ${size})`]: () => calloc_ts(1, size),
      [`alignedAlloc(16, ${size})`]: () => alignedAlloc_ts(16, size),
      [`realloc(0, ${size})`]: () => realloc_ts(0, size),
      [`realloc(live block of 16, ${size})`]: () => realloc_ts(live[0], size),
    }),
  );
  live.forEach((p, i) => {
    wrong.push(...notRefused({ [`free(live block of ${sizes[i]})`]: () => free_ts(p) }));
  });
  const after = snapshot(heap);
  t.deepEqual(wrong, []);
  t.deepEqual(after, before, 'the slot of the new attachment is as it was');
});

test('detach: gives small blocks above 3 GiB back to their spans', (t) => {
  const { heap } = heapAbove(3 * GIB);
  const { handle } = heap;
  const blocks = Array.from({ length: 3000 }, (_, n) => heap.malloc_ts(n % 2000));
  for (const p of blocks) heap.free_ts(p);
  heap.detach();
  using again = SharedHeap.attach(handle);
  const stats = assertIdentity(t, again);
  t.is(stats.cachedBytes + stats.freeBlockBytes, 0);
  t.true(stats.sizeClasses.every((c) => c.spans === 0));
});
