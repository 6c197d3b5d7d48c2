/**
 * Proves that one thread at a time owns an object lock, and that the death of its owner is repaired
 * by recovery, reported to one thread, and waited for by none.
 *
 * object-lock-deaths.long.test.ts has deaths at every point of the protocol, no-proc.long.test.ts the
 * lock without /proc.
 */

import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import * as LockTable from '../../src/layout/lock-table.js';
import * as Registry from '../../src/layout/registry.js';
import { numberedWord, poison } from '../../src/sync/index.js';
import { lockWordOf, memoryOf } from '../helpers.js';
import { attachTo, type CountAnswer, changeOnce } from './object-lock.parts.js';
import { assertWhole, kill, makeScene, start } from './object-lock.scene.js';

/** Milliseconds after which a thread that is about to wait is waiting. */
const PAUSE_MS = 60;

test('objectLocks: one owner at a time, main and workers, with calls of the heap inside', async (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  const ROUNDS = 20_000;
  const workers = await Promise.all(
    [1, 2, 3].map(() => start<CountAnswer>(scene, { act: 'count', rounds: ROUNDS })),
  );
  const own: CountAnswer = { takenOver: 0, wrong: [] };
  for (let n = 0; n < ROUNDS; n++) changeOnce(core, word, n, own);
  for (const { answer, end } of workers) {
    t.deepEqual(await answer, { takenOver: 0, wrong: [] });
    await end;
  }
  t.deepEqual(own, { takenOver: 0, wrong: [] });
  t.is(heap.i32[word + 1], 4 * ROUNDS);
  t.is(heap.i32[word + 2], 4 * ROUNDS);
  assertWhole(t, scene);
});

test('objectLocks.isMine: true while this thread owns the lock', async (t) => {
  const scene = makeScene();
  const { core, word } = scene;
  t.false(core.objectLocks.isMine(word));
  t.is(core.objectLocks.acquire(word), 'clean');
  t.true(core.objectLocks.isMine(word));
  core.objectLocks.release(word);
  t.false(core.objectLocks.isMine(word));
  const guest = await start(scene, { act: 'hold' });
  t.false(core.objectLocks.isMine(word));
  await kill(guest);
  t.is(core.objectLocks.acquire(word), 'taken over');
  t.true(core.objectLocks.isMine(word));
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.acquire: refuses the owner of the lock, which stays the owner', (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  core.objectLocks.acquire(word);
  const held = heap.i32[word];
  // By another attachment, since the lock of this one would count as that of a cut call.
  const other = attachTo(heap.handle);
  t.throws(() => other.objectLocks.acquire(word), {
    name: 'HeapError',
    code: 'ERR_SHMALLOC_LOCK_HELD',
    message: new RegExp(`the lock at 0x${(word * 4).toString(16)}: this thread owns it`),
  });
  t.is(heap.i32[word], held);
  other.detach();
  core.objectLocks.release(word);
  t.is(core.objectLocks.acquire(word), 'clean', 'the heap is sound');
  t.is(core.objectLocks.acquire(word), 'clean', 'the first call never ended: it was cut');
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.acquire: two locks at a time, in any order', (t) => {
  const scene = makeScene();
  const { core, word } = scene;
  t.is(core.objectLocks.acquire(word), 'clean');
  t.is(core.objectLocks.acquire(word + 4), 'clean');
  core.objectLocks.release(word);
  t.true(core.objectLocks.isMine(word + 4));
  core.objectLocks.release(word + 4);
  assertWhole(t, scene);
});

test('objectLocks.acquire: refuses a thread that has detached', (t) => {
  const { heap, core, word } = makeScene();
  core.detach();
  t.throws(() => core.objectLocks.acquire(word), { code: 'ERR_SHMALLOC_DETACHED' });
  t.is(heap.i32[word], 0);
  heap.detach();
});

test('objectLocks.acquire: a terminated owner is recovered, and reported once', async (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  await kill(await start(scene, { act: 'hold' }));
  t.not(heap.i32[word], 0);
  t.is(core.objectLocks.acquire(word), 'taken over');
  t.is(heap.stats().recovery.recoveries, 1, 'recovered before the lock was taken');
  core.objectLocks.release(word);
  t.is(core.objectLocks.acquire(word), 'clean');
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.acquire: an owner that was recovered long ago counts as dead', async (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  await kill(await start(scene, { act: 'hold' }));
  t.is(heap.recover().slots, 1);
  t.is(core.objectLocks.acquire(word), 'taken over');
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.acquire: an owner without a name and a slot is dead, and needs no recovery', (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  // As its table forgets a dead thread that was recovered.
  heap.i32[word] = numberedWord(0x2fff_ffff);
  const recovery = lockWordOf(heap, LockTable.RECOVERY);
  // A recovery would be refused: this thread owns its lock.
  heap.i32[recovery] = core.me;
  t.is(core.objectLocks.acquire(word), 'taken over');
  heap.i32[recovery] = 0;
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.acquire: the death of an owner is reported to one of several waiters', async (t) => {
  const scene = makeScene();
  const owner = await start(scene, { act: 'hold' });
  const waiters = await Promise.all([1, 2, 3].map(() => start<string>(scene, { act: 'wait' })));
  await setTimeout(PAUSE_MS);
  await kill(owner);
  const outcomes = await Promise.all(waiters.map(({ answer }) => answer));
  t.deepEqual(outcomes.sort(), ['clean', 'clean', 'taken over']);
  await Promise.all(waiters.map(({ end }) => end));
  assertWhole(t, scene);
});

