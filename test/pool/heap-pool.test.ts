/**
 * Proves that a HeapPool's workers share the pool's heap without set-up code, that blocks pass
 * freely between main thread and workers, and that a pool leaves nothing of its own in the heap.
 */

import test from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import { HeapPool, type HeapPoolOptions } from 'shmalloc/pool';
import { assertIdentity } from '../helpers.js';
import { countAttached } from '../workers.js';
import type { BlocksResult, BlocksTask, Meeting } from './blocks.worker.js';

const filename = new URL('./blocks.worker.js', import.meta.url);

function meeting(threads: number): Meeting {
  return { words: new Int32Array(new SharedArrayBuffer(8)), threads };
}

test('HeapPool.run: the worker finds the heap with SharedHeap.current(), main frees its blocks', async (t) => {
  using heap = SharedHeap.create({ size: '24MiB' });
  await using pool = new HeapPool(heap, { filename, threads: 1 });
  const task: BlocksTask = { count: 300, size: 1000, mark: 0x5a };
  const { heapBytes, addresses, threadId } = await pool.run<BlocksResult>(task);
  t.is(heapBytes, 24 * 1024 * 1024);
  t.not(threadId, 0);
  t.is(new Set(addresses).size, 300);
  t.is(heap.stats().inUseBytes, 300 * heap.usableSize(addresses[0] as Address));
  for (const address of addresses) {
    t.true(heap.u8.subarray(address, address + 1000).every((byte) => byte === 0x5a));
    heap.free_ts(address as Address);
  }
  t.is(heap.stats().inUseBytes, 0);
  assertIdentity(t, heap.stats());
});

test('HeapPool.run: workers free what other workers allocated', async (t) => {
  using heap = SharedHeap.create({ size: '24MiB' });
  await using pool = new HeapPool(heap, { filename, threads: 2 });
  const both = (task: BlocksTask) => {
    const meet = meeting(2);
    return Promise.all([
      pool.run<BlocksResult>({ ...task, meet }),
      pool.run<BlocksResult>({ ...task, meet }),
    ]);
  };
  const made = await both({ count: 500, size: 200 });
  t.not(made[0].threadId, made[1].threadId);
  t.is(new Set(made.flatMap((one) => one.addresses)).size, 1000);
  const freed = await both({ others: made });
  t.deepEqual(
    freed.map((one) => one.freed),
    [500, 500],
  );
  const stats = heap.stats();
  t.is(stats.inUseBytes, 0);
  t.is(stats.allocations, 1000);
  t.is(stats.frees, 1000);
  assertIdentity(t, stats);
});

test('HeapPool.run: a task that throws rejects with its error, and the pool continues', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  await using pool = new HeapPool(heap, { filename, threads: 1 });
  await t.throwsAsync(pool.run({ fail: 'no luck' } satisfies BlocksTask), { message: 'no luck' });
  t.is((await pool.run<BlocksResult>({ count: 3 })).addresses.length, 3);
});

test("HeapPool.run: accepts piscina's options of run", async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  await using pool = new HeapPool(heap, { filename, threads: 1 });
  const stop = new AbortController();
  const meet = meeting(2);
  const stuck = pool.run({ meet } satisfies BlocksTask, { signal: stop.signal });
  stop.abort();
  await t.throwsAsync(stuck, { name: 'AbortError' });
});

test("HeapPool: the user's workerData reaches the workers in addition to the heap", async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const workerData = { colour: 'blue', limits: [1, 2, 3] };
  await using pool = new HeapPool(heap, { filename, threads: 1, workerData });
  const result = await pool.run<BlocksResult>({ count: 1 });
  t.is(result.workerData.colour, 'blue');
  t.deepEqual(result.workerData.limits, [1, 2, 3]);
  t.is(result.heapBytes, 4 * 1024 * 1024);
  t.deepEqual(Object.keys(workerData), ['colour', 'limits'], 'the given object is not changed');
});

class Settings {
  colour = 'blue';
}

for (const [what, workerData] of [
  ['an array', [1]],
  ['an instance of a class', new Settings()],
  ['a Map', new Map()],
  ['a number', 5],
  ['a text', 'blue'],
  ['null', null],
] as const) {
  test(`HeapPool: workerData that is ${what} is a TypeError`, (t) => {
    using heap = SharedHeap.create({ size: '2MiB', threads: 2 });
    const options = { filename, threads: 1, workerData } as unknown as HeapPoolOptions;
    const error = t.throws(() => new HeapPool(heap, options), { instanceOf: TypeError });
    t.is((error as { code?: string } | undefined)?.code, 'ERR_SHMALLOC_INVALID_OPTION');
    t.regex(error?.message ?? '', /workerData/);
  });
}

