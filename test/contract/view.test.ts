/**
 * Proves the contract of heap.view: typed arrays over the block itself, and never past its end.
 */

import test from 'ava';
import { InvalidAddressError, SharedHeap, type ViewConstructor } from 'shmalloc';
import { BIGINT_ARRAYS, HEAP, NUMBER_ARRAYS } from './helpers.js';
import { testWrongAddresses } from './refusals.js';

const CONSTRUCTORS: readonly ViewConstructor[] = [...NUMBER_ARRAYS, ...BIGINT_ARRAYS];

test('view: every kind of typed array lies over the block itself', (t) => {
  using heap = SharedHeap.create(HEAP);
  const p = heap.malloc_ts(1000);
  for (const ArrayType of CONSTRUCTORS) {
    const bytes = ArrayType.BYTES_PER_ELEMENT;
    heap.u8.fill(0, p, p + 1000);
    const view = heap.view(ArrayType, p, 1000 / bytes);
    t.true(view instanceof ArrayType);
    t.is(view.length, 1000 / bytes);
    t.is(view.byteOffset, p as number);
    t.is(view.buffer as unknown, heap.handle.buffer);
    new Uint8Array(heap.handle.buffer, view.byteOffset, view.byteLength).fill(0x3f);
    t.true(heap.u8.subarray(p, p + 1000).every((byte) => byte === 0x3f));
    const second = heap.view(ArrayType, p, 1, bytes);
    t.is(second.byteOffset, p + bytes);
    t.is(String(second[0]), String(view[1]));
  }
});

test('view: up to the usable size, not a byte further', (t) => {
  using heap = SharedHeap.create(HEAP);
  for (const size of [1, 100, 1000, 65536, 100000]) {
    const p = heap.malloc_ts(size);
    const usable = heap.usableSize(p);
    t.is(heap.view(Uint8Array, p, usable).length, usable);
    t.is(heap.view(Uint8Array, p, 0, usable).length, 0);
    t.is(heap.view(Float64Array, p, 1, usable - 8).length, 1);
    const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_SIZE' };
    t.throws(() => heap.view(Uint8Array, p, usable + 1), refusal);
    t.throws(() => heap.view(Uint8Array, p, 1, usable), refusal);
    t.throws(() => heap.view(Uint32Array, p, usable / 4, 4), refusal);
    t.throws(() => heap.view(Float64Array, p, usable), refusal);
  }
});

test('view: refuses lengths and offsets that are no whole elements inside the block', (t) => {
  using heap = SharedHeap.create(HEAP);
  const p = heap.malloc_ts(128);
  const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_SIZE' };
  for (const length of [-1, 0.5, NaN, Infinity, '4', null, undefined, 4n]) {
    t.throws(() => heap.view(Uint8Array, p, length as number), refusal, String(length));
  }
  for (const offset of [-4, 0.5, NaN, Infinity, '4', null, 4n]) {
    t.throws(() => heap.view(Uint8Array, p, 1, offset as number), refusal, String(offset));
  }
  for (const offset of [1, 2, 3, 5]) t.throws(() => heap.view(Int32Array, p, 1, offset), refusal);
  t.throws(() => heap.view(Int16Array, p, 1, 1), refusal);
  t.throws(() => heap.view(Float64Array, p, 1, 4), refusal);
});

test('view: 0 is no block', (t) => {
  using heap = SharedHeap.create(HEAP);
  t.throws(() => heap.view(Uint8Array, 0, 1), { instanceOf: InvalidAddressError });
});

testWrongAddresses('view', 'view', (heap, p) => heap.view(Uint8Array, p, 1));
