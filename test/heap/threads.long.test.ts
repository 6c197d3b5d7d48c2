/**
 * Proves that threads may allocate, hand over, reallocate and free each other's blocks at the same
 * time: no address is ever live twice, no byte of a live block changes, and in the end everything
 * is accounted for to the byte. And that the calls without `_ts` are other names of the same functions.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Address, type DebugOptions, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import { assertIdentity, seedOf } from '../helpers.js';
import { countAttached, ended, nextMessage } from '../workers.js';
import {
  emptyMailboxes,
  MAILBOX_COUNT,
  MAILBOXES_BYTES,
  type TradeResult,
  type TradeTask,
} from './trade.worker.js';
import type { Visit } from './visitor.worker.js';

const TRADER = new URL('./trade.worker.js', import.meta.url);
const VISITOR = new URL('./visitor.worker.js', import.meta.url);
/** Marks main's claims. */
const MAIN = 255;

// ---- trading

interface Scenario {
  readonly size: string;
  readonly threads: number;
  readonly rounds: number;
  readonly blocksMax: number;
}

function start(heap: SharedHeap, seed: number, { rounds, blocksMax }: Scenario): TradeTask {
  const claims = new Uint8Array(new SharedArrayBuffer(heap.stats().reservedBytes / 16));
  const mailboxes = heap.calloc_ts(1, MAILBOXES_BYTES);
  return { claims, mailboxes, mark: MAIN, seed, rounds, blocksMax, leave: true };
}

/** Each trader's own task. */
function share(task: TradeTask, threads: number): TradeTask[] {
  return Array.from({ length: threads }, (_, n) => ({
    ...task,
    mark: n + 1,
    seed: (task.seed + n * 7919) >>> 0,
  }));
}

/** What must hold once the traders are done. */
function account(
  t: ExecutionContext,
  heap: SharedHeap,
  task: TradeTask,
  results: readonly TradeResult[],
): TradeResult {
  const rest = emptyMailboxes(heap, { ...task, leave: false });
  const all = [...results, rest];
  const sum = (of: (result: TradeResult) => number) => all.reduce((n, one) => n + of(one), 0);
  const total: TradeResult = {
    allocated: sum((one) => one.allocated),
    freed: sum((one) => one.freed),
    moved: sum((one) => one.moved),
    sent: sum((one) => one.sent),
    received: sum((one) => one.received),
    large: sum((one) => one.large),
    full: sum((one) => one.full),
    wrong: all.flatMap((one) => one.wrong),
  };
  t.log(JSON.stringify({ ...total, wrong: total.wrong.length }));
  t.deepEqual(total.wrong, [], 'nothing overlapped, nothing was overwritten');
  t.is(total.freed, total.allocated);
  t.is(total.received, total.sent);
  heap.free_ts(task.mailboxes as Address);
  t.true(
    task.claims.every((owner) => owner === 0),
    'every claim was released',
  );
  const stats = heap.stats();
  t.is(stats.inUseBytes, 0, 'nothing is in use');
  t.is(stats.large.blocksInUse, 0);
  t.is(stats.allocations, stats.frees);
  assertIdentity(t, stats);
  return total;
}

const SCENARIOS: Record<string, Scenario> = {
  '2 threads': { size: '96MiB', threads: 2, rounds: 30_000, blocksMax: 400 },
  '4 threads': { size: '96MiB', threads: 4, rounds: 15_000, blocksMax: 250 },
  '4 threads in a heap that is often full': {
    size: '6MiB',
    threads: 4,
    rounds: 10_000,
    blocksMax: 400,
  },
};

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`malloc_ts, free_ts, realloc_ts: ${name} of their own trade blocks, none is live twice`, async (t) => {
    const { size, threads } = scenario;
    const heap = SharedHeap.create({ size, threads: threads + 1 });
    const task = start(heap, seedOf(t), scenario);
    const workers = share(task, threads).map(
      (own) => new Worker(TRADER, { workerData: { alone: { heap: heap.handle, task: own } } }),
    );
    const exits = workers.map(ended);
    const results = await Promise.all(workers.map((worker) => nextMessage<TradeResult>(worker)));
    await Promise.all(exits);
    t.is(countAttached(heap.stats()), 1, 'workers that ended gave their slots back');
    const total = account(t, heap, task, results);
    t.true(total.received > MAILBOX_COUNT, 'blocks changed hands');
    t.true(total.moved > 0 && total.large > 0);
    if (size === '6MiB') t.true(total.full > 0, 'the heap was full at times');
    const main = heap.stats().threads.filter((thread) => thread.attached);
    t.is(heap.stats().cachedBytes, main[0]?.cachedBytes, 'only main has anything cached');
    heap.detach();
  });
}

for (const threads of [2, 4]) {
  test(`malloc_ts, free_ts, realloc_ts: ${threads} threads of a HeapPool trade blocks, none is live twice`, async (t) => {
    const scenario = { size: '96MiB', threads, rounds: 30_000 / threads, blocksMax: 300 };
    const heap = SharedHeap.create({ size: scenario.size, threads: threads + 1 });
    const task = start(heap, seedOf(t), scenario);
    const pool = new HeapPool(heap, { filename: TRADER, threads });
    const results = await Promise.all(
      share(task, threads).map((own) => pool.run<TradeResult>(own)),
    );
    account(t, heap, task, results);
    await pool.destroy();
    t.is(countAttached(heap.stats()), 1);
    t.is(heap.stats().cachedBytes, heap.stats().threads[0]?.cachedBytes);
    assertIdentity(t, heap.stats());
    heap.detach();
  });
}

