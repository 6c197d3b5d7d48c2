/**
 * Proves the contract of SharedHeap.create for heaps that end where addresses of 32 bits do: each has
 * 4 GiB to clear.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { assertIdentity, GIB, KIB } from './helpers.js';

for (const [base, size] of [
  [0, undefined],
  [0, '4GiB'],
  [64 * KIB, undefined],
  [64 * KIB, 4 * GIB - 64 * KIB],
  [GIB, '3GiB'],
] as const) {
  test.serial(
    `SharedHeap.create: size ${size} at ${base} of a 4 GiB buffer ends below 4 GiB`,
    (t) => {
      const buffer = new SharedArrayBuffer(4 * GIB);
      using heap = SharedHeap.create({
        buffer,
        byteOffset: base,
        ...(size && { size }),
        contexts: 64,
      });
      const { dataStart, end } = heap.inspect.map();
      const dataBytes = end - dataStart;
      t.is(end, 4 * GIB - 64 * KIB);
      t.is(heap.stats().reservedBytes, end - base);
      // A chunk that ends where the heap does: its limit and its cursor are addresses.
      const context = heap.contexts.create('at the end', { initialBytes: 256 * KIB });
      const objects = Array.from({ length: 255 }, () => context.malloc(1008));
      t.true(objects.every((object) => object > 3.9 * GIB && object + 1008 <= end));
      const { bytes, usedBytes } = heap.contexts.tree()[0];
      t.true(usedBytes >= 255 * 1008 && usedBytes <= bytes, `${usedBytes} of ${bytes}`);
      context[Symbol.dispose]();
      const all = heap.malloc_ts(dataBytes);
      t.is(all + dataBytes, end);
      heap.free_ts(all);
      assertIdentity(t, heap.stats());
    },
  );
}
