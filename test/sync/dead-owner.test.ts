/**
 * Proves that locks of dead threads are taken over, and never waited for.
 *
 * The test writes a dead thread's word into the lock: the state that a kill leaves, without the
 * need to hit the moment. test/points kills threads at every single point.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { classOf, type SlotIndex } from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Registry from '../../src/layout/registry.js';
import { geometryOf, heldIn } from '../helpers.js';
import { countAttached, ended, nextMessage } from '../workers.js';

const NOTHING = { slots: 0, locks: 0, blocks: 0, runs: 0, contexts: 0 };

/** Attaches a thread that then dies; returns its word in the registry. */
async function deadThread(handle: HeapHandle): Promise<number> {
  const guest = new URL('../api/guest.worker.js', import.meta.url);
  const worker = new Worker(guest, { workerData: { handle, blocks: 4, end: 'stay' } });
  await nextMessage(worker);
  const heap = SharedHeap.attach(handle);
  const geometry = geometryOf(heap);
  const words = Array.from({ length: geometry.threads }, (_, slot) =>
    Registry.loadOwner(heap.i32, geometry.registry, slot as SlotIndex),
  );
  const end = ended(worker);
  await worker.terminate();
  await end;
  return words[1] as number;
}

function lockWord(heap: SharedHeap, lock: layout.LockIndex): number {
  return LockTable.wordOf(LockTable.at(geometryOf(heap).locks, lock));
}

test('mutex: a class lock of a dead thread is taken over by a thread that needs it', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const word = await deadThread(heap.handle);
  heap.i32[lockWord(heap, LockTable.ofClass(classOf(1000)))] = word;
  const block = heap.malloc_ts(1000);
  t.not(block, 0 as Address);
  const stats = heap.stats();
  t.is(stats.locks.ownerDeaths, 1);
  t.is(stats.recovery.recoveries, 1, 'the waiter has recovered the slot too');
  t.true(stats.locks.longestWaitNanoseconds > 0);
  t.deepEqual(heap.recover(), NOTHING);
  heap.free_ts(block);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

test('mutex: small blocks, large blocks and error reports take over the page lock of a dead thread', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const word = await deadThread(heap.handle);
  const page = lockWord(heap, LockTable.PAGE);
  const untouched = (geometryOf(heap).end - 8192) as Address;
  const attempts: (() => void)[] = [
    () => heap.free_ts(heap.malloc_ts(500)),
    () => heap.free_ts(heap.malloc_ts(200_000)),
    () => t.throws(() => heap.free_ts(untouched), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' }),
    () => t.true(heap.verify().ok),
    () => t.is(heap.recover().locks, 1),
    () => void heap.inspect.blocks(),
    () => void heap.inspect.leaks(),
    () => t.throws(() => heap.inspect.hexdump(untouched), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' }),
  ];
  for (const [n, attempt] of attempts.entries()) {
    heap.i32[page] = word;
    attempt();
    t.is(heap.i32[page], 0, `attempt ${n}`);
  }
  t.is(heap.stats().locks.ownerDeaths, attempts.length);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

test('recover: takes over all locks of a dead thread, also the recovery lock, with waiters or without', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const word = await deadThread(heap.handle);
  for (const held of [word, word | 0x80000000]) {
    for (let lock = 0; lock < LockTable.COUNT; lock++) {
      heap.i32[lockWord(heap, lock as layout.LockIndex)] = held;
    }
    t.is(heap.recover().locks, LockTable.COUNT);
    t.deepEqual(heap.verify({ quiet: true }).problems, []);
  }
  t.deepEqual(heap.recover(), NOTHING);
});

test('mutex: a lock that a thread was handing over when it died is free for all threads', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  for (let lock = 0; lock < LockTable.COUNT; lock++) {
    heap.i32[lockWord(heap, lock as layout.LockIndex)] = 0x80000000;
  }
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  for (const size of [500, 200_000]) heap.free_ts(heap.malloc_ts(size));
  t.deepEqual(heap.recover(), NOTHING);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.is(heap.stats().locks.ownerDeaths, 0);
});

test('attach: needs no lock, and leaves that of a dead rescuer to others', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const { handle } = heap;
  const word = await deadThread(handle);
  heap.detach();
  // Every lock of the heap: a thread that waited for one would take it over.
  const locks = Array.from({ length: LockTable.COUNT }, (_, n) =>
    lockWord(heap, n as layout.LockIndex),
  );
  for (const lock of locks) heap.i32[lock] = word;
  using again = SharedHeap.attach(handle);
  t.true(locks.every((lock) => heap.i32[lock] === word));
  t.is(again.recover().locks, LockTable.COUNT);
  t.is(again.stats().locks.ownerDeaths, LockTable.COUNT);
  t.deepEqual(again.recover(), NOTHING);
  t.deepEqual(again.verify({ quiet: true }).problems, []);
});

test('attach: waits for no rescue, though its rescuer lives and never ends', (t) => {
  const heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const { handle } = heap;
  const lock = lockWord(heap, LockTable.RECOVERY);
  // A wait for it would be refused: its owner is this thread.
  const rescuer = Registry.loadOwner(heap.i32, geometryOf(heap).registry, 0 as SlotIndex);
  heap.detach();
  heap.i32[lock] = rescuer;
  using again = SharedHeap.attach(handle);
  t.is(heap.i32[lock], rescuer);
  heap.i32[lock] = 0;
  t.deepEqual(again.verify({ quiet: true }).problems, []);
});

test('attach: where all slots are taken, takes the recovery lock over from a dead rescuer', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  const { handle } = heap;
  const { registry } = geometryOf(heap);
  const word = await deadThread(handle);
  heap.detach();
  for (const slot of [0, 1]) Registry.storeOwner(heap.i32, registry, slot as SlotIndex, word);
  heap.i32[lockWord(heap, LockTable.RECOVERY)] = word;
  using again = SharedHeap.attach(handle);
  t.is(again.stats().locks.ownerDeaths, 1);
  t.is(again.stats().recovery.recoveries, 2);
  t.deepEqual(again.recover(), NOTHING);
  t.deepEqual(again.verify({ quiet: true }).problems, []);
});

