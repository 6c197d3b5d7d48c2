/**
 * Proves stats().fragmentation: internal bytes against sizes that the test knows, the longest runs
 * against what malloc can allocate, and the peak of live bytes against the test's own count.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import { largePages, samplePeakLive } from '../../src/pages/index.js';
import { assertIdentity, memoryOf, randomFrom, seedOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import type { Order } from './counting.worker.js';

const PAGE = 8192;
const KIB = 1024;

const fragmentationOf = (heap: SharedHeap) => heap.stats().fragmentation;

test('internalBytes: exact if all requests of a class have one size', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const sizes = [1, 20, 100, 1000, 5000, 40_000];
  let expected = 0;
  for (const size of sizes) {
    for (let n = 0; n < 50; n++) expected += heap.usableSize(heap.malloc_ts(size)) - size;
  }
  const { fragmentation, inUseBytes } = assertIdentity(t, heap);
  t.is(fragmentation.internalBytes, expected);
  t.is(fragmentation.internalRatio, expected / inUseBytes);
});

for (const [name, allocate] of Object.entries({
  malloc_ts: (heap: SharedHeap, size: number) => heap.malloc_ts(size),
  'malloc (alone)': (heap: SharedHeap, size: number) => heap.malloc(size),
  calloc_ts: (heap: SharedHeap, size: number) => heap.calloc_ts(1, size),
  alignedAlloc_ts: (heap: SharedHeap, size: number) => heap.alignedAlloc_ts(64, size),
  realloc_ts: (heap: SharedHeap, size: number) => heap.realloc_ts(heap.malloc_ts(16), size),
})) {
  test(`internalBytes: ${name} records the requested size, for small and large blocks`, (t) => {
    using heap = SharedHeap.create({ size: '8MiB' });
    const sizes = [300, 3000, 70_000, 300_000];
    const blocks = sizes.map((size) => allocate(heap, size));
    const usable = blocks.map((block) => heap.usableSize(block));
    const stats = assertIdentity(t, heap);
    const { sizeClasses, large } = stats;
    for (const n of [0, 1]) {
      const c = sizeClasses.find(({ blockBytes }) => blockBytes === usable[n]);
      t.is(c?.requestBytesMean, sizes[n]);
      t.is(c?.internalBytes, (usable[n] as number) - (sizes[n] as number));
    }
    t.is(large.internalBytes, (usable[2] as number) + (usable[3] as number) - 370_000);
  });
}

test('internalBytes: for mixed sizes the estimate is near the true value', (t) => {
  const random = randomFrom(seedOf(t));
  using heap = SharedHeap.create({ size: '64MiB' });
  const blocks: { address: Address; size: number }[] = [];
  for (let n = 0; n < 100_000; n++) {
    if (blocks.length > 0 && random(100) < 40) {
      const [block] = blocks.splice(random(blocks.length), 1);
      heap.free_ts(block?.address as Address);
    } else {
      const size = 1 + random(2000);
      blocks.push({ address: heap.malloc_ts(size), size });
    }
  }
  const exact = blocks.reduce((sum, { address, size }) => sum + heap.usableSize(address) - size, 0);
  const { internalBytes } = fragmentationOf(heap);
  t.true(Math.abs(internalBytes - exact) < exact * 0.25, `${internalBytes}, exact ${exact}`);
});

test('internalBytes: a large block resized in place counts with its new size', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const block = heap.malloc_ts(20 * PAGE);
  t.is(heap.stats().large.internalBytes, 0);
  t.is(heap.realloc_ts(block, 18 * PAGE - 4000), block);
  // One block that had two sizes: 0 and 4,000 bytes more than requested.
  t.is(heap.stats().large.internalBytes, 2000);
});

test('largestFreeRunBytes: the longest of free runs of many lengths', (t) => {
  using heap = SharedHeap.create({ size: '32MiB' });
  const blocks: Address[] = [];
  for (let pages = 9; pages < 60; pages++) {
    blocks.push(heap.malloc_ts(pages * PAGE));
    heap.malloc_ts(9 * PAGE);
  }
  blocks.forEach((block, n) => {
    const { largestFreeRunBytes } = fragmentationOf(heap);
    heap.free_ts(block);
    const { fragmentation, freeRunBytes } = assertIdentity(t, heap);
    t.true(fragmentation.largestFreeRunBytes >= Math.max(largestFreeRunBytes, (9 + n) * PAGE));
    t.is(fragmentation.largestFreeRunRatio, fragmentation.largestFreeRunBytes / freeRunBytes);
    t.is(fragmentation.externalRatio, 1 - fragmentation.largestFreeRunRatio);
  });
});

test('largestFreeRunBytes: equals a walk over all runs after each of many operations', (t) => {
  const random = randomFrom(seedOf(t));
  using heap = SharedHeap.create({ size: '8MiB' });
  const blocks: Address[] = [];
  const faults: string[] = [];
  for (let n = 0; n < 1500; n++) {
    if (random(100) < 55) {
      const block = heap.malloc_ts(65_537 + random(random(8) === 0 ? 900_000 : 200_000));
      if (block !== 0) blocks.push(block);
    } else if (blocks.length > 0) {
      heap.free_ts(blocks.splice(random(blocks.length), 1)[0] as Address);
    }
    const longest = Math.max(0, ...freeGaps(heap));
    const { largestFreeRunBytes } = fragmentationOf(heap);
    if (largestFreeRunBytes !== longest) {
      faults.push(`operation ${n}: ${largestFreeRunBytes}, but a walk finds ${longest}`);
    }
  }
  t.deepEqual(faults, []);
});

/** The gaps between blocks, without the untouched reserve. For a heap of large blocks only. */
function freeGaps(heap: SharedHeap): number[] {
  const { geometry } = memoryOf(heap);
  const { brkBytes, untouchedBytes } = heap.stats();
  const reserve = geometry.dataStart + brkBytes;
  const gaps: number[] = [];
  let from = geometry.dataStart;
  const skipTo = (address: number, next: number) => {
    if (untouchedBytes > 0 && from <= reserve && address > reserve) {
      gaps.push(reserve - from, address - (reserve + untouchedBytes));
    } else gaps.push(address - from);
    from = next;
  };
  for (const { address, bytes } of heap.inspect.blocks()) skipTo(address, address + bytes);
  skipTo(geometry.end, geometry.end);
  return gaps;
}

