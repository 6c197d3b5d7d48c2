/**
 * Proves the table of names: which thread owns a lock if the system uses a dead thread's id again,
 * if a look fails, if the word in the lock belongs to no thread, and if the table is full.
 *
 * The test writes into the table what the system would have to do at the right moment.
 */

import { readFileSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { classOf } from '../../src/base/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as Names from '../../src/layout/names.js';
import * as Registry from '../../src/layout/registry.js';
import { numberedWord } from '../../src/sync/index.js';
import { heldIn, lockWordOf, memoryOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';

const BYTES = 1000;
const onLinux = process.platform === 'linux' ? test : test.skip;

/** Attaches a thread and terminates it; returns its entry in the table of names, and its word. */
async function deadName(heap: SharedHeap): Promise<{ n: number; word: number }> {
  const guest = new URL('../api/guest.worker.js', import.meta.url);
  const workerData = { handle: heap.handle satisfies HeapHandle, blocks: 4, end: 'stay' };
  const worker = new Worker(guest, { workerData });
  const word = numberedWord(worker.threadId);
  await nextMessage(worker);
  const end = ended(worker);
  await worker.terminate();
  await end;
  const n = entryOf(heap, word);
  return { n, word };
}

function entryOf(heap: SharedHeap, word: number): number {
  const memory = memoryOf(heap);
  const count = Names.count(memory.geometry.threads);
  for (let n = 0; n < count; n++) {
    if (Names.wordAt(Names.load(memory, n)) === word) return n;
  }
  return -1;
}

const classLock = (heap: SharedHeap): number => lockWordOf(heap, LockTable.ofClass(classOf(BYTES)));

/** The id and the start time of the calling thread. */
function self(): { id: number; start: number } {
  const stat = readFileSync('/proc/thread-self/stat', 'latin1');
  const id = Number(readlinkSync('/proc/thread-self').split('/').pop());
  return { id, start: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) };
}

for (const ticks of [1, 256, 2 ** 22, 2 ** 32]) {
  onLinux(
    `names: a dead owner whose id is used again ${ticks} ticks later is taken over`,
    async (t) => {
      using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
      const memory = memoryOf(heap);
      const { n, word } = await deadName(heap);
      const { id, start } = self();
      Names.cas(memory, n, Names.load(memory, n), Names.pack(word, id));
      Names.storeStart(memory, n, word, start + ticks);
      heap.i32[classLock(heap)] = word;
      heap.free_ts(heap.malloc_ts(BYTES));
      t.is(heap.stats().locks.ownerDeaths, 1);
      t.is(heap.stats().recovery.recoveries, 1);
      t.deepEqual(heap.verify({ quiet: true }).problems, []);
    },
  );
}

onLinux(
  'names: an entry has the id and the start time of its thread, and goes with its last slot',
  (t) => {
    const heap = SharedHeap.create({ size: '4MiB', threads: 4 });
    const memory = memoryOf(heap);
    const word = numberedWord(0x3fff_0000);
    const me = Registry.loadOwner(heap.i32, memory.geometry.registry, 0 as never);
    const n = entryOf(heap, me);
    const { id, start } = self();
    t.is(Names.idOf(Names.load(memory, n)), id);
    t.is(Names.loadStart(memory, n, me), start);
    t.is(Names.loadStart(memory, n, word), 0, 'that of another thread says nothing');
    heap.detach();
    t.is(entryOf(heap, me), -1);
  },
);

for (const word of [0x12345, numberedWord(0x2fff_ffff), 0x3fff_ffff]) {
  test(`mutex: 0x${word.toString(16)} in a lock, a word of no thread, poisons the heap`, (t) => {
    const heap = SharedHeap.create({ size: '4MiB', threads: 4 });
    heap.i32[classLock(heap)] = word;
    const error = t.throws(() => heap.malloc_ts(BYTES), { code: 'ERR_SHMALLOC_CORRUPTION' });
    t.regex((error as Error).message, /which no thread has, dead or alive \(lock-word I4\)/);
    t.throws(() => heap.malloc_ts(64), { code: 'ERR_SHMALLOC_CORRUPTION' });
    heap.detach();
  });
}

test('attach: a recovery lock of no thread poisons the heap, and is not waited for', (t) => {
  const first = SharedHeap.create({ size: '4MiB', threads: 1 });
  const { handle } = first;
  first.detach();
  // No slot is free, so that attach begins a recovery.
  const { registry } = memoryOf(first).geometry;
  Registry.storeOwner(first.i32, registry, 0 as never, numberedWord(0x1000_0000));
  first.i32[lockWordOf(first, LockTable.RECOVERY)] = 0x12345;
  t.throws(() => SharedHeap.attach(handle), {
    code: 'ERR_SHMALLOC_CORRUPTION',
    message: /which no thread has, dead or alive \(lock-word I4\)/,
  });
});

onLinux('names: recovery reports an end, for threads that cannot look into /proc', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const { n } = await deadName(heap);
  t.false(Names.isReported(Names.load(memoryOf(heap), n)));
  heap.recover();
  t.true(Names.isReported(Names.load(memoryOf(heap), n)));
});

test('names: in a full table dead threads make room, except owners of locks', (t) => {
  const first = SharedHeap.create({ size: '4MiB', threads: 4 });
  const { handle } = first;
  const memory = memoryOf(first);
  first.detach();
  const count = Names.count(4);
  const wordOf = (n: number) => numberedWord(0x1000_0000 + n);
  for (let n = 0; n < count; n++) {
    Names.cas(memory, n, Names.NONE, Names.asReported(Names.pack(wordOf(n), 0)));
  }
  const holder = wordOf(7);
  first.i32[classLock(first)] = holder;
  using heap = SharedHeap.attach(handle);
  t.is(entryOf(heap, holder), 7);
  t.is(entryOf(heap, wordOf(8)), -1);
  heap.free_ts(heap.malloc_ts(BYTES));
  t.is(heap.stats().locks.ownerDeaths, 1);
  t.deepEqual(heldIn(heap), []);
});

test('ERR_SHMALLOC_NO_SLOT: a table full of threads that may live; nothing is left behind', (t) => {
  const first = SharedHeap.create({ size: '4MiB', threads: 4 });
  const { handle } = first;
  const memory = memoryOf(first);
  first.detach();
  const names = Array.from({ length: Names.count(4) }, (_, n) =>
    Names.pack(numberedWord(0x1000_0000 + n), 0),
  );
  for (const [n, name] of names.entries()) Names.cas(memory, n, Names.NONE, name);
  t.throws(() => SharedHeap.attach(handle), { code: 'ERR_SHMALLOC_NO_SLOT' });
  t.deepEqual(
    names.map((_, n) => Names.load(memory, n)),
    names,
  );
  Names.cas(memory, 3, names[3] as bigint, Names.NONE);
  SharedHeap.attach(handle).detach();
  t.is(Names.load(memory, 3), Names.NONE);
});
