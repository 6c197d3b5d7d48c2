/**
 * Proves the contract of alignedAlloc_ts: all alignments from 1 byte to 64 KiB, and what is none.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import {
  assertEmpty,
  assertIdentity,
  fillPattern,
  findDamage,
  GIB,
  HEAP,
  heapAbove,
  snapshot,
} from './helpers.js';
import { testBadSizes } from './refusals.js';

test('alignedAlloc_ts: all powers of two to 64 KiB, all kinds of sizes', (t) => {
  using heap = SharedHeap.create({ size: '32MiB', threads: 1 });
  const { alignedAlloc_ts, free_ts } = heap;
  const live: { p: number; size: number; alignment: number }[] = [];
  for (let alignment = 1; alignment <= 65536; alignment *= 2) {
    for (const size of [0, 1, 15, 16, 100, 4096, 8193, 65536, 65537, 200000]) {
      const p = alignedAlloc_ts(alignment, size);
      t.true(p > 0, `${alignment}, ${size}`);
      t.is(p % Math.max(alignment, 16), 0, `${alignment}, ${size}`);
      t.true(heap.usableSize(p) >= Math.max(size, 1), `${alignment}, ${size}`);
      fillPattern(heap, p, heap.usableSize(p), live.length);
      live.push({ p, size, alignment });
    }
  }
  assertIdentity(t, heap);
  live.forEach(({ p, size, alignment }, i) => {
    t.is(findDamage(heap, p, heap.usableSize(p), i), -1, `${alignment}, ${size}`);
    free_ts(p);
  });
  assertEmpty(t, heap);
});

for (const alignment of [3, 0, -2, 24, 131072, 2 ** 32, 0.5, 16.5, NaN, Infinity, '16', null]) {
  test(`alignedAlloc_ts: refuses the alignment ${alignment} (${typeof alignment})`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { alignedAlloc_ts } = heap;
    const before = snapshot(heap);
    t.throws(() => alignedAlloc_ts(alignment as number, 100), {
      instanceOf: RangeError,
      code: 'ERR_SHMALLOC_INVALID_ALIGNMENT',
      message: /power of two/,
    });
    t.deepEqual(snapshot(heap), before);
  });
}

testBadSizes('alignedAlloc_ts', ({ alignedAlloc_ts }, bad) => [() => alignedAlloc_ts(64, bad)]);

for (const gib of [2, 3]) {
  const floor = gib * GIB + 8192 * 3;

  test(`alignedAlloc_ts: above ${gib} GiB`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    for (let alignment = 16; alignment <= 65536; alignment *= 2) {
      for (const size of [100, 8193, 200_000]) {
        const p = heap.alignedAlloc_ts(alignment, size);
        t.true(p >= floor && p % alignment === 0, `${alignment}, ${size}`);
        heap.free_ts(p);
      }
    }
  });
}
