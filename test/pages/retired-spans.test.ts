/**
 * Proves retired spans: a thread keeps some of its wholly free spans for its next refills, and
 * releases them before the heap grows, at detach, and in a full heap.
 */

import test from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import { classOf, PAGE_BYTES, SPAN_PAGES } from '../../src/base/index.js';
import * as ClassRecord from '../../src/layout/class-record.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as Slot from '../../src/layout/slot.js';
import { assertIdentity, memoryOf } from '../helpers.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const HEAP_BYTES = 64 * MIB;
/** Maximum bytes of a thread's retired spans: a 32nd of the heap. */
const RETIRED_BYTES_MAX = HEAP_BYTES / 32;

function fillAndFree(heap: SharedHeap, size: number, bytes: number): void {
  const blocks = Array.from({ length: bytes / size }, () => heap.malloc_ts(size));
  for (const block of blocks) heap.free_ts(block);
}

function hasRetired(heap: SharedHeap, size: number): boolean {
  const { i32, geometry } = memoryOf(heap);
  return (
    ClassRecord.getPartial(i32, Slot.retiredOf(Slot.at(geometry.slots, 0), classOf(size))) !== 0
  );
}

test('retired spans: refill their class, and no page changes its owner', (t) => {
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
  fillAndFree(heap, 512, MIB);
  t.true(hasRetired(heap, 512));
  const { splits, coalesces, footprintBytes } = heap.stats();
  for (let round = 0; round < 5; round++) fillAndFree(heap, 512, MIB);
  const after = heap.stats();
  t.is(after.splits, splits);
  t.is(after.coalesces, coalesces);
  t.is(after.footprintBytes, footprintBytes);
  assertIdentity(t, heap);
  t.true(heap.verify().ok);
});

test('retired spans: are at most a 32nd of the heap', (t) => {
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
  fillAndFree(heap, 4000, 16 * MIB);
  const { freeBlockBytes, spanTailBytes } = heap.stats();
  const spanBytes = SPAN_PAGES[classOf(4000)] * PAGE_BYTES;
  t.true(freeBlockBytes > RETIRED_BYTES_MAX / 2, `${freeBlockBytes}`);
  t.true(freeBlockBytes + spanTailBytes <= RETIRED_BYTES_MAX + 2 * spanBytes, `${freeBlockBytes}`);
});

for (const [what, size] of [
  ['another class', 3000],
  ['large blocks', 100 * KIB],
  ['direct blocks', 700 * KIB],
] as const) {
  test(`retired spans: are released before the heap grows for ${what}`, (t) => {
    using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
    fillAndFree(heap, 512, 2 * MIB);
    t.true(hasRetired(heap, 512));
    const { footprintBytes } = heap.stats();
    const blocks: Address[] = [];
    for (let bytes = 0; bytes < MIB; bytes += size) blocks.push(heap.malloc_ts(size));
    t.is(heap.stats().footprintBytes, footprintBytes);
    t.false(hasRetired(heap, 512));
    for (const block of blocks) heap.free_ts(block);
    t.true(heap.verify().ok);
  });
}

test('retired spans: a thread makes new spans after other threads released its retired ones', (t) => {
  const heap = SharedHeap.create({ size: HEAP_BYTES, threads: 3 });
  fillAndFree(heap, 512, MIB);
  const large: Address[] = [];
  const other = SharedHeap.attach(heap.handle);
  for (let block = other.malloc_ts(MIB); block !== 0; block = other.malloc_ts(MIB))
    large.push(block);
  t.false(hasRetired(heap, 512));
  for (const block of large) other.free_ts(block);
  for (let round = 0; round < 3; round++) fillAndFree(heap, 512, MIB);
  t.true(hasRetired(heap, 512));
  t.true(heap.verify().ok);
  other.detach();
  heap.detach();
});

test('flush: returns a large magazine in portions, so that other threads get the lock', (t) => {
  using heap = SharedHeap.create({ size: '1GiB', threads: 1 });
  const { f64, geometry } = memoryOf(heap);
  const line = LockTable.at(geometry.locks, LockTable.ofClass(classOf(16)));
  const acquisitions = () => LockTable.getCounter(f64, line, LockTable.ACQUISITIONS);
  const blocks = Array.from({ length: 60_000 }, () => heap.malloc_ts(16));
  let most = 0;
  for (const block of blocks) {
    const before = acquisitions();
    heap.free_ts(block);
    most = Math.max(most, acquisitions() - before);
  }
  // Half of 4,096 blocks and the one over the sentinel, 256 at a time.
  t.is(most, 9);
});

test('retired spans: all pages are free after detach', (t) => {
  const heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
  fillAndFree(heap, 512, MIB);
  fillAndFree(heap, 48, MIB);
  heap.detach();
  using again = SharedHeap.attach(heap.handle);
  const stats = again.stats();
  t.is(stats.freeRunBytes, stats.footprintBytes);
});
