/**
 * Proves the contract of SharedHeap.create for the largest heap that there can be: no heap ends where addresses of
 * 32 bits do.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { assertIdentity, GIB, KIB, LARGEST_HEAP_BYTES, MIB } from './helpers.js';

test('SharedHeap.create: the largest heap gives addresses up to its end', (t) => {
  using heap = SharedHeap.create({ size: LARGEST_HEAP_BYTES, threads: 2 });
  const { dataStart, end } = heap.inspect.map();
  const dataBytes = end - dataStart;
  t.is(end, LARGEST_HEAP_BYTES);
  const all = heap.malloc_ts(dataBytes);
  t.is(all as number, dataStart);
  t.is(heap.usableSize(all), dataBytes);
  heap.u8[end - 1] = 77;
  t.is(heap.view(Uint8Array, all, 1, dataBytes - 1)[0], 77);
  t.is(heap.malloc_ts(1) as number, 0);
  t.is(heap.malloc_ts(dataBytes) as number, 0);
  assertIdentity(t, heap);
  heap.free_ts(all);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
});

test('SharedHeap.create: no heap where only the last 64 KiB of 4 GiB are left', (t) => {
  const buffer = new SharedArrayBuffer(4 * GIB);
  for (const byteOffset of [4 * GIB - 2 * MIB, 4 * GIB - 64 * KIB]) {
    t.throws(() => SharedHeap.create({ buffer, byteOffset }), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      instanceOf: RangeError,
    });
  }
});