test('HeapPool: a missing filename is a TypeError that names it', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 2 });
  const options = { threads: 1 } as unknown as HeapPoolOptions;
  t.throws(() => new HeapPool(heap, options), {
    instanceOf: TypeError,
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /filename/,
  });
});

test('HeapPool.run: a filename that is not a module rejects with its name', async (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 2 });
  const nowhere = new URL('./nowhere.worker.js', import.meta.url);
  await using pool = new HeapPool(heap, { filename: nowhere, threads: 1 });
  await t.throwsAsync(pool.run({}), {
    code: 'ERR_SHMALLOC_WORKER_MODULE',
    message: /nowhere\.worker\.js/,
  });
});

test('HeapPool.run: rejects also if the workers failed to start before the call', async (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 3 });
  const nowhere = new URL('./nowhere.worker.js', import.meta.url);
  for (const wait of [0, 50, 100, 200, 400]) {
    await using pool = new HeapPool(heap, { filename: nowhere, threads: 2 });
    await new Promise((resolve) => setTimeout(resolve, wait));
    const error = await t.throwsAsync(pool.run({}), { any: true });
    t.regex(String((error as Error | undefined)?.message), /nowhere\.worker\.js/);
  }
});

test('HeapPool.destroy: gives slots and caches back, so that many pools in a row need few slots', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 3 });
  // Each needs all slots but that of main: one that keeps a slot is seen in the next round.
  for (let round = 0; round < 4; round++) {
    const pool = new HeapPool(heap, { filename, threads: 2 });
    const meet = meeting(2);
    const results = await Promise.all(
      [1, 2].map(() => pool.run<BlocksResult>({ meet, count: 40, size: 300 })),
    );
    t.is(countAttached(heap.stats()), 3);
    for (const { addresses } of results) {
      for (const address of addresses) heap.free_ts(address as Address);
    }
    await pool.destroy();
    const stats = heap.stats();
    t.is(countAttached(stats), 1, `round ${round}: only the main thread is attached`);
    t.is(stats.inUseBytes, 0);
    const dead = stats.threads.filter((thread) => !thread.attached);
    t.true(dead.every((thread) => thread.cachedBytes === 0));
    assertIdentity(t, stats);
  }
});

test('HeapPool.destroy: blocks of its workers stay live', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const pool = new HeapPool(heap, { filename, threads: 1 });
  const { addresses } = await pool.run<BlocksResult>({ count: 100, size: 64, mark: 7 });
  await pool.destroy();
  t.is(heap.stats().inUseBytes, 6400);
  for (const address of addresses) {
    t.true(heap.u8.subarray(address, address + 64).every((byte) => byte === 7));
    heap.free_ts(address as Address);
  }
  t.is(heap.stats().inUseBytes, 0);
});

test('HeapPool.destroy: ends a worker during a task', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  const pool = new HeapPool(heap, { filename, threads: 1 });
  await pool.run<BlocksResult>({ count: 1 });
  const meet = meeting(2);
  const stuck = pool.run({ meet } satisfies BlocksTask);
  stuck.catch(() => {});
  await pool.destroy();
  await t.throwsAsync(stuck);
  t.is(countAttached(heap.stats()), 1);
});

test('HeapPool.stats: counts threads, tasks done and tasks waiting', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const started = performance.now();
  await using pool = new HeapPool(heap, { filename, threads: 2 });
  t.is(pool.heap, heap);
  t.is(pool.stats().threads, 2);
  t.like(pool.stats(), { completed: 0, meanRunMs: 0 });
  for (let n = 0; n < 5; n++) await pool.run({ count: 1 } satisfies BlocksTask);
  t.is(pool.stats().completed, 5);
  t.is(pool.stats().queued, 0);
  const meet = meeting(3);
  const waiting = [1, 2, 3, 4].map(() => pool.run({ meet } satisfies BlocksTask));
  t.is(pool.stats().queued, 2, 'two workers hold a task each, two tasks wait');
  Atomics.add(meet.words, 0, 3);
  Atomics.notify(meet.words, 0);
  await Promise.all(waiting);
  const stats = pool.stats();
  t.is(stats.completed, 9);
  t.is(stats.queued, 0);
  const { meanRunMs, utilization } = stats;
  t.true(meanRunMs !== null && meanRunMs > 0);
  // The pool has not lived longer than this test has known it.
  const least =
    ((meanRunMs ?? 0) * stats.completed) / ((performance.now() - started) * stats.threads);
  t.true(utilization !== null && utilization >= least && utilization <= 1, `${utilization}`);
});