test('objectLocks.acquire: a thread that dies after a takeover is taken over', async (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  await kill(await start(scene, { act: 'hold' }));
  const first = heap.i32[word];
  await kill(await start(scene, { act: 'hold' }));
  t.not(heap.i32[word], first);
  t.is(core.objectLocks.acquire(word), 'taken over');
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.acquire: waits for a recovery by another thread', async (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  await kill(await start(scene, { act: 'hold' }));
  const dead = heap.i32[word];
  const recovery = lockWordOf(heap, LockTable.RECOVERY);
  heap.i32[recovery] = Registry.loadOwner(heap.i32, core.memory.geometry.registry, core.slotIndex);
  const waiter = await start<string>(scene, { act: 'wait' });
  await setTimeout(PAUSE_MS);
  t.is(heap.i32[word] & 0x7fffffff, dead, 'it is the dead owner that has the lock');
  Atomics.store(heap.i32, recovery, 0);
  Atomics.notify(heap.i32, recovery);
  t.is(await waiter.answer, 'taken over');
  await waiter.end;
  assertWhole(t, scene);
});

test('objectLocks.acquire: acquires nothing if recovery fails', async (t) => {
  const { heap, core, word } = makeScene();
  await kill(await start({ heap, word }, { act: 'hold' }));
  const dead = heap.i32[word];
  // Main owns the recovery lock: recovery fails, since it acquires the lock again.
  const { registry } = core.memory.geometry;
  heap.i32[lockWordOf(heap, LockTable.RECOVERY)] = Registry.loadOwner(
    heap.i32,
    registry,
    core.slotIndex,
  );
  t.throws(() => core.objectLocks.acquire(word), { message: /\((mutex|object-locks) I1\)/ });
  t.is(heap.i32[word] & 0x7fffffff, dead);
  t.throws(() => core.objectLocks.acquire(word), { code: 'ERR_SHMALLOC_CORRUPTION' });
  t.is(heap.i32[word] & 0x7fffffff, dead);
  core.detach();
  heap.detach();
});

test('objectLocks.acquire: refuses in a poisoned heap, also a waiter', async (t) => {
  const { heap, core, word } = makeScene();
  core.objectLocks.acquire(word);
  const waiter = await start<string>({ heap, word }, { act: 'wait' });
  await setTimeout(PAUSE_MS);
  poison(memoryOf(heap), 'said by a test (spans I1)');
  t.is(await waiter.answer, 'ERR_SHMALLOC_CORRUPTION');
  await waiter.end;
  core.objectLocks.release(word);
  t.is(heap.i32[word], 0);
  t.throws(() => core.objectLocks.acquire(word), { message: /refuses all work: .*spans I1/ });
  t.is(heap.i32[word], 0);
  core.detach();
  heap.detach();
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

test('objectLocks: a stack overflow in acquire changes nothing, and release never overflows', (t) => {
  const scene = makeScene();
  const { core, word } = scene;
  const { i32 } = core.memory;
  const locks = core.objectLocks;
  const overflows = { before: 0, under: 0 };
  for (let round = 0; round < 300; round++) {
    let acts = 0;
    const act = () => {
      if (acts++ > ACTS) return;
      try {
        locks.acquire(word);
      } catch (error) {
        overflows.before++;
        throw error;
      }
      overflows.under++;
      i32[word + 1]++;
      i32[word + 2]++;
      locks.release(word);
      overflows.under--;
    };
    try {
      dive(act);
    } catch (error) {
      t.true(error instanceof RangeError, String(error));
    }
    if (i32[word] !== 0) break;
  }
  t.true(overflows.before > 100, `${overflows.before} overflows`);
  t.is(overflows.under, 0);
  t.is(i32[word + 1], i32[word + 2]);
  assertWhole(t, scene);
});

// ---- Handed over: lock-word I4

const WAITERS = 0x80000000 | 0;

/** Sleeps on a word like a waiter; the promise is fulfilled at its end. */
function sleepOn(i32: Int32Array, word: number): Promise<string> {
  const { waitAsync } = Atomics as unknown as {
    waitAsync(i32: Int32Array, word: number, value: number): { value: Promise<string> };
  };
  return waitAsync(i32, word, i32[word] as number).value;
}

test('objectLocks.release: keeps the lock for a thread that sleeps, not for the next one', async (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  core.objectLocks.acquire(word);
  Atomics.or(heap.i32, word, WAITERS);
  const woken = sleepOn(heap.i32, word);
  core.objectLocks.release(word);
  t.is(heap.i32[word], WAITERS, 'no owner: handed over');
  t.is(await woken, 'ok');
  // A new thread sleeps first. The woken thread may have died, so the wait for it ends after that.
  t.is(core.objectLocks.acquire(word), 'clean');
  t.true(core.objectLocks.isMine(word));
  t.true((heap.i32[word] as number) < 0, 'others may still sleep');
  core.objectLocks.release(word);
  assertWhole(t, scene);
});

test('objectLocks.release: a lock without a sleeping waiter is free for all threads', (t) => {
  const scene = makeScene();
  const { heap, core, word } = scene;
  core.objectLocks.acquire(word);
  Atomics.or(heap.i32, word, WAITERS);
  core.objectLocks.release(word);
  t.is(heap.i32[word], 0);
  assertWhole(t, scene);
});
