/**
 * Proves the contract of usableSize: all bytes that a block has, and addresses that are no block's.
 */

import test from 'ava';
import { InvalidAddressError, SharedHeap } from 'shmalloc';
import { HEAP } from './helpers.js';
import { testWrongAddresses } from './refusals.js';

test('usableSize: at least what was asked for, all of it writable, for every small size', (t) => {
  using heap = SharedHeap.create(HEAP);
  const wrong: number[] = [];
  for (let size = 0; size <= 66000; size += size < 2000 ? 1 : 61) {
    const p = heap.malloc_ts(size);
    if (heap.usableSize(p) < Math.max(1, size)) wrong.push(size);
    heap.free_ts(p);
  }
  t.deepEqual(wrong, []);
  t.is(heap.usableSize(heap.malloc_ts(65537)), 9 * 8192);
});

test('usableSize: 0 is no block', (t) => {
  using heap = SharedHeap.create(HEAP);
  t.throws(() => heap.usableSize(0), { instanceOf: InvalidAddressError });
});

testWrongAddresses('usableSize', 'measure', (heap, p) => heap.usableSize(p));
