/**
 * Proves heap.inspect.map(): regions and runs tile the heap, every span's counts equal a recount, sums
 * equal those of stats() to the byte, and under running threads the map stays consistent.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, HeapError, type HeapMap, type MapPlainRun, SharedHeap } from 'shmalloc';
import { ContextMaker } from '../contexts.js';
import { Random, seedOf } from '../helpers.js';
import { checkMap, fillRandomly, fullHeap, mixedHeap, PAGE, spansOf, total } from '../maps.js';
import { ended, nextMessage } from '../workers.js';
import type { Churn } from './map.worker.js';

const WORKER = new URL('./map.worker.js', import.meta.url);

/** The figures of stats() for a heap whose threads are quiet, computed from the map. */
function statsOfMap({ zones, base, end, runs }: HeapMap) {
  const { tiny, small, large, free, untouched, metadata } = zones;
  const both = [tiny, small];
  return {
    reservedBytes: end - base,
    footprintBytes: tiny.bytes + small.bytes + large.bytes + free.bytes,
    mappedBytes: tiny.bytes + small.bytes + large.bytes,
    inUseBytes: total([tiny, small, large], (zone) => zone.liveBytes),
    cachedBytes: total(both, (zone) => zone.cachedBytes),
    freeBlockBytes: total(both, (zone) => zone.freeBlockBytes),
    spanTailBytes: total(both, (zone) => zone.tailBytes),
    freeRunBytes: free.bytes,
    untouchedBytes: untouched.bytes,
    metadataBytes: metadata.bytes,
    large: { blocksInUse: runs.filter((run) => run.zone === 'large').length, bytes: large.bytes },
  };
}

/** For each class that has spans: spans, live, cached, free. */
function classesOfMap(map: HeapMap): Record<number, number[]> {
  const classes: Record<number, number[]> = {};
  for (const { blockBytes, live, cached, free } of spansOf(map)) {
    classes[blockBytes] ??= [0, 0, 0, 0];
    const sums = classes[blockBytes];
    [1, live, cached, free].forEach((count, i) => {
      sums[i] += count;
    });
  }
  return classes;
}

test('inspect.map: a new heap is metadata and untouched reserve', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const map = heap.inspect.map();
  checkMap(map);
  t.is(map.base, 0);
  t.is(map.end, 2 * 2 ** 20);
  t.is(map.pageBytes, PAGE);
  t.deepEqual(map.runs, [
    { zone: 'untouched', address: map.dataStart, bytes: map.end - map.dataStart },
  ]);
  t.is(map.brk, map.dataStart);
  t.is(map.mapFrontier, map.end);
  t.deepEqual(
    map.metadata.map(({ name }) => name),
    [
      ...[
        'null page',
        'header',
        'debug record',
        'registry',
        'names',
        'page heap',
        'locks',
        'size classes',
        'baseline',
      ],
      ...['thread slots', 'magazines', 'contexts', 'chunks', 'page table', 'page owners', 'tags'],
    ],
  );
  t.deepEqual(structuredClone(map), map, 'plain data');
});

test('inspect.map: blocks of three sizes, counted by hand', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const tiny = [1, 2, 3].map(() => heap.malloc_ts(100));
  const small = heap.malloc_ts(1000);
  const large = heap.malloc_ts(70_000);
  const direct = heap.malloc_ts(200_000);
  heap.free_ts(tiny[1]);
  const map = heap.inspect.map();
  checkMap(map);
  const runOf = (address: Address) =>
    map.runs.find((run) => address >= run.address && address < run.address + run.bytes);
  const first = runOf(tiny[0]);
  const { cached, free, ...fixed } = first as ReturnType<typeof spansOf>[number];
  t.deepEqual(fixed, {
    zone: 'tiny',
    address: tiny[0] - (tiny[0] % PAGE),
    bytes: PAGE,
    sizeClass: 7,
    blockBytes: 112,
    blocks: 73,
    live: 2,
    contexts: 0,
    vectors: 0,
    tailBytes: 16,
  });
  t.is(cached + free, 71);
  t.like(runOf(small), { zone: 'small', blockBytes: 1024, live: 1 });
  t.deepEqual(runOf(large), { zone: 'large', address: large, bytes: 9 * PAGE });
  t.deepEqual(runOf(direct), { zone: 'large', address: direct, bytes: 25 * PAGE });
  t.is(map.mapFrontier, direct, 'a direct run is taken from the top');
});

