/**
 * Proves that verify() finds no problem in a sound heap, after any use and while threads use it;
 * that its counts are those of stats() and of the program's books; that blocks() lists the books;
 * and its reports about the heap as a whole.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as Registry from '../../src/layout/registry.js';
import { MAILBOXES_BYTES, type TradeResult, type TradeTask } from '../heap/trade.worker.js';
import type { Visit } from '../heap/visitor.worker.js';
import { assertIdentity, geometryOf, lockWordOf, Random, seedOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import { makeScene } from './broken.js';

const KIB = 1024;

/** Checks that verify, stats() and the program's books have the same counts. */
function assertSound(t: ExecutionContext, heap: SharedHeap, books: Iterable<Address>): void {
  const report = heap.verify({ quiet: true });
  t.deepEqual(report.problems, []);
  t.true(report.ok && report.quiet);
  t.is(report.problemsLeftOut, 0);
  const stats = assertIdentity(t, heap);
  const live = [...books].sort((a, b) => a - b);
  t.is(report.liveBlocks, live.length);
  t.is(
    report.liveBytes,
    live.reduce((sum, address) => sum + heap.usableSize(address), 0),
  );
  t.is(report.liveBytes, stats.inUseBytes);
  t.is(report.cachedBytes, stats.cachedBytes);
  t.is(report.freeBlockBytes, stats.freeBlockBytes);
  t.is(report.largeBlocks, stats.large.blocksInUse);
  const sum = (of: (c: (typeof stats.sizeClasses)[number]) => number) =>
    stats.sizeClasses.reduce((total, c) => total + of(c), 0);
  t.is(
    report.spans,
    sum((c) => c.spans),
  );
  t.is(
    report.cachedBlocks,
    sum((c) => c.blocksCached),
  );
  t.is(
    report.freeBlocks,
    sum((c) => c.blocksFree),
  );
  t.is(report.freeRuns > 0, stats.freeRunBytes > 0);
  t.deepEqual(
    heap.inspect.blocks(),
    live.map((address) => ({ address, bytes: heap.usableSize(address) })),
  );
  t.true(heap.verify().ok, 'not quiet');
}

// ---- Sound heaps

test('verify, blocks: a fresh heap is empty', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  assertSound(t, heap, []);
  const { liveBytes, cachedBlocks, spans, freeRuns } = heap.verify({ quiet: true });
  t.deepEqual(
    { liveBytes, cachedBlocks, spans, freeRuns },
    {
      liveBytes: 0,
      cachedBlocks: 0,
      spans: 0,
      freeRuns: 0,
    },
  );
  t.false(heap.verify().quiet);
});

test('verify, blocks: count every kind of block, in a given buffer at an offset', (t) => {
  const buffer = new SharedArrayBuffer(9 * KIB * KIB);
  new Uint8Array(buffer).fill(0xff);
  using heap = SharedHeap.create({ buffer, byteOffset: 5 * 8192 });
  const books: Address[] = [];
  for (const size of [0, 8, 48, 1000, 4 * KIB, 64 * KIB, 64 * KIB + 1, 256 * KIB, 1000 * KIB]) {
    books.push(heap.malloc_ts(size), heap.calloc_ts(1, size), heap.alignedAlloc_ts(4 * KIB, size));
  }
  assertSound(t, heap, books);
  for (const address of books.splice(0, 20)) heap.free_ts(address);
  assertSound(t, heap, books);
});

test('verify, blocks: agree with the books of a full heap, and after every other block is freed', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const books: Address[] = [];
  for (const size of [200 * KIB, 70 * KIB, 3000, 16]) {
    const until = books.length + 400;
    for (let block = heap.malloc_ts(size); block !== 0; block = heap.malloc_ts(size)) {
      books.push(block);
      if (size > 16 && books.length > until) break;
    }
  }
  t.is(heap.malloc_ts(16), 0 as Address);
  assertSound(t, heap, books);
  for (const address of books.filter((_, n) => n % 2 === 0)) heap.free_ts(address);
  assertSound(
    t,
    heap,
    books.filter((_, n) => n % 2 === 1),
  );
});

test('verify, blocks: agree with the books after every step of random work', (t) => {
  const random = new Random(seedOf(t));
  using heap = SharedHeap.create({ size: '6MiB', threads: 2 });
  const books = new Set<Address>();
  const size = () => random.below(random.pick([300, 300, 5000, 66_000, 400_000]));
  for (let step = 0; step < 2500; step++) {
    const victim = random.pick([...books, 0 as Address]);
    const what = random.below(100);
    if (what < 45 || victim === 0) {
      const block = random.pick([
        () => heap.malloc_ts(size()),
        () => heap.malloc(size()),
        () => heap.calloc_ts(1, size()),
        () => heap.alignedAlloc_ts(1 << random.below(17), size()),
      ])();
      if (block !== 0) books.add(block);
    } else if (what < 65) {
      const moved = heap.realloc_ts(victim, size() + 1);
      if (moved !== 0) books.delete(victim);
      if (moved !== 0) books.add(moved);
    } else {
      heap.free_ts(victim);
      books.delete(victim);
    }
    if (step % 100 === 0) assertSound(t, heap, books);
  }
  for (const address of random.shuffled([...books])) heap.free_ts(address);
  assertSound(t, heap, []);
});

