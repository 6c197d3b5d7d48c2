/**
 * Proves the contract of heap.alloc: views of zeros over blocks of their own, and errors with a code.
 */

import test from 'ava';
import { HeapExhaustedError, SharedHeap } from 'shmalloc';

test('heap.alloc: a view of zeros over a live block, whose address is its byteOffset', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  const dirty = heap.malloc_ts(4000);
  heap.u8.fill(0xff, dirty, dirty + 4000);
  heap.free_ts(dirty);
  for (const ArrayType of [Int8Array, Float32Array, Float64Array, BigUint64Array]) {
    const list = heap.alloc(ArrayType as Float64ArrayConstructor, 100);
    t.true(list instanceof ArrayType);
    t.is(list.length, 100);
    t.is(list.buffer as unknown, heap.handle.buffer);
    t.true([...list].every((value) => Number(value) === 0));
    t.true(heap.usableSize(list.byteOffset) >= list.byteLength);
    heap.free_ts(list.byteOffset);
  }
  t.is(heap.stats().inUseBytes, 0);
  const none = heap.alloc(Int32Array, 0);
  t.is(none.length, 0);
  heap.free(none.byteOffset);
  t.true(heap.verify({ quiet: true }).ok);
});

test('heap.alloc: a full heap is an error with the bytes, and nothing is allocated', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  const before = heap.stats().inUseBytes;
  const error = t.throws(() => heap.alloc(Float64Array, 1_000_000), {
    instanceOf: HeapExhaustedError,
    code: 'ERR_SHMALLOC_HEAP_EXHAUSTED',
    message: 'alloc: the heap has no 8000000 bytes left in one piece',
  });
  t.is(error?.bytes, 8_000_000);
  t.is(heap.stats().inUseBytes, before);
});

test('heap.alloc: a wrong type or length is refused by name', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  t.throws(() => heap.alloc(Array as never, 1), {
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /^alloc: give it a typed array's constructor/,
  });
  for (const length of [-1, 1.5, Number.NaN, '5']) {
    t.throws(() => heap.alloc(Int32Array, length as number), {
      code: 'ERR_SHMALLOC_INVALID_SIZE',
      message: /^alloc: /,
    });
  }
});
