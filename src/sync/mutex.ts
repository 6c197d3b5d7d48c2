/**
 * Mutexes: the heap's ranked locks, built on Atomics.
 *
 * Called by heap/ from the slow paths. Any thread; a thread's own cache needs none of them.
 *
 * A lock word has three states: 0, owner, owner with waiters (as in Drepper, "Futexes are tricky",
 * mutex 3), so that a release without waiters makes no system call. A waiter spins on plain loads
 * first, then sets the waiters bit and sleeps, with a time limit: a thread that dies between its
 * release and its notify must not leave others asleep.
 *
 * I1  Locks are taken in rising order of index (checked with SHMALLOC_CHECKED=1).
 * I2  Who has waited takes the lock with the waiters bit set: others may still sleep.
 * I3  A thread in a solo section (unsafe calls, alone in the heap) takes no lock at all.
 * I4  No user code runs under a lock.
 * I5  A wait ends: a lock whose owner is dead is an error, not a hang.
 */

import { HeapCorruptionError, HeapError, type WordIndex } from '../base/index.js';
import {
  ACQUISITIONS,
  addLockCounter,
  CONTENTIONS,
  casLock,
  type HeapMemory,
  type LockIndex,
  lockLine,
  lockWordIndex,
  peekLock,
  swapLock,
  WAIT_NANOSECONDS,
} from '../layout/index.js';
import { isAlive, type ThreadWord, WAITERS } from './thread-word.js';

/** Node 24 and later: tells the processor that this is a spin loop. */
const pause = (Atomics as { pause?: () => void }).pause;
const SPINS = pause === undefined ? 500 : 60;
/** A sleeping waiter looks again after this long, woken or not. */
const WAIT_LIMIT_MS = 20;
const CHECKED = globalThis.process?.env?.SHMALLOC_CHECKED === '1';

/** One thread's way to the locks of one heap. */
export interface Locks {
  /** Takes a lock; blocks while another thread has it. */
  acquire(lock: LockIndex): void;
  /** Gives a lock back. The caller holds it. */
  release(lock: LockIndex): void;
  /** From now on (until `false`) acquire and release do nothing: this thread is alone. */
  setSolo(alone: boolean): void;
}

export function createLocks(memory: HeapMemory, me: ThreadWord): Locks {
  const { i32, f64, geometry } = memory;
  const table = geometry.locks;
  let solo = false;
  const held: LockIndex[] = [];

  function acquire(lock: LockIndex): void {
    if (solo) return;
    if (CHECKED) checkRank(lock);
    const line = lockLine(table, lock);
    if (casLock(i32, line, 0, me) !== 0) acquireContended(line, lock);
    addLockCounter(f64, line, ACQUISITIONS, 1);
  }

  function release(lock: LockIndex): void {
    if (solo) return;
    if (CHECKED) held.pop();
    const line = lockLine(table, lock);
    if (swapLock(i32, line, 0) < 0) Atomics.notify(i32, lockWordIndex(line), 1);
  }

  function acquireContended(line: WordIndex, lock: LockIndex): void {
    const started = performance.now();
    if (!spin(line)) sleepUntilTaken(line, lock);
    addLockCounter(f64, line, CONTENTIONS, 1);
    addLockCounter(f64, line, WAIT_NANOSECONDS, (performance.now() - started) * 1e6);
  }

  function spin(line: WordIndex): boolean {
    for (let n = 0; n < SPINS; n++) {
      // A plain load may be late, never wrong for long; the compare-and-swap decides.
      if (peekLock(i32, line) === 0 && casLock(i32, line, 0, me) === 0) return true;
      if (pause !== undefined) pause();
    }
    return false;
  }

  function sleepUntilTaken(line: WordIndex, lock: LockIndex): void {
    for (;;) {
      // A failed swap from 0 says what is there now. No ABA: the word names the owner, and whoever
      // owns it now is waited for, whether or not it is the one that was seen.
      let seen = casLock(i32, line, 0, me | WAITERS);
      if (seen === 0) return;
      if (seen > 0) {
        if (casLock(i32, line, seen, seen | WAITERS) !== seen) continue;
        seen |= WAITERS;
      }
      const outcome = Atomics.wait(i32, lockWordIndex(line), seen, WAIT_LIMIT_MS);
      if (outcome === 'timed-out' && peekLock(i32, line) === seen) checkOwner(seen, lock);
    }
  }

  /** Waiting for the dead, or for oneself, would be for ever. */
  function checkOwner(seen: number, lock: LockIndex): void {
    const owner = (seen & ~WAITERS) as ThreadWord;
    if (owner === me) {
      throw new HeapCorruptionError(`lock ${lock} asked for by the thread that has it (mutex I1)`);
    }
    if (isAlive(owner) !== false) return;
    throw new HeapError(
      'ERR_SHMALLOC_DEAD_OWNER',
      `lock ${lock} of this heap is held by a thread that died: what it guards cannot be used`,
    );
  }

  function checkRank(lock: LockIndex): void {
    const last = held.at(-1);
    if (last !== undefined && last >= lock) {
      throw new HeapCorruptionError(`lock ${lock} asked for while holding lock ${last} (mutex I1)`);
    }
    held.push(lock);
  }

  return {
    acquire,
    release,
    setSolo(alone) {
      solo = alone;
    },
  };
}
