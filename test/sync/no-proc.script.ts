/**
 * Process of the tests without /proc: runs one scenario, and prints the outcome as JSON. A module
 * that is loaded first hides /proc from this process and all its threads.
 */

import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import { classOf, type SlotIndex } from '../../src/base/index.js';
import type * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as Registry from '../../src/layout/registry.js';
import { numberedWord, WAITERS } from '../../src/sync/index.js';
import { geometryOf, heldIn, heldLocks, lockWordOf } from '../helpers.js';
import { instrument } from '../points/instrument.js';
import type { KillOrder } from '../points/kill.parts.js';
import { countAttached, ended, nextMessage } from '../workers.js';
import type { NoProcTask } from './no-proc.worker.js';
import { attachTo, type ObjectOrder } from './object-lock.parts.js';

const WORKER = new URL('./no-proc.worker.js', import.meta.url);
const LOCK_TIMEOUT_MS = 300;
/** Milliseconds after which a thread that is about to wait is waiting. */
const PAUSE_MS = 60;
/** The class whose lock kill.worker owns when it flushes for the first time. */
const BYTES = 48;

const makeHeap = (): SharedHeap =>
  SharedHeap.create({ size: '8MiB', threads: 4, lockTimeoutMs: LOCK_TIMEOUT_MS });

function start(handle: HeapHandle, task: NoProcTask): Worker {
  return new Worker(WORKER, { workerData: { handle, task } });
}

/** Starts a thread that acquires the lock of an object. */
function startAtObject(heap: SharedHeap, word: number, act: ObjectOrder['act']) {
  const words = twoWords();
  const workerData: ObjectOrder = { handle: heap.handle, word, act, words };
  const worker = new Worker(new URL('./object-lock.worker.js', import.meta.url), { workerData });
  return { worker, there: arrived(words, 1) };
}

const twoWords = () => new Int32Array(new SharedArrayBuffer(8));

async function arrived(words: Int32Array<SharedArrayBuffer>, threads: number): Promise<void> {
  while (Atomics.load(words, 0) < threads) await setTimeout(2);
  await setTimeout(PAUSE_MS);
}

/** Checks of a heap at the end of a scenario. */
const stateOf = (heap: SharedHeap) => ({
  held: heldIn(heap),
  problems: heap.verify({ quiet: true }).problems,
  attached: countAttached(heap.stats()),
  recoveries: heap.stats().recovery.recoveries,
});

/** Attaches a thread and terminates it without recovery; returns its word. */
async function deadWord(heap: SharedHeap): Promise<number> {
  const words = twoWords();
  const worker = start(heap.handle, { hold: LockTable.RECOVERY, words });
  await arrived(words, 1);
  const word = heap.i32[lockWordOf(heap, LockTable.RECOVERY)];
  await worker.terminate();
  heap.i32[lockWordOf(heap, LockTable.RECOVERY)] = 0;
  return word;
}

interface Attempt {
  code: string | undefined;
  ms: number;
}

function attempt(call: () => unknown): Attempt {
  const started = performance.now();
  let code: string | undefined;
  try {
    call();
  } catch (error) {
    code = (error as { code?: string }).code ?? String(error);
  }
  return { code, ms: performance.now() - started };
}