// ---- calls without _ts

interface Visitor {
  readonly worker: Worker;
  readonly words: Int32Array<SharedArrayBuffer>;
}

async function invite(heap: SharedHeap, again: boolean): Promise<Visitor> {
  const words = new Int32Array(new SharedArrayBuffer(12));
  const workerData: Visit = { heap: heap.handle, words, again };
  const worker = new Worker(VISITOR, { workerData });
  await nextMessage(worker);
  return { worker, words };
}

async function sendAway({ worker, words }: Visitor): Promise<void> {
  const exit = ended(worker);
  const gone = nextMessage(worker);
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
  await gone;
  await exit;
}

const PLAIN = ['malloc', 'free', 'calloc', 'realloc', 'alignedAlloc'] as const;

const DEBUG: Record<string, DebugOptions> = {
  'no debug option': {},
  'onError: warn': { onError: 'warn' },
  strict: { strict: true },
  'guard, scribble': { guard: 16, scribble: true },
  'history, stacks': { history: 64, stacks: 8 },
};

for (const [options, debug] of Object.entries(DEBUG)) {
  test(`malloc, free, calloc, realloc, alignedAlloc: the same functions as with _ts (${options})`, (t) => {
    using heap = SharedHeap.create({ size: '8MiB', debug });
    for (const name of PLAIN) t.is(heap[name] as unknown, heap[`${name}_ts`], name);
    const { malloc, free, calloc, realloc, alignedAlloc } = heap;
    const blocks = [
      malloc(100),
      calloc(10, 10),
      realloc(malloc(20), 70_000),
      alignedAlloc(4096, 9),
    ];
    t.true(blocks.every((address) => address !== 0));
    blocks.forEach(free);
    t.is(heap.stats().inUseBytes, 0, 'unbound, too');
  });
}

test('malloc, free, calloc, realloc, alignedAlloc: slow paths work with two threads attached', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const visitor = await invite(heap, false);
  const addresses = [
    heap.malloc(100),
    heap.malloc(100_000),
    heap.malloc(1_000_000),
    heap.calloc(10, 10),
    heap.calloc(10, 10_000),
    heap.alignedAlloc(4096, 100),
    heap.alignedAlloc(65536, 100_000),
    heap.realloc(heap.malloc(50), 200_000),
    ...Array.from({ length: 1000 }, () => heap.malloc(64)),
  ];
  t.true(addresses.every((address) => address !== 0));
  t.is(new Set(addresses).size, addresses.length);
  for (const address of addresses) heap.free(address);
  t.is(heap.stats().inUseBytes, 0);
  await sendAway(visitor);
  assertIdentity(t, heap.stats());
});

test('malloc, free: what lies in the own cache needs nobody else, with any number of threads', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  heap.free(heap.malloc(64));
  const visitor = await invite(heap, false);
  const before = heap.stats().locks.acquisitions;
  for (let n = 0; n < 1000; n++) heap.free(heap.malloc(64));
  t.is(heap.stats().locks.acquisitions, before);
  await sendAway(visitor);
  assertIdentity(t, heap.stats());
});

test('malloc and malloc_ts mix freely', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const sizes = [16, 100, 5000, 70_000, 300_000];
  const addresses = Array.from({ length: 500 }, (_, n) => {
    const size = sizes[n % sizes.length] as number;
    if (size > 65536 && n > 50) return heap.malloc(16);
    return n % 2 === 0 ? heap.malloc(size) : heap.malloc_ts(size);
  });
  t.true(addresses.every((address) => address !== 0));
  addresses.forEach((address, n) => {
    if (n % 3 === 0) heap.free(address);
    else heap.free_ts(address);
  });
  t.is(heap.stats().inUseBytes, 0);
  assertIdentity(t, heap.stats());
});

test('attach, detach: a thread comes and goes while another makes plain calls; nothing is lost', async (t) => {
  using heap = SharedHeap.create({ size: '16MiB', threads: 2 });
  const { worker, words } = await invite(heap, true);
  const exit = ended(worker);
  const live: { address: Address; size: number }[] = [];
  let done = 0;
  let mixed = 0;
  // Until the other thread has come and gone often enough.
  for (let n = 0; done < 20_000 || Atomics.load(words, 1) < 300; n++) {
    if (Atomics.load(words, 2) !== 0) break;
    done++;
    const size = n % 5 === 0 ? 70_000 + (n % 64) * 4096 : 16 + (n % 40) * 16;
    if (live.length < 60) {
      const address = heap.malloc(size);
      heap.u32[address >>> 2] = address;
      heap.u32[(address + size - 4) >>> 2] = size;
      live.push({ address, size });
    } else {
      const [block] = live.splice((n * 7) % live.length, 1) as [(typeof live)[number]];
      if (heap.u32[block.address >>> 2] !== block.address) mixed++;
      if (heap.u32[(block.address + block.size - 4) >>> 2] !== block.size) mixed++;
      heap.free(block.address);
    }
  }
  t.is(Atomics.load(words, 2), 0, 'the other thread is still at it');
  Atomics.store(words, 0, 1);
  await exit;
  t.log(`${done} plain calls, ${Atomics.load(words, 1)} visits`);
  t.is(mixed, 0, 'no block was overwritten');
  assertIdentity(t, heap.stats());
  for (const { address } of live) heap.free(address);
  t.is(heap.stats().inUseBytes, 0);
  t.is(countAttached(heap.stats()), 1);
  assertIdentity(t, heap.stats());
});