test('largestFitBytes: malloc of this many bytes succeeds, of one byte more it fails', (t) => {
  const random = randomFrom(seedOf(t));
  for (let round = 0; round < 60; round++) {
    using heap = SharedHeap.create({ size: '8MiB', threads: 1 });
    const blocks: Address[] = [];
    for (let n = 0; n < 40; n++) {
      if (random(3) > 0) blocks.push(heap.malloc_ts(65_537 + random(600_000)));
      else if (blocks.length > 0) heap.free_ts(blocks.splice(random(blocks.length), 1)[0] ?? 0);
    }
    const { largestFitBytes } = fragmentationOf(heap);
    if (largestFitBytes <= 64 * KIB) continue;
    t.is(heap.malloc_ts(largestFitBytes + 1), 0 as Address);
    t.not(
      heap.malloc_ts(largestFitBytes),
      0 as Address,
      `round ${round}: ${largestFitBytes} bytes`,
    );
  }
});

for (const size of [24, 500, 9000, 100_000]) {
  test(`peakLiveBytes: sees a peak of blocks of ${size} bytes between two calls of stats()`, (t) => {
    using heap = SharedHeap.create({ size: '64MiB' });
    const blocks: Address[] = [];
    let live = 0;
    while (live < 16 * 2 ** 20) {
      const block = heap.malloc_ts(size);
      blocks.push(block);
      live += heap.usableSize(block);
    }
    for (const block of blocks) heap.free_ts(block);
    const { fragmentation, footprintBytes, inUseBytes } = heap.stats();
    t.is(inUseBytes, 0);
    t.true(fragmentation.peakLiveBytes <= live);
    t.true(fragmentation.peakLiveBytes > live * 0.97, `${fragmentation.peakLiveBytes} of ${live}`);
    t.is(fragmentation.footprintOverPeakLive, footprintBytes / fragmentation.peakLiveBytes);
    t.true(fragmentation.footprintOverPeakLive < 1.25);
  });
}

test('peakLiveBytes: sees a peak that needs no new pages', (t) => {
  using heap = SharedHeap.create({ size: '64MiB' });
  const big = Array.from({ length: 100 }, () => heap.malloc_ts(80_000));
  for (const block of big) heap.free_ts(block);
  heap.resetStats();
  t.is(fragmentationOf(heap).peakLiveBytes, 0);
  const blocks = Array.from({ length: 60_000 }, () => heap.malloc_ts(64));
  for (const block of blocks) heap.free_ts(block);
  const { peakLiveBytes } = fragmentationOf(heap);
  t.true(peakLiveBytes > 60_000 * 64 * 0.6 && peakLiveBytes <= 60_000 * 64, `${peakLiveBytes}`);
});

test('peakLiveBytes: stats() updates it too, and never lowers it', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  heap.malloc_ts(16);
  const few = Array.from({ length: 5 }, () => heap.malloc_ts(16));
  t.is(fragmentationOf(heap).peakLiveBytes, 6 * 16);
  for (const block of few) heap.free_ts(block);
  t.is(fragmentationOf(heap).peakLiveBytes, 6 * 16);
  samplePeakLive(memoryOf(heap));
  t.is(fragmentationOf(heap).peakLiveBytes, 6 * 16);
  t.is(largePages(memoryOf(heap)), 0);
});

test('fragmentation: counts the blocks of all threads', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const worker = new Worker(new URL('./counting.worker.js', import.meta.url), {
    workerData: heap.handle,
  });
  await nextMessage(worker);
  const answer = nextMessage<number[]>(worker);
  worker.postMessage({ allocate: [100, 100, 100] } satisfies Order);
  await answer;
  heap.malloc_ts(104);
  const { fragmentation, sizeClasses } = assertIdentity(t, heap);
  const c = sizeClasses.find(({ blockBytes }) => blockBytes === 112);
  t.is(c?.sampledRequests, 2, 'the first request of each thread');
  t.is(c?.requestBytesMean, 102);
  t.is(fragmentation.internalBytes, 4 * 10);
  t.is(fragmentation.peakLiveBytes, 4 * 112);
  const exit = ended(worker);
  await worker.terminate();
  await exit;
});
