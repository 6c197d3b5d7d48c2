/**
 * Proves a rare case of the page heap: a free run that the search for the best fit did not compare.
 */

import test from 'ava';
import { NULL, SharedHeap } from 'shmalloc';
import { assertIdentity } from '../helpers.js';

const PAGE = 8192;

/**
 * A heap whose run below the reserve (136 pages, not zero) comes in its bin after 18 shorter runs,
 * more than are compared.
 */
function crowdedBin(): SharedHeap {
  const heap = SharedHeap.create({ size: '64MiB' });
  const shorter = Array.from({ length: 18 }, () => {
    const block = heap.malloc_ts(128 * PAGE);
    heap.malloc_ts(16 * PAGE);
    return block;
  });
  const last = heap.realloc_ts(heap.malloc_ts(1), 136 * PAGE);
  heap.u8.fill(255, last, last + 136 * PAGE);
  heap.free_ts(last);
  for (const block of shorter) heap.free_ts(block);
  return heap;
}

for (const pages of [130, 136, 138]) {
  test(`realloc_ts: to ${pages} pages, keeps the reserve whole if the run below it was not compared`, (t) => {
    using heap = crowdedBin();
    const before = heap.stats();
    t.not(heap.realloc_ts(heap.malloc_ts(1), pages * PAGE), NULL);
    const after = heap.stats();
    t.true(after.footprintBytes >= before.footprintBytes, 'a touched page is not untouched again');
    t.true(
      before.untouchedBytes - after.untouchedBytes <= 256 * PAGE,
      'the reserve is still there',
    );
    assertIdentity(t, heap);
    const rest = heap.calloc_ts(1, after.untouchedBytes);
    t.not(rest, NULL);
    const words = heap.f64.subarray(rest / 8, (rest + after.untouchedBytes) / 8);
    t.true(
      words.every((word) => word === 0),
      'memory from the reserve is zero',
    );
    heap.free_ts(rest);
    t.throws(() => heap.free_ts(rest), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  });
}