test('inspect.map: chunks of contexts and vectors, in spans and large, counted by hand', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const maker = new ContextMaker(heap);
  // A large block takes the place of an earlier span.
  const before = Array.from({ length: 2000 }, () => heap.malloc_ts(1024));
  for (const address of before) heap.free_ts(address);
  heap.recover();
  const mine = [1000, 1000, 100_000].map((bytes) => heap.malloc_ts(bytes));
  const context = maker.make('request');
  const chunks = [1000, 1000, 1000, 1000].map((bytes) => maker.addChunk(context, bytes));
  const [large, ...others] = [100_000, 150_000].map((bytes) => maker.addChunk(context, bytes));
  const vector = maker.addVector(1000);
  maker.addVector(200_000);
  const map = heap.inspect.map();
  checkMap(map);
  const owned = map.runs.filter((run): run is MapPlainRun => 'owned' in run);
  t.deepEqual(owned.map(({ zone, owned }) => [zone, owned]).sort(), [
    ['large', 'context'],
    ['large', 'context'],
    ['large', 'vector'],
  ]);
  t.true([large, ...others].every((address) => owned.some((run) => run.address === address)));
  const { tiny, small, large: runs } = map.zones;
  t.like(tiny, { liveBlocks: 2, contextBlocks: 0, vectorBlocks: 2, vectorBytes: 128 });
  t.like(small, { liveBlocks: 7, contextBlocks: 4, contextBytes: 4096, vectorBlocks: 1 });
  t.like(runs, { liveBlocks: 4, contextBlocks: 2, vectorBlocks: 1, vectorBytes: 204_800 });
  t.is(
    runs.contextBytes,
    owned.reduce((sum, run) => sum + (run.owned === 'context' ? run.bytes : 0), 0),
  );
  t.is(statsOfMap(map).inUseBytes, heap.stats().inUseBytes);
  const sums = heap.verify({ quiet: true });
  t.is(
    sums.ownedBytes,
    total([tiny, small, runs], (zone) => zone.contextBytes + zone.vectorBytes),
  );
  t.true(mine.every((address) => address > 0) && chunks.length === 4 && vector > 0);
  maker.core.detach();
  const after = heap.inspect.map();
  checkMap(after);
  t.is(
    total(Object.values(after.zones), (zone) => zone.contextBlocks),
    0,
  );
  t.is(
    total(Object.values(after.zones), (zone) => zone.vectorBlocks),
    4,
    'blocks that the program must not free',
  );
});

test('inspect.map: sums equal stats(), spans equal a recount', (t) => {
  const random = new Random(seedOf(t));
  for (let round = 0; round < 6; round++) {
    using heap = SharedHeap.create({ size: random.pick(['2MiB', '16MiB', '64MiB']), threads: 2 });
    fillRandomly(heap, random, 200 + random.below(8000));
    const map = heap.inspect.map();
    const stats = heap.stats();
    checkMap(map);
    const { large, ...sums } = statsOfMap(map);
    t.like(stats, sums);
    t.is(large.blocksInUse, stats.large.blocksInUse);
    t.is(large.bytes, stats.large.bytesInUse);
    const inStats = stats.sizeClasses
      .filter(({ spans }) => spans > 0)
      .map((c) => [c.blockBytes, [c.spans, c.blocksInUse, c.blocksCached, c.blocksFree]]);
    t.deepEqual(classesOfMap(map), Object.fromEntries(inStats));
    // Live blocks of each span, from the tags.
    const blocks = heap.inspect.blocks();
    let next = 0;
    for (const run of map.runs) {
      const from = next;
      while (next < blocks.length && blocks[next].address < run.address + run.bytes) next++;
      const live = 'live' in run ? run.live : run.zone === 'large' ? 1 : 0;
      if (live !== next - from) t.is(live, next - from, `run at ${run.address}`);
    }
    t.is(next, blocks.length);
  }
});

test('inspect.map: a heap in the middle of a buffer', (t) => {
  const base = 3 * 65_536;
  const buffer = new SharedArrayBuffer(base + 4 * 2 ** 20);
  using heap = SharedHeap.create({ buffer, byteOffset: base });
  fillRandomly(heap, new Random(3), 500);
  const map = heap.inspect.map();
  checkMap(map);
  t.is(map.base, base);
  t.is(map.end - map.base, heap.stats().reservedBytes);
  t.is(map.metadata[0].address, base);
});

test('inspect.map: a heap without untouched reserve', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  while (heap.malloc_ts(3000) !== 0);
  while (heap.malloc_ts(16) !== 0);
  const map = heap.inspect.map();
  checkMap(map);
  t.is(map.zones.untouched.bytes, 0);
  t.is(map.brk, map.mapFrontier);
  t.true(map.brk > map.dataStart && map.brk <= map.end);
});

test('inspect.map: refused after this thread has detached', (t) => {
  const heap = mixedHeap('2MiB', 1, 10);
  heap.detach();
  t.throws(() => heap.inspect.map(), { instanceOf: HeapError, code: 'ERR_SHMALLOC_DETACHED' });
});

test('inspect.map: consistent while threads run, exact after they stop', async (t) => {
  const seed = seedOf(t);
  using heap = SharedHeap.create({ size: '64MiB', threads: 4 });
  const words = new Int32Array(new SharedArrayBuffer(4));
  const workers = [1, 2].map((n) => {
    const workerData: Churn = { handle: heap.handle, seed: seed + n, words };
    return new Worker(WORKER, { workerData });
  });
  await Promise.all(workers.map((worker) => nextMessage(worker)));
  let seen = 0;
  const until = performance.now() + 1500;
  while (performance.now() < until) {
    const map = heap.inspect.map();
    checkMap(map);
    seen += map.zones.tiny.liveBlocks + map.zones.small.liveBlocks;
  }
  t.true(seen > 0);
  Atomics.store(words, 0, 1);
  await Promise.all(workers.map(ended));
  const map = heap.inspect.map();
  checkMap(map);
  t.is(map.zones.tiny.liveBlocks + map.zones.small.liveBlocks + map.zones.large.liveBlocks, 0);
  t.like(heap.stats(), { cachedBytes: statsOfMap(map).cachedBytes });
});

test('inspect.map: a heap of 1 GiB full of small blocks', (t) => {
  using heap = fullHeap();
  const started = performance.now();
  const map = heap.inspect.map();
  const ms = performance.now() - started;
  t.log(`map of ${map.runs.length} runs: ${ms.toFixed(0)} ms`);
  t.true(ms < 10_000, 'a bound for any machine; usually under a second');
  checkMap(map);
  t.true(map.zones.tiny.liveBlocks > 14e6);
  t.is(map.zones.tiny.liveBytes, heap.stats().inUseBytes);
});