test('malloc: in a full heap takes back what dead threads had before it returns 0', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  await deadThread(heap.handle);
  const before = heap.stats().cachedBytes;
  t.true(before > 0);
  while (heap.malloc_ts(64) !== 0);
  t.is(heap.stats().recovery.recoveries, 1);
  t.is(heap.stats().cachedBytes, 0, 'all of it was handed out');
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

test('recover: frees a run that a dead thread had reserved, and clears its tag', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const block = heap.malloc_ts(200_000);
  const { pageTable } = geometryOf(heap);
  await deadThread(heap.handle);
  // The state that a thread in slot 1 leaves if it dies before its commit.
  const record = PageRecord.at(pageTable, layout.pageOf(block));
  const pages = PageRecord.pagesOf(PageRecord.getRun(heap.i32, record));
  PageRecord.setRun(heap.i32, record, PageRecord.wordOf(PageRecord.RESERVED_RUN, 1, pages));
  t.is(heap.recover().runs, 1);
  t.is(heap.stats().large.blocksInUse, 0);
  t.throws(() => heap.free_ts(block), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

/** Recurses to the end of the stack and calls `act` at every depth on the way back. */
function dive(act: () => void): void {
  try {
    dive(act);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  act();
}

/** Calls of `act` in each dive: after them the stack is deep enough for anything. */
const ACTS = 150;

test('mutex: a stack overflow in a takeover leaves no lock behind', async (t) => {
  using heap = SharedHeap.create({ size: '16MiB', threads: 4 });
  const word = await deadThread(heap.handle);
  const page = lockWord(heap, LockTable.PAGE);
  // A function is compiled on its first call, which takes more stack than running it.
  for (let n = 0; n < 100; n++) {
    const sizes = [40, 3000, 40_000, 90_000, 200_000];
    for (const block of sizes.map((size) => heap.malloc_ts(size))) heap.free_ts(block);
  }
  for (const size of [600, 1500, 5000, 20_000, 90_000, 200_000]) {
    heap.i32[page] = word;
    let acts = 0;
    try {
      dive(() => {
        if (acts++ > ACTS) return;
        const block = heap.malloc_ts(size);
        if (block !== 0) heap.free_ts(block);
      });
    } catch (error) {
      t.true(error instanceof RangeError, String(error));
    }
    // The thread that took the lock over may have had too little stack for the rest of the
    // recovery.
    heap.recover();
    t.is(heap.recover().slots, 0);
    t.deepEqual(heldIn(heap), []);
  }
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

test('attach: a stack overflow in attach leaves no slot behind', (t) => {
  const first = SharedHeap.create({ size: '4MiB', threads: 8 });
  const { handle } = first;
  first.detach();
  let acts = 0;
  try {
    dive(() => {
      if (acts++ < ACTS) SharedHeap.attach(handle).detach();
    });
  } catch (error) {
    t.true(error instanceof RangeError, String(error));
  }
  using heap = SharedHeap.attach(handle);
  t.is(countAttached(heap.stats()), 1);
});
