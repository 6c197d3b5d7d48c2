/**
 * Proves that heap.alloc gives views of blocks of their own, that heap.allocString stores texts that any
 * thread reads, and that both say with a code when the heap is full.
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

test('heap.allocString: readString gives the text back, and free_ts frees it', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  for (const text of ['', 'plain', 'naïve ☃ 🜁', '\ud800 half', '\0']) {
    const address = heap.allocString(text);
    // As it arrives from a message or a word of the heap: a number.
    const word: number = Number(address);
    t.is(heap.readString(word), text);
    heap.free_ts(word);
  }
  t.is(heap.stats().inUseBytes, 0);
});

test('heap.allocString: what is no text, or finds no room, is an error and allocates nothing', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  t.throws(() => heap.allocString(5 as never), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  t.throws(() => heap.allocString('x'.repeat(4_000_000)), {
    code: 'ERR_SHMALLOC_HEAP_EXHAUSTED',
    message: /^allocString: the heap has no 4000005 bytes left/,
  });
  t.is(heap.stats().inUseBytes, 0);
});