// ---- With other threads

test('verify, blocks: are exact while other threads are attached and their caches full', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 4 });
  const words = new Int32Array(new SharedArrayBuffer(12));
  const guest = new URL('../api/guest.worker.js', import.meta.url);
  const workers = [20, 100].map(
    (blocks) =>
      new Worker(guest, { workerData: { handle: heap.handle, blocks, keep: 7, end: 'stay' } }),
  );
  const reports = await Promise.all(
    workers.map((worker) => nextMessage<{ addresses: Address[] }>(worker)),
  );
  const visitor = new Worker(new URL('../heap/visitor.worker.js', import.meta.url), {
    workerData: { heap: heap.handle, words, again: false } satisfies Visit,
  });
  await nextMessage(visitor);
  const mine = [100, 5000, 100_000].map((size) => heap.malloc_ts(size));
  t.true(heap.stats().threads.filter(({ cachedBytes }) => cachedBytes > 0).length >= 3);
  assertSound(t, heap, [...mine, ...reports.flatMap(({ addresses }) => addresses)]);
  await Promise.all([...workers, visitor].map((worker) => worker.terminate()));
});

test('verify, blocks: find no problem at any moment while threads trade blocks', async (t) => {
  using heap = SharedHeap.create({ size: '24MiB', threads: 4 });
  const seed = seedOf(t);
  const claims = new Uint8Array(new SharedArrayBuffer(heap.stats().reservedBytes / 16));
  const mailboxes = heap.calloc_ts(1, MAILBOXES_BYTES);
  const traders = [1, 2].map((mark) => {
    const task: TradeTask = {
      claims,
      mailboxes,
      mark,
      seed: (seed + mark) | 0,
      rounds: 8000,
      blocksMax: 200,
    };
    const alone = { heap: heap.handle, task };
    return new Worker(new URL('../heap/trade.worker.js', import.meta.url), {
      workerData: { alone },
    });
  });
  const exits = traders.map(ended);
  let working = true;
  const done = Promise.all(traders.map((trader) => nextMessage<TradeResult>(trader)));
  const over = () => {
    working = false;
  };
  done.then(over, over);
  let looks = 0;
  while (working) {
    const { problems } = heap.verify();
    if (problems.length > 0) t.deepEqual(problems, [], `look ${looks}`);
    for (const { address, bytes } of heap.inspect.blocks()) {
      if (!(address > 0 && bytes >= 16)) t.fail(`a block of ${bytes} bytes at ${address}`);
    }
    looks++;
    await new Promise(setImmediate);
  }
  const results = await done;
  await Promise.all(exits);
  t.deepEqual(
    results.flatMap(({ wrong }) => wrong),
    [],
  );
  t.log(`${looks} looks`);
  t.true(looks > 3);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

// ---- The heap as a whole

test('verify: a store through null is reported as geometry I4, with its address', (t) => {
  const { heap, geometry } = makeScene();
  heap.u8[geometry.base + 4099] = 1;
  const [problem] = heap.verify().problems;
  t.is(problem?.invariant, 'geometry I4');
  t.is(problem?.address, geometry.base + 4096);
  t.regex(problem?.message ?? '', /null page/);
  heap.u8[geometry.base + 4099] = 0;
  t.true(heap.verify().ok);
  heap.detach();
});

test('verify: an owned lock is reported if quiet', (t) => {
  const { heap, geometry } = makeScene();
  const me = Registry.loadOwner(heap.i32, geometry.registry, 0 as never);
  const lock = lockWordOf(heap, LockTable.RECOVERY);
  heap.i32[lock] = me;
  const { problems } = heap.verify({ quiet: true });
  t.deepEqual(
    problems.map(({ invariant, address }) => ({ invariant, address })),
    [{ invariant: 'mutex I4', address: lock * 4 }],
  );
  t.true(heap.verify().ok, 'no problem while threads use the heap');
  heap.i32[lock] = 0;
  t.true(heap.verify({ quiet: true }).ok);
  heap.detach();
});

test('verify: lists a hundred problems and counts the rest', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const { tags } = layout.viewMemory(heap.handle.buffer, geometryOf(heap));
  const blocks = Array.from({ length: 130 }, () => heap.malloc_ts(100));
  for (const address of blocks) tags[address >>> 4] = 0;
  const report = heap.verify({ quiet: true });
  t.false(report.ok);
  t.is(report.problems.length, 100);
  t.is(report.problemsLeftOut, 30);
  for (const address of blocks) tags[address >>> 4] = 7;
  t.true(heap.verify({ quiet: true }).ok);
});
