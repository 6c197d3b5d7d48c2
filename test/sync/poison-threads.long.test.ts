/**
 * Proves that a heap found broken by one thread refuses all work in other threads, too: those that
 * have all blocks they need in their caches, those in the middle of a call, and those that wait.
 * And that such threads end in order.
 */

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { HeapCorruptionError, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import { classOf, type SlotIndex } from '../../src/base/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Registry from '../../src/layout/registry.js';
import { poison } from '../../src/sync/index.js';
import { geometryOf, lockWordOf, memoryOf, Random, seedOf } from '../helpers.js';
import type { BlocksTask } from '../pool/blocks.worker.js';
import { LARGE_PAGES, makeScene } from '../verify/broken.js';
import { countAttached, ended } from '../workers.js';
import type { PoisonAnswer, PoisonOrder } from './poison.worker.js';

const REASON = 'said by a test (spans I1)';
/** Maximum milliseconds from the poisoning to the refusal; the machine may be busy. */
const WAKE_MS_MAX = 3000;

const NO_ANSWER = ['no answer at all'];
const CLEAN = { code: 0, errors: [] };

/** A worker that follows orders, and ends with its test. */
class Guest {
  readonly #worker = new Worker(new URL('./poison.worker.js', import.meta.url));
  #words = new Int32Array(new SharedArrayBuffer(8));
  #answer: Promise<PoisonAnswer> | undefined;

  constructor(t: ExecutionContext) {
    t.teardown(() => this.#worker.terminate());
  }

  /** Sends an order, and returns when the worker is at work. */
  async send(
    heap: SharedHeap,
    act: PoisonOrder['act'],
    { size = 64, reason = REASON } = {},
  ): Promise<void> {
    this.#words = new Int32Array(new SharedArrayBuffer(8));
    this.#answer = once(this.#worker, 'message').then(([answer]) => answer as PoisonAnswer);
    const order: PoisonOrder = { handle: heap.handle, act, words: this.#words, size, reason };
    this.#worker.postMessage(order);
    while (Atomics.load(this.#words, 0) === 0) await setTimeout(1);
  }

  /**
   * After the heap is poisoned: the calls of the worker that were not refused, within a time limit.
   */
  async wrong(): Promise<readonly string[]> {
    Atomics.store(this.#words, 1, 1);
    Atomics.notify(this.#words, 1);
    const late = setTimeout(WAKE_MS_MAX, NO_ANSWER, { ref: false });
    return Promise.race([late, this.#answer?.then(({ wrong }) => wrong) ?? NO_ANSWER]);
  }

  /** Ends the worker in order; returns its exit code and errors. */
  async end(): Promise<{ code: number; errors: unknown[] }> {
    const errors: unknown[] = [];
    this.#worker.on('error', (error) => errors.push(error));
    const exit = ended(this.#worker);
    this.#worker.postMessage('end');
    return { code: await exit, errors };
  }
}

/** The thread word of main, a living thread that releases nothing. */
function mainsWord(heap: SharedHeap): number {
  return Registry.loadOwner(heap.i32, geometryOf(heap).registry, 0 as SlotIndex);
}

test('poison: every call in every other thread refuses, with warm caches and without', async (t) => {
  const { heap, memory, record, freed, large } = makeScene();
  const guests = [new Guest(t), new Guest(t)];
  const reason = '(page-heap I4)';
  for (const guest of guests) await guest.send(heap, 'try', { reason });
  PageRecord.setTail(memory.i32, record(freed[0] + LARGE_PAGES - 1), 4);
  t.throws(() => heap.free_ts(large[1]), { instanceOf: HeapCorruptionError });
  for (const guest of guests) t.deepEqual(await guest.wrong(), []);
  const late = new Guest(t);
  await late.send(heap, 'attach', { reason });
  t.deepEqual(await late.wrong(), []);
  for (const guest of [...guests, late]) t.deepEqual(await guest.end(), CLEAN);
  t.is(countAttached(heap.stats()), 1, 'they gave their slots back');
  heap.detach();
});

test('poison: stops threads that use their caches only', async (t) => {
  const random = new Random(seedOf(t));
  const guest = new Guest(t);
  for (let round = 0; round < 50; round++) {
    const heap = SharedHeap.create({ size: '2MiB', threads: 2 });
    await guest.send(heap, 'loop');
    await setTimeout(random.below(8));
    poison(memoryOf(heap), REASON);
    t.deepEqual(await guest.wrong(), [], `round ${round}`);
    heap.detach();
  }
  t.deepEqual(await guest.end(), CLEAN);
});

test('poison: wakes a thread that waits for a lock, though the lock stays owned', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB' });
  const lock = lockWordOf(heap, LockTable.ofClass(classOf(64)));
  heap.i32[lock] = mainsWord(heap);
  const guest = new Guest(t);
  await guest.send(heap, 'wait');
  await setTimeout(30);
  poison(memoryOf(heap), REASON);
  t.deepEqual(await guest.wrong(), []);
  heap.i32[lock] = 0;
  t.deepEqual(await guest.end(), CLEAN);
  heap.detach();
});

test('poison: a thread refuses that waits for a lock of the thread that finds the heap broken', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB' });
  // Main owns the lock, and acquires it again: that is the broken invariant.
  heap.i32[lockWordOf(heap, LockTable.ofClass(classOf(3000)))] = mainsWord(heap);
  const guest = new Guest(t);
  await guest.send(heap, 'wait', { size: 3000, reason: '(mutex I1)' });
  await setTimeout(30);
  t.throws(() => heap.malloc_ts(3000), { message: /\(mutex I1\)/ });
  t.deepEqual(await guest.wrong(), []);
  t.deepEqual(await guest.end(), CLEAN);
  heap.detach();
});

test('poison: wakes a thread that waits for the recovery lock to attach', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB' });
  const { registry, threads } = geometryOf(heap);
  const owners = Array.from({ length: threads }, (_, slot) => slot as SlotIndex);
  // No slot is free, so that attach begins a recovery.
  for (const slot of owners) Registry.storeOwner(heap.i32, registry, slot, mainsWord(heap));
  heap.i32[lockWordOf(heap, LockTable.RECOVERY)] = mainsWord(heap);
  const guest = new Guest(t);
  await guest.send(heap, 'attach');
  await setTimeout(30);
  poison(memoryOf(heap), REASON);
  t.deepEqual(await guest.wrong(), []);
  t.true(
    owners.every((slot) => Registry.loadOwner(heap.i32, registry, slot) === mainsWord(heap)),
    'it has claimed no slot',
  );
  t.deepEqual(await guest.end(), CLEAN);
  heap.detach();
});

test('poison: a pool over a poisoned heap ends in order', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB' });
  const filename = new URL('../pool/blocks.worker.js', import.meta.url);
  const pool = new HeapPool(heap, { filename, threads: 1 });
  await pool.run({ count: 10 } satisfies BlocksTask);
  poison(memoryOf(heap), REASON);
  const refused = pool.run({ count: 10 } satisfies BlocksTask);
  await t.throwsAsync(refused, { message: /refuses all work/ });
  await t.notThrowsAsync(pool.destroy());
  t.notThrows(() => heap.detach());
});
