/**
 * Proves the contract of calloc_ts: zeros, whatever was in the block before, and products that no heap can hold.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { assertEmpty, assertIdentity, findNonZero, GIB, HEAP, heapAbove } from './helpers.js';
import { testBadSizes } from './refusals.js';

test('calloc_ts: gives zeros, in blocks that were dirty before', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, calloc_ts, free_ts } = heap;
  for (const [count, size] of [
    [1, 1],
    [3, 5],
    [7, 16],
    [100, 1],
    [1000, 4],
    [1, 65536],
    [65537, 1],
    [1000, 700],
  ]) {
    const bytes = count * size;
    for (let round = 0; round < 3; round++) {
      const dirty = Array.from({ length: 4 }, () => malloc_ts(bytes));
      for (const p of dirty) heap.u8.fill(0xee, p, p + bytes);
      for (const p of dirty) free_ts(p);
      const p = calloc_ts(count, size);
      t.is(findNonZero(heap, p, bytes), -1, `${count} of ${size} bytes`);
      heap.u8.fill(0xdd, p, p + heap.usableSize(p));
      free_ts(p);
    }
  }
  assertEmpty(t, heap);
});

test('calloc_ts: a count or size of 0 gives a smallest block', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { calloc_ts, free_ts } = heap;
  for (const p of [calloc_ts(0, 0), calloc_ts(0, 100), calloc_ts(100, 0), calloc_ts(0, 2 ** 53)]) {
    t.is(heap.usableSize(p), 16);
    free_ts(p);
  }
  assertEmpty(t, heap);
});

test('calloc_ts: a product that no heap can hold gives 0, however it wraps', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { calloc_ts } = heap;
  for (const [count, size] of [
    [65536, 65536],
    [2 ** 31, 2],
    [2 ** 32, 1],
    [2 ** 32 + 1, 16],
    [2 ** 16 + 1, 2 ** 16],
    [2 ** 27, 2 ** 27],
    [2 ** 53, 2 ** 53],
    [3, 2 ** 52 - 1],
    [1e200, 1e200],
    [Number.MAX_VALUE, 2],
  ]) {
    t.is(calloc_ts(count, size) as number, 0, `${count} of ${size}`);
  }
  assertEmpty(t, heap);
});

testBadSizes('calloc_ts', ({ calloc_ts }, bad) => [
  () => calloc_ts(bad, 4),
  () => calloc_ts(4, bad),
  () => calloc_ts(0, bad),
]);

for (const gib of [2, 3]) {
  const floor = gib * GIB + 8192 * 3;

  test(`calloc_ts: zeros above ${gib} GiB, in fresh and in dirty pages`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    for (const size of [1, 100, 5000, 65536, 100_000, 500_000]) {
      for (let round = 0; round < 3; round++) {
        const p = heap.calloc_ts(size, 1);
        t.true(p >= floor);
        t.is(findNonZero(heap, p, size), -1, `${size} bytes`);
        heap.u8.fill(0xff, p, p + heap.usableSize(p));
        heap.free_ts(p);
      }
    }
    assertIdentity(t, heap);
  });
}