const SCENARIOS: Record<string, () => Promise<object>> = {
  /** The names of threads; they can do everything that they can with /proc. */
  async words() {
    const heap = makeHeap();
    const words = twoWords();
    const worker = start(heap.handle, { hold: LockTable.RECOVERY, words });
    const { threadId } = worker;
    await arrived(words, 1);
    const { registry } = geometryOf(heap);
    const owner = (slot: number) => Registry.loadOwner(heap.i32, registry, slot as SlotIndex);
    const names = {
      main: owner(0) === numberedWord(0),
      worker: owner(1) === numberedWord(threadId),
    };
    heap.i32[lockWordOf(heap, LockTable.RECOVERY)] = 0;
    const recovered = heap.recover();
    heap.watch(worker);
    await worker.terminate();
    const busy = start(heap.handle, { work: 500, words });
    const exit = ended(busy);
    const said = await nextMessage<string>(busy);
    await exit;
    return { names, recovered, said, ...stateOf(heap) };
  },

  /** A worker is terminated in the middle of a flush; another waits for its lock. */
  async watch() {
    const heap = makeHeap();
    const copy = instrument();
    const order: KillOrder = {
      library: new URL('index.js', copy.url).href,
      handle: heap.handle,
      part: 'tour',
      point: 'flush.bit',
      passage: 1,
    };
    const victim = new Worker(new URL('../points/kill.worker.js', import.meta.url), {
      workerData: order,
    });
    const parked = await nextMessage(victim);
    copy.remove();
    const words = twoWords();
    const waiters = [1, 2].map(() => start(heap.handle, { work: BYTES, words }));
    const exits = waiters.map(ended);
    const answers = waiters.map((waiter) => nextMessage<string>(waiter));
    await arrived(words, 2);
    // Those that wait for it may hold other locks just now.
    const owner = numberedWord(victim.threadId);
    const held = heldLocks(heap).filter(({ word }) => (word & ~WAITERS) === owner).length;
    heap.watch(victim);
    await victim.terminate();
    const said = await Promise.all(answers);
    await Promise.all(exits);
    return { parked, heldBefore: held, said, ...stateOf(heap) };
  },

  /** A worker of a pool is terminated in the middle of a flush, by the abortion of its task. */
  async pool() {
    const heap = makeHeap();
    const pool = new HeapPool(heap, { filename: WORKER, threads: 2 });
    const words = twoWords();
    const stop = new AbortController();
    const hold = LockTable.ofClass(classOf(BYTES));
    const stuck = pool.run({ hold, words } satisfies NoProcTask, { signal: stop.signal });
    await arrived(words, 1);
    const waiting = pool.run({ work: BYTES, words } satisfies NoProcTask);
    await arrived(words, 2);
    const held = heldLocks(heap).filter(({ lock }) => lock === hold).length;
    stop.abort();
    const aborted = await stuck.catch((error: Error) => error.name);
    const said = await waiting;
    const again = await pool.run({ work: BYTES, words } satisfies NoProcTask);
    await pool.destroy();
    return { heldBefore: held, aborted, said: [said, again], ...stateOf(heap) };
  },

  /** The owner's death is not known: main gives up, with each lock and in each call. */
  async timeout() {
    const heap = makeHeap();
    const word = await deadWord(heap);
    const large = heap.malloc_ts(200_000);
    const small = heap.malloc_ts(5000);
    heap.u8.fill(7, large, large + 200_000);
    const calls: Record<string, [layout.LockIndex, () => unknown]> = {
      'malloc_ts, class lock': [LockTable.ofClass(classOf(BYTES)), () => heap.malloc_ts(BYTES)],
      'calloc_ts, class lock': [LockTable.ofClass(classOf(BYTES)), () => heap.calloc_ts(1, BYTES)],
      'realloc_ts, class lock': [
        LockTable.ofClass(classOf(BYTES)),
        () => heap.realloc_ts(small, BYTES),
      ],
      'verify, class lock': [LockTable.ofClass(classOf(BYTES)), () => heap.verify()],
      'malloc_ts, page lock': [LockTable.PAGE, () => heap.malloc_ts(BYTES)],
      'malloc_ts large, page lock': [LockTable.PAGE, () => heap.malloc_ts(300_000)],
      'free_ts large, page lock': [LockTable.PAGE, () => heap.free_ts(large)],
      'realloc_ts large, page lock': [LockTable.PAGE, () => heap.realloc_ts(large, 900_000)],
      'realloc_ts large to small, page lock': [LockTable.PAGE, () => heap.realloc_ts(large, BYTES)],
      'realloc_ts small to large, page lock': [
        LockTable.PAGE,
        () => heap.realloc_ts(small, 200_000),
      ],
      'free_ts of no block, page lock': [
        LockTable.PAGE,
        () => heap.free_ts((large + 16) as Address),
      ],
      'verify, page lock': [LockTable.PAGE, () => heap.verify()],
      'blocks, page lock': [LockTable.PAGE, () => heap.inspect.blocks()],
      'recover, recovery lock': [LockTable.RECOVERY, () => heap.recover()],
    };
    const live = JSON.stringify(heap.inspect.blocks());
    const attempts = Object.entries(calls).map(([call, [lock, work]]) => {
      heap.i32[lockWordOf(heap, lock)] = word;
      const { code, ms } = attempt(work);
      const held = heldIn(heap);
      heap.i32[lockWordOf(heap, lock)] = 0;
      const { problems } = heap.verify({ quiet: true });
      const kept = JSON.stringify(heap.inspect.blocks()) === live;
      return { call, code, ms, held: held.length, kept, problems };
    });
    const whole = heap.u8.subarray(large, large + 200_000).every((byte) => byte === 7);
    return { attempts, whole };
  },

  /** A free with a full cache is done before it acquires the lock; the next free is refused. */
  async full() {
    const heap = makeHeap();
    const word = await deadWord(heap);
    const blocks = Array.from({ length: 5000 }, () => heap.malloc_ts(BYTES));
    const lock = lockWordOf(heap, LockTable.ofClass(classOf(BYTES)));
    heap.i32[lock] = word;
    const attempts: (Attempt & { live: boolean })[] = [];
    for (const address of blocks) {
      const { code, ms } = attempt(() => heap.free_ts(address));
      const live = attempt(() => heap.usableSize(address)).code === undefined;
      if (ms > LOCK_TIMEOUT_MS / 2) attempts.push({ code, ms, live });
      if (attempts.length === 2) break;
    }
    heap.i32[lock] = 0;
    for (const { address } of heap.inspect.blocks()) heap.free_ts(address);
    return { attempts, live: heap.inspect.blocks().length, ...stateOf(heap) };
  },

  /**
   * A thread died with the recovery lock: main attaches where a slot is free; where none is, it cannot
   * recover the dead, and leaves no slot behind.
   */
  async attach() {
    const first = makeHeap();
    const { handle } = first;
    const word = await deadWord(first);
    first.detach();
    const { registry } = geometryOf(first);
    const lock = lockWordOf(first, LockTable.RECOVERY);
    first.i32[lock] = word;
    const withRoom = attempt(() => SharedHeap.attach(handle).detach());
    const slots = [0, 1, 2, 3] as SlotIndex[];
    for (const slot of slots) Registry.casOwner(first.i32, registry, slot, word);
    const { code, ms } = attempt(() => SharedHeap.attach(handle));
    const owners = slots.map((slot) => Registry.loadOwner(first.i32, registry, slot));
    first.i32[lock] = 0;
    for (const slot of slots.slice(1)) Registry.storeOwner(first.i32, registry, slot, 0);
    const heap = SharedHeap.attach(handle);
    const mine = owners.filter((owner) => owner === numberedWord(0)).length;
    return { withRoom, code, ms, mine, ...stateOf(heap) };
  },

  /** A worker waits longer than main would, and goes on when the lock is free. */
  async patience() {
    const heap = makeHeap();
    const word = await deadWord(heap);
    const lock = lockWordOf(heap, LockTable.ofClass(classOf(BYTES)));
    heap.i32[lock] = word;
    const words = twoWords();
    const worker = start(heap.handle, { work: BYTES, words });
    let said = 'waits';
    const exit = ended(worker);
    const answer = nextMessage<string>(worker).then((text) => {
      said = text;
    });
    await arrived(words, 1);
    await setTimeout(3 * LOCK_TIMEOUT_MS);
    const meanwhile = said;
    Atomics.store(heap.i32, lock, 0);
    Atomics.notify(heap.i32, lock);
    await answer;
    await exit;
    return { meanwhile, said, ...stateOf(heap) };
  },

  /**
   * A watched worker is terminated as an object lock's owner: one thread waits for it, main comes
   * later.
   */
  async object() {
    const heap = makeHeap();
    const [first, second] = [heap.calloc_ts(1, 64) >>> 2, heap.calloc_ts(1, 64) >>> 2];
    const victim = startAtObject(heap, first, 'hold');
    await victim.there;
    // It dies as the owner of two locks: a thread waits for one of them, none for the other.
    heap.i32[second] = heap.i32[first];
    const waiter = startAtObject(heap, first, 'wait');
    const said = nextMessage<string>(waiter.worker);
    const exit = ended(waiter.worker);
    await waiter.there;
    heap.watch(victim.worker);
    await victim.worker.terminate();
    const waited = await said;
    await exit;
    const { objectLocks, detach } = attachTo(heap.handle);
    const outcomes = [waited];
    for (const word of [first, second, second]) {
      outcomes.push(objectLocks.acquire(word));
      objectLocks.release(word);
    }
    detach();
    return { outcomes, ...stateOf(heap) };
  },

  /**
   * The death of an object lock's owner is not known: main gives up, and goes on after a report.
   */
  async objectTimeout() {
    const heap = makeHeap();
    const core = attachTo(heap.handle);
    const { objectLocks } = core;
    const word = heap.calloc_ts(1, 64) >>> 2;
    const victim = startAtObject(heap, word, 'hold');
    const { threadId } = victim.worker;
    await victim.there;
    const alive = attempt(() => objectLocks.acquire(word));
    await victim.worker.terminate();
    const dead = attempt(() => objectLocks.acquire(word));
    const kept = (heap.i32[word] & 0x7fffffff) === numberedWord(threadId);
    core.recoverThread(threadId);
    const outcomes = [objectLocks.acquire(word)];
    objectLocks.release(word);
    outcomes.push(objectLocks.acquire(word));
    objectLocks.release(word);
    core.detach();
    return { alive, dead, kept, outcomes, ...stateOf(heap) };
  },
};

const scenario = SCENARIOS[process.argv[2] ?? ''];
if (scenario === undefined) throw new Error(`no scenario ${process.argv[2]}`);
console.log(JSON.stringify(await scenario()));
// Dead threads whose end was not reported still have slots.
process.exit();
