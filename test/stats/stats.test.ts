/**
 * Proves every field of heap.stats() on scenarios small enough to count by hand, that resetStats()
 * restarts the counts without a change of the heap, and that inspect.print('stats') prints them.
 */

import { threadId, Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Address, type HeapStats, SharedHeap, type SizeClassStats } from 'shmalloc';
import { assertIdentity, randomFrom, seedOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import type { Order } from './counting.worker.js';

const WORKER = new URL('./counting.worker.js', import.meta.url);
const PAGE = 8192;
const MIB = 2 ** 20;
/** Bytes of the steps in which the bottom of the reserve is taken. */
const BRK_STEP = 8 * PAGE;

function classOf(stats: HeapStats, blockBytes: number): SizeClassStats {
  return stats.sizeClasses.find((c) => c.blockBytes === blockBytes) as SizeClassStats;
}

/** A heap whose main thread has an empty cache, and its statistics with the identity checked. */
function fresh(size: string, threads = 2): SharedHeap {
  return SharedHeap.create({ size, threads });
}

function check(t: ExecutionContext, heap: SharedHeap): HeapStats {
  const stats = heap.stats();
  assertIdentity(t, stats);
  return stats;
}

const NO_LOCKS = {
  acquisitions: 0,
  contentions: 0,
  waitNanoseconds: 0,
  longestWaitNanoseconds: 0,
  ownerDeaths: 0,
};

const NO_RECOVERY = { recoveries: 0, blocksReturned: 0, runsReturned: 0, contextsReturned: 0 };

test('stats: a new heap is wholly untouched, and all its counts are 0', (t) => {
  using heap = fresh('8MiB');
  const stats = check(t, heap);
  const dataBytes = 8 * MIB - stats.metadataBytes;
  t.is(stats.reservedBytes, 8 * MIB);
  t.true(stats.metadataBytes > 0 && stats.metadataBytes < 2 * MIB);
  t.is(dataBytes % PAGE, 0);
  t.is(stats.untouchedBytes, dataBytes);
  for (const field of [
    'footprintBytes',
    'mappedBytes',
    'peakFootprintBytes',
    'inUseBytes',
    'cachedBytes',
    'freeBlockBytes',
    'spanTailBytes',
    'freeRunBytes',
    'totalAllocatedBytes',
    'totalFreedBytes',
    'allocations',
    'frees',
    'splits',
    'coalesces',
    'directMaps',
    'brkBytes',
  ] as const) {
    t.is(stats[field], 0, field);
  }
  t.deepEqual(stats.large, {
    blocksInUse: 0,
    bytesInUse: 0,
    allocations: 0,
    frees: 0,
    internalBytes: 0,
  });
  t.deepEqual(stats.fragmentation, {
    internalBytes: 0,
    internalRatio: 0,
    largestFreeRunBytes: 0,
    largestFreeRunRatio: 1,
    externalRatio: 0,
    largestFitBytes: dataBytes,
    peakLiveBytes: 0,
    footprintOverPeakLive: 0,
  });
  t.deepEqual(stats.locks, NO_LOCKS);
  t.deepEqual(stats.recovery, NO_RECOVERY);
  t.deepEqual(stats.contexts, { live: 0, released: 0, chunks: 0, bytes: 0 });
  t.is(stats.sizeClasses.length, 44);
  t.is(stats.sizeClasses[0]?.blockBytes, 16);
  t.is(stats.sizeClasses.at(-1)?.blockBytes, 65536);
  for (const { blockBytes, requestBytesMean, ...counts } of stats.sizeClasses) {
    t.is(requestBytesMean, null);
    t.true(
      Object.values(counts).every((count) => count === 0),
      `class of ${blockBytes} bytes`,
    );
  }
  t.deepEqual(stats.threads, [
    {
      slot: 0,
      threadId,
      attached: true,
      allocations: 0,
      frees: 0,
      refills: 0,
      flushes: 0,
      cachedBytes: 0,
    },
  ]);
});

test('stats: three blocks of 100 bytes, counted by hand', (t) => {
  using heap = fresh('8MiB');
  const addresses = [1, 2, 3].map(() => heap.malloc_ts(100));
  const stats = check(t, heap);
  // 100 bytes take a block of 112; a span of that class is one page: 73 blocks, 16 bytes left over.
  t.is(stats.inUseBytes, 3 * 112);
  t.is(stats.allocations, 3);
  t.is(stats.frees, 0);
  t.is(stats.totalAllocatedBytes, 3 * 112);
  t.is(stats.totalFreedBytes, 0);
  t.is(stats.mappedBytes, PAGE);
  t.is(stats.peakFootprintBytes, PAGE);
  t.is(stats.footprintBytes, BRK_STEP);
  t.is(stats.brkBytes, BRK_STEP);
  t.is(stats.freeRunBytes, BRK_STEP - PAGE);
  t.is(stats.spanTailBytes, 16);
  t.is(stats.splits, 1, 'a page was cut from the step');
  t.is(stats.coalesces, 0);
  t.is(stats.directMaps, 0);
  t.is(stats.locks.acquisitions, 2, 'the class lock once, the page lock once');
  const c = classOf(stats, 112);
  t.deepEqual(
    { ...c, blocksCached: 0, blocksFree: 0 },
    {
      blockBytes: 112,
      spans: 1,
      blocksInUse: 3,
      blocksCached: 0,
      blocksFree: 0,
      allocations: 3,
      frees: 0,
      sampledRequests: 1,
      requestBytesMean: 100,
      internalBytes: 3 * 12,
    },
  );
  t.true(c.blocksCached > 0, 'a refill took more blocks than were requested');
  t.is(c.blocksInUse + c.blocksCached + c.blocksFree, 73);
  t.is(stats.cachedBytes, c.blocksCached * 112);
  t.is(stats.freeBlockBytes, c.blocksFree * 112);
  const [thread] = stats.threads;
  t.deepEqual(thread, {
    slot: 0,
    threadId,
    attached: true,
    allocations: 3,
    frees: 0,
    refills: 1,
    flushes: 0,
    cachedBytes: stats.cachedBytes,
  });

  for (const address of addresses) heap.free_ts(address);
  const after = check(t, heap);
  t.is(after.inUseBytes, 0);
  t.is(after.frees, 3);
  t.is(after.totalFreedBytes, 3 * 112);
  t.is(after.cachedBytes, (c.blocksCached + 3) * 112);
  t.is(after.threads[0]?.frees, 3);
  t.is(classOf(after, 112).frees, 3);
  t.is(after.locks.acquisitions, 2, 'frees into the cache take no lock');
});

test('stats: free blocks of a span are counted, and a wholly free span goes back', (t) => {
  using heap = fresh('8MiB');
  const addresses = Array.from({ length: 6000 }, () => heap.malloc_ts(128));
  const full = check(t, heap);
  const { spans } = classOf(full, 128);
  t.is(spans, Math.ceil((6000 + classOf(full, 128).blocksCached) / 64));
  t.is(full.mappedBytes, spans * PAGE);
  t.true((full.threads[0]?.refills ?? 0) > 1);
  for (const address of addresses) heap.free_ts(address);
  const empty = check(t, heap);
  t.is(classOf(empty, 128).blocksInUse, 0);
  t.true(classOf(empty, 128).spans < spans, 'empty spans went back');
  t.is(empty.mappedBytes, classOf(empty, 128).spans * PAGE);
  t.is(empty.footprintBytes, full.footprintBytes, 'footprint never falls');
  t.is(empty.peakFootprintBytes, full.peakFootprintBytes);
  t.true((empty.threads[0]?.flushes ?? 0) > 0);
  heap.detach();
  const again = SharedHeap.attach(heap.handle);
  const detached = check(t, again);
  t.is(detached.mappedBytes, 0);
  t.is(detached.cachedBytes, 0);
  t.is(detached.freeRunBytes, detached.footprintBytes);
  t.true(detached.coalesces > 0, 'free runs were joined');
  again.detach();
});

test('stats: large blocks, splits, coalesces, direct maps and the brk, counted by hand', (t) => {
  using heap = fresh('8MiB');
  const { untouchedBytes } = heap.stats();
  // 100,000 bytes are 13 pages: two steps of the brk, with 3 pages left over.
  const low = heap.malloc_ts(100_000);
  let stats = check(t, heap);
  t.is(stats.inUseBytes, 13 * PAGE);
  t.deepEqual(stats.large, {
    blocksInUse: 1,
    bytesInUse: 13 * PAGE,
    allocations: 1,
    frees: 0,
    internalBytes: 13 * PAGE - 100_000,
  });
  t.is(stats.brkBytes, 2 * BRK_STEP);
  t.is(stats.footprintBytes, 2 * BRK_STEP);
  t.is(stats.freeRunBytes, 3 * PAGE);
  t.is(stats.splits, 1);
  t.is(stats.directMaps, 0);

  // Runs of 128 KiB and more come from the top, in their exact size.
  const high = heap.malloc_ts(128 * 1024);
  stats = check(t, heap);
  t.true(high > low);
  t.is(stats.directMaps, 1);
  t.is(stats.brkBytes, 2 * BRK_STEP, 'the brk stays where it is');
  t.is(stats.footprintBytes, 2 * BRK_STEP + 16 * PAGE);
  t.is(stats.untouchedBytes, untouchedBytes - stats.footprintBytes);
  t.is(stats.mappedBytes, 29 * PAGE);
  t.is(stats.peakFootprintBytes, 29 * PAGE);
  t.is(stats.large.bytesInUse, 29 * PAGE);
  t.is(stats.totalAllocatedBytes, 29 * PAGE);
  t.is(stats.splits, 1);

  heap.free_ts(low);
  stats = check(t, heap);
  t.is(stats.coalesces, 1, 'with the 3 pages above it');
  t.is(stats.freeRunBytes, 16 * PAGE);
  t.is(stats.mappedBytes, 16 * PAGE);
  t.is(stats.peakFootprintBytes, 29 * PAGE);

  heap.free_ts(high);
  stats = check(t, heap);
  t.is(stats.coalesces, 1, 'the reserve is not a free run');
  t.is(stats.freeRunBytes, 32 * PAGE);
  t.is(stats.mappedBytes, 0);
  t.deepEqual(stats.large, {
    blocksInUse: 0,
    bytesInUse: 0,
    allocations: 2,
    frees: 2,
    internalBytes: 0,
  });
  t.is(stats.allocations, 2);
  t.is(stats.frees, 2);
  t.is(stats.totalFreedBytes, 29 * PAGE);
  t.is(stats.threads[0]?.allocations, 2);
  t.is(stats.threads[0]?.frees, 2);
  t.is(stats.locks.acquisitions, 4, 'the page lock once per call');

  // A run of 20 pages is direct and fits into no free run: it comes from the top of the reserve
  // again.
  heap.free_ts(heap.malloc_ts(20 * PAGE));
  stats = check(t, heap);
  t.is(stats.directMaps, 2);
  t.is(stats.coalesces, 2, 'joined with the run above, which the first direct block left');
  t.is(stats.freeRunBytes, 52 * PAGE);
});

test('stats: realloc counts a move as an allocation and a free, growth in place as bytes only', (t) => {
  using heap = fresh('8MiB');
  const small = heap.malloc_ts(64);
  const moved = heap.realloc_ts(small, 200);
  let stats = check(t, heap);
  t.is(stats.allocations, 2);
  t.is(stats.frees, 1);
  t.is(stats.inUseBytes, 224);
  t.is(stats.totalAllocatedBytes, 64 + 224);
  t.is(stats.totalFreedBytes, 64);
  t.is(heap.realloc_ts(moved, 210), moved);
  t.is(heap.stats().allocations, 2, 'a realloc within the class is not counted');
  heap.free_ts(moved);

  const low = heap.malloc_ts(9 * PAGE);
  const rest = heap.stats().freeRunBytes;
  t.true(rest >= 2 * PAGE);
  const before = heap.stats();
  t.is(heap.realloc_ts(low, 11 * PAGE), low, 'there is room behind it');
  stats = check(t, heap);
  t.is(stats.allocations, before.allocations);
  t.is(stats.frees, before.frees);
  t.is(stats.totalAllocatedBytes, before.totalAllocatedBytes + 2 * PAGE);
  t.is(stats.totalFreedBytes, before.totalFreedBytes);
  t.is(stats.large.bytesInUse, 11 * PAGE);
  t.is(heap.realloc_ts(low, 9 * PAGE), low);
  stats = check(t, heap);
  t.is(stats.large.bytesInUse, 9 * PAGE);
  t.is(stats.totalFreedBytes, before.totalFreedBytes + 2 * PAGE, 'the tail was given back');
});

test('stats: allocations and frees are counted by thread', async (t) => {
  using heap = fresh('8MiB');
  const worker = new Worker(WORKER, { workerData: heap.handle });
  await nextMessage(worker);
  const tell = (order: Order) => {
    const answer = nextMessage<number[]>(worker);
    worker.postMessage(order);
    return answer;
  };
  const sizes = Array.from({ length: 10 }, () => 64);
  const theirs = await tell({ allocate: [...sizes, 200_000] });
  const ours = sizes.map((size) => heap.malloc_ts(size));
  let stats = check(t, heap);
  t.is(stats.threads.length, 2);
  const [main, other] = stats.threads;
  t.is(main?.threadId, threadId);
  t.is(other?.threadId, worker.threadId);
  t.is(main?.slot, 0);
  t.is(other?.slot, 1);
  t.is(main?.allocations, 10);
  t.is(other?.allocations, 11);
  t.is(other?.refills, 1);
  t.is((main?.cachedBytes ?? 0) + (other?.cachedBytes ?? 0), stats.cachedBytes);

  for (const address of theirs) heap.free_ts(address as Address);
  await tell({ free: ours });
  stats = check(t, heap);
  t.is(stats.inUseBytes, 0);
  t.is(stats.threads[0]?.allocations, 10);
  t.is(stats.threads[0]?.frees, 11);
  t.is(stats.threads[1]?.allocations, 11);
  t.is(stats.threads[1]?.frees, 10);
  t.is(stats.allocations, 21);
  t.is(stats.frees, 21);
  t.is(classOf(stats, 64).allocations, 20);
  t.is(classOf(stats, 64).frees, 20);
  t.is(stats.large.frees, 1);

  await worker.terminate();
  heap.recover();
  stats = check(t, heap);
  t.false(stats.threads[1]?.attached);
  t.is(stats.threads[1]?.threadId, other?.threadId, 'the last thread that had the slot');
  t.is(stats.threads[1]?.allocations, 11, 'counts outlive their thread');
  t.is(stats.threads[1]?.cachedBytes, 0);

  const next = new Worker(WORKER, { workerData: heap.handle });
  await nextMessage(next);
  stats = check(t, heap);
  t.is(stats.threads.length, 2, 'the slot is reused');
  t.is(stats.threads[1]?.threadId, next.threadId);
  t.true(stats.threads[1]?.attached);
  t.is(stats.threads[1]?.allocations, 11, 'and its counts go on');
  const exit = ended(next);
  await next.terminate();
  await exit;
});

test('stats: a lock that two threads want at once is counted as contended', async (t) => {
  using heap = fresh('8MiB');
  const worker = new Worker(WORKER, { workerData: heap.handle });
  await nextMessage(worker);
  const contendUntil = new Int32Array(new SharedArrayBuffer(4));
  const begun = nextMessage(worker);
  worker.postMessage({ contendUntil } satisfies Order);
  await begun;
  let stats = heap.stats();
  while (stats.locks.contentions === 0) {
    for (let n = 0; n < 1000; n++) heap.free_ts(heap.malloc_ts(100_000));
    stats = heap.stats();
  }
  Atomics.store(contendUntil, 0, 1);
  t.true(stats.locks.waitNanoseconds > 0);
  t.true(stats.locks.contentions <= stats.locks.acquisitions);
  // The worker answers a further order only after it has left its loop.
  const quiet = nextMessage(worker);
  worker.postMessage({} satisfies Order);
  await quiet;
  assertIdentity(t, heap.stats());
  await worker.terminate();
});

test('resetStats: restarts all counts and leaves the heap as it is', async (t) => {
  using heap = fresh('8MiB');
  const worker = new Worker(WORKER, { workerData: heap.handle });
  await nextMessage(worker);
  const allocated = nextMessage<number[]>(worker);
  worker.postMessage({ allocate: Array(300).fill(64) } satisfies Order);
  const theirs = await allocated;
  const kept = Array.from({ length: 500 }, (_, n) => heap.malloc_ts(16 + (n % 50) * 16));
  const large = [heap.malloc_ts(100_000), heap.malloc_ts(300_000)] as const;
  heap.free_ts(large[0]);
  for (const address of kept.splice(200)) heap.free_ts(address);
  const before = check(t, heap);
  t.true(before.peakFootprintBytes > before.mappedBytes);

  heap.resetStats();
  const stats = check(t, heap);
  for (const field of [
    'reservedBytes',
    'footprintBytes',
    'mappedBytes',
    'inUseBytes',
    'cachedBytes',
    'freeBlockBytes',
    'spanTailBytes',
    'freeRunBytes',
    'untouchedBytes',
    'metadataBytes',
    'brkBytes',
  ] as const) {
    t.is(stats[field], before[field], field);
  }
  for (const field of [
    'totalAllocatedBytes',
    'totalFreedBytes',
    'allocations',
    'frees',
    'splits',
    'coalesces',
    'directMaps',
  ] as const) {
    t.true(before[field] > 0, field);
    t.is(stats[field], 0, field);
  }
  t.is(stats.peakFootprintBytes, stats.mappedBytes);
  t.deepEqual(stats.locks, NO_LOCKS);
  t.deepEqual(stats.recovery, NO_RECOVERY);
  t.deepEqual(stats.large, {
    blocksInUse: 1,
    bytesInUse: before.large.bytesInUse,
    allocations: 0,
    frees: 0,
    internalBytes: before.large.internalBytes,
  });
  t.is(stats.fragmentation.peakLiveBytes, stats.inUseBytes, 'the peak restarts');
  stats.sizeClasses.forEach((c, i) => {
    t.deepEqual(c, { ...(before.sizeClasses[i] as SizeClassStats), allocations: 0, frees: 0 });
  });
  for (const thread of stats.threads) {
    t.is(thread.allocations + thread.frees + thread.refills + thread.flushes, 0);
  }
  t.deepEqual(
    stats.threads.map((thread) => thread.cachedBytes),
    before.threads.map((thread) => thread.cachedBytes),
  );

  for (const address of kept) heap.free_ts(address);
  for (const address of theirs) heap.free_ts(address as Address);
  heap.free_ts(large[1]);
  const one = heap.malloc_ts(64);
  const after = check(t, heap);
  t.is(after.frees, 200 + 300 + 1, 'frees of blocks allocated before the reset are counted');
  t.is(after.allocations, 1);
  t.is(after.totalAllocatedBytes, 64);
  t.is(after.totalFreedBytes, before.inUseBytes);
  t.is(after.inUseBytes, 64);
  t.is(after.threads[0]?.frees, 501);
  t.is(after.threads[1]?.frees, 0);
  heap.free_ts(one);
  await worker.terminate();
});

test('stats: the identity holds after every one of many random operations', (t) => {
  const random = randomFrom(seedOf(t));
  using heap = fresh('8MiB');
  const blocks: { address: Address; bytes: number }[] = [];
  let inUse = 0;
  let allocations = 0;
  for (let n = 0; n < 4000; n++) {
    if (random(100) < 55 && blocks.length < 300) {
      const size = random(20) === 0 ? random(300_000) : random(3000);
      const address = heap.malloc_ts(size);
      if (address === 0) continue;
      allocations++;
      const bytes = heap.usableSize(address);
      blocks.push({ address, bytes });
      inUse += bytes;
    } else if (blocks.length > 0) {
      const [block] = blocks.splice(random(blocks.length), 1);
      if (block === undefined) continue;
      heap.free_ts(block.address);
      inUse -= block.bytes;
    }
    const stats = heap.stats();
    if (n % 50 === 0) assertIdentity(t, stats);
    if (stats.inUseBytes !== inUse || stats.allocations !== allocations) {
      t.fail(`operation ${n}: ${stats.inUseBytes} bytes in use, counted ${inUse}`);
      return;
    }
  }
  for (const { address } of blocks) heap.free_ts(address);
  const stats = check(t, heap);
  t.is(stats.inUseBytes, 0);
  t.is(stats.frees, allocations);
});

test('inspect.print stats: prints a table of sizes, classes and threads to stdout', (t) => {
  using heap = fresh('8MiB');
  for (let n = 0; n < 1234; n++) heap.malloc_ts(100);
  heap.malloc_ts(150_000);
  heap.free_ts(heap.malloc_ts(16));
  let text = '';
  heap.inspect.print('stats', {
    write(piece) {
      text += piece;
    },
  });
  t.true(text.endsWith('\n'));
  const lines = text.slice(0, -1).split('\n');
  const line = (start: RegExp) => lines.find((one) => start.test(one)) ?? '';
  t.deepEqual(
    lines.filter((one) => /^\S/.test(one)),
    ['heap', 'size classes', 'threads'],
  );
  t.regex(line(/reserved/), /reserved\s+8 MiB\s+in use\s+287 KiB/);
  t.regex(line(/allocations/), /allocations\s+1,236/);
  const { internalBytes, internalRatio, peakLiveBytes } = heap.stats().fragmentation;
  t.is(internalBytes, 1234 * 12 + 19 * PAGE - 150_000);
  t.regex(line(/not asked for/), /not asked for\s+20 KiB\s+longest free\s+\S+ KiB\s/);
  t.true(line(/not asked for/).includes(`${(internalRatio * 100).toFixed(1)}% of use internal`));
  t.is(peakLiveBytes, 1234 * 112 + 19 * PAGE, 'the block of 16 bytes was freed in between');
  t.regex(line(/most in use/), /most in use\s+287 KiB\s+longest fit\s.*footprint 1\.\d\d x/);
  t.regex(line(/direct maps/), /direct maps\s+1\s+large blocks\s+1/);
  t.regex(line(/^\s+112\b/), /^\s+112\s+\d+\s+1,234\s/);
  t.regex(line(/^\s+large\b/), /large\s+1\s/);
  t.regex(lines.at(-1) ?? '', /^\s+0\s+0\s+1,236\s+1\s+\d+\s+0\s/);
  // Columns are aligned, numbers to the right.
  const ends = [/^\s+16\b/, /^\s+112\b/].map((start) => start.exec(line(start))?.[0].length);
  t.is(ends[0], ends[1]);
});
