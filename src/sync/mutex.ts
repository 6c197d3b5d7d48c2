/**
 * Mutexes: the heap's ranked locks, built on Atomics, that outlive their owners.
 *
 * Called by heap/ from the slow paths. Any thread; a thread's own cache needs none of them.
 *
 * A lock word has three states: 0, owner, owner with waiters (as in Drepper, "Futexes are tricky",
 * mutex 3), so that a release without waiters makes no system call. A waiter spins on plain loads
 * first, then sets the waiters bit and sleeps, with a time limit: a thread that dies between its
 * release and its notify must not leave others asleep. When the limit ends and the word has not
 * moved, the waiter looks whether the owner lives. A dead owner's lock is taken over: the word
 * becomes the waiter's, and what the lock guards is repaired before anything else is done with it
 * (as with robust futexes, whose new owner is told EOWNERDEAD; the checked model of these rules is
 * in test/model).
 *
 * I1  Locks are taken in rising order of index (checked with SHMALLOC_CHECKED=1).
 * I2  Who has waited takes the lock with the waiters bit set: others may still sleep.
 * I3  A thread in a solo section (unsafe calls, alone in the heap) takes no lock at all.
 * I4  No user code runs under a lock.
 * I5  A wait ends: with the lock, with the heap found poisoned, or, for a main thread where nobody
 *     can tell whether the owner lives, with ERR_SHMALLOC_LOCK_TIMEOUT. (A worker waits on there,
 *     until the owner's end is reported.)
 * I6  When acquire throws, nothing has been done under the lock; whoever mends releases it where it
 *     was had. A takeover whose repair fails gives the word back to the dead owner, for the next
 *     waiter to try.
 */

import {
  HeapCorruptionError,
  HeapError,
  probeStack,
  RESCUE_FRAMES,
  type WordIndex,
} from '../base/index.js';
import {
  ACQUISITIONS,
  addLockCounter,
  CONTENTIONS,
  casLock,
  getLockCounter,
  type HeapMemory,
  LOCK_COUNT,
  LOCK_WORDS,
  LONGEST_WAIT_NANOSECONDS,
  type LockIndex,
  lockLine,
  lockWordIndex,
  OWNER_DEATHS,
  PAGE_LOCK,
  peekLock,
  swapLock,
  WAIT_NANOSECONDS,
} from '../layout/index.js';
import { isPoisoned, throwIfPoisoned } from './poison.js';
import { type ThreadWord, WAITERS } from './thread-word.js';
import { isThreadAlive } from './threads.js';

/** Node 24 and later: tells the processor that this is a spin loop. */
const pause = (Atomics as { pause?: () => void }).pause;
const SPINS = pause === undefined ? 500 : 60;
/** A sleeping waiter looks again after this long, woken or not. */
const WAIT_LIMIT_MS = 5;
const CHECKED = globalThis.process?.env?.SHMALLOC_CHECKED === '1';

/** Puts right what a lock guards. The caller has the lock. */
export type Repair = (lock: LockIndex) => void;

/** One thread's way to the locks of one heap. */
export interface Locks {
  /**
   * Takes a lock; blocks while another thread has it.
   * @throws HeapCorruptionError, HeapError ERR_SHMALLOC_LOCK_TIMEOUT, with the lock not taken
   */
  acquire(lock: LockIndex): void;
  /** Gives a lock back. The caller holds it. */
  release(lock: LockIndex): void;
  /** The locks that this thread holds, innermost first. Looks at every lock word. */
  held(): LockIndex[];
  /** From now on (until `false`) acquire and release do nothing: this thread is alone. */
  setSolo(alone: boolean): void;
  isSolo(): boolean;
  /**
   * Was this thrown because a lock could not be had? Then nothing is half done, and what this thread
   * holds is released. Needs next to no stack: at its end is where that mostly happens.
   */
  dropRefused(error: unknown): boolean;
  /** How many locks this thread has taken over from dead owners. */
  takeovers(): number;
}

/**
 * @param lockTimeoutMs how long to wait for an owner of whom nobody can tell whether it lives
 * @param repair what a takeover does before the lock is used
 */
export function createLocks(
  memory: HeapMemory,
  me: ThreadWord,
  lockTimeoutMs: number,
  repair: Repair,
): Locks {
  const { i32, f64, geometry } = memory;
  const table = geometry.locks;
  const tableEnd = lockLine(table, LOCK_COUNT as LockIndex);
  let solo = false;
  let takeovers = 0;
  let lastDead = 0;
  let refusal: unknown = null;
  const ranks: LockIndex[] = [];

  function acquire(lock: LockIndex): void {
    if (solo) return;
    if (CHECKED) checkRank(lock);
    const line = lockLine(table, lock);
    // point: lock.take
    if (casLock(i32, line, 0, me) !== 0) {
      try {
        acquireContended(line, lock);
      } catch (error) {
        // A broken heap is poisoned before anything is released.
        if (!(error instanceof HeapCorruptionError)) refusal = error;
        throw error;
      }
    }
    if (CHECKED) ranks.push(lock);
    addLockCounter(f64, line, ACQUISITIONS, 1);
  }

  function release(lock: LockIndex): void {
    if (solo) return;
    if (CHECKED) ranks.splice(ranks.lastIndexOf(lock), 1);
    const line = lockLine(table, lock);
    // point: lock.release
    if (swapLock(i32, line, 0) < 0) {
      // point: lock.notify
      Atomics.notify(i32, lockWordIndex(line), 1);
    }
  }

  function acquireContended(line: WordIndex, lock: LockIndex): void {
    // Here, where nothing is half done, and not on the way to the dead owner that may be found.
    probeStack(RESCUE_FRAMES);
    const started = performance.now();
    if (!spin(line)) sleepUntilTaken(line, lock, started);
    if (isPoisoned(memory)) {
      swapLock(i32, line, 0);
      throwIfPoisoned(memory);
    }
    const waited = (performance.now() - started) * 1e6;
    addLockCounter(f64, line, CONTENTIONS, 1);
    addLockCounter(f64, line, WAIT_NANOSECONDS, waited);
    const longest = getLockCounter(f64, line, LONGEST_WAIT_NANOSECONDS);
    if (waited > longest) addLockCounter(f64, line, LONGEST_WAIT_NANOSECONDS, waited - longest);
  }

  function spin(line: WordIndex): boolean {
    for (let n = 0; n < SPINS; n++) {
      // A plain load may be late, never wrong for long; the compare-and-swap decides.
      if (peekLock(i32, line) === 0 && casLock(i32, line, 0, me) === 0) return true;
      if (pause !== undefined) pause();
    }
    return false;
  }

  function sleepUntilTaken(line: WordIndex, lock: LockIndex, started: number): void {
    for (;;) {
      // A failed swap from 0 says what is there now. No ABA: the word names the owner, and whoever
      // owns it now is waited for, whether or not it is the one that was seen.
      let seen = casLock(i32, line, 0, me | WAITERS);
      if (seen === 0) return;
      if (seen > 0) {
        // point: lock.mark
        if (casLock(i32, line, seen, seen | WAITERS) !== seen) continue;
        seen |= WAITERS;
      }
      // Who was found dead before may have held more than one lock: no need to wait for those.
      if ((seen & ~WAITERS) !== lastDead) {
        Atomics.wait(i32, lockWordIndex(line), seen, WAIT_LIMIT_MS);
      }
      if (peekLock(i32, line) !== seen) continue;
      throwIfPoisoned(memory);
      if (isDead(seen, lock, started) && takeOver(line, lock, seen)) return;
    }
  }

  function isDead(seen: number, lock: LockIndex, started: number): boolean {
    const owner = (seen & ~WAITERS) as ThreadWord;
    if (owner === me) {
      throw new HeapCorruptionError(`lock ${lock} asked for by the thread that has it (mutex I1)`);
    }
    const alive = isThreadAlive(memory, owner);
    if (alive === undefined) checkTimeout(lock, started);
    if (alive === false) lastDead = owner;
    return alive === false;
  }

  function checkTimeout(lock: LockIndex, started: number): void {
    if (performance.now() - started < lockTimeoutMs) return;
    throw new HeapError(
      'ERR_SHMALLOC_LOCK_TIMEOUT',
      `waited ${lockTimeoutMs} ms for lock ${lock} of this heap, and nobody can tell whether the ` +
        'thread that holds it still lives: there is no /proc to look into. Let the heap watch its ' +
        'workers (heap.watch(worker), or a HeapPool), or make it with a longer lockTimeoutMs',
    );
  }

  /** Takes a dead owner's lock; false when another waiter was quicker. */
  function takeOver(line: WordIndex, lock: LockIndex, seen: number): boolean {
    // point: lock.takeover
    // Failure: another waiter has it now. No ABA: a dead thread's word never comes back.
    if (casLock(i32, line, seen, me | WAITERS) !== seen) return false;
    try {
      repair(lock);
    } catch (error) {
      // With what the repair has taken: half done, it is the dead thread's as well.
      const page = lockLine(table, PAGE_LOCK);
      if (CHECKED && ranks.at(-1) === PAGE_LOCK) ranks.pop();
      if ((peekLock(i32, page) & ~WAITERS) === me) swapLock(i32, page, seen);
      swapLock(i32, line, seen);
      throw error;
    }
    addLockCounter(f64, line, OWNER_DEATHS, 1);
    takeovers++;
    return true;
  }

  function dropRefused(error: unknown): boolean {
    if (error !== refusal) return false;
    if (CHECKED) ranks.length = 0;
    // No call but of Atomics: there may be no room for another frame. A line's first word is the lock.
    for (let word: number = table; word < tableEnd; word += LOCK_WORDS) {
      if ((i32[word] & ~WAITERS) !== me) continue;
      if (Atomics.exchange(i32, word, 0) < 0) Atomics.notify(i32, word, 1);
    }
    return true;
  }

  function held(): LockIndex[] {
    const locks: LockIndex[] = [];
    for (let lock = (LOCK_COUNT - 1) as LockIndex; lock >= 0; lock--) {
      if ((peekLock(i32, lockLine(table, lock)) & ~WAITERS) === me) locks.push(lock);
    }
    return locks;
  }

  function checkRank(lock: LockIndex): void {
    const last = ranks.at(-1);
    if (last === undefined || last < lock) return;
    throw new HeapCorruptionError(`lock ${lock} asked for while holding lock ${last} (mutex I1)`);
  }

  return {
    acquire,
    release,
    held,
    dropRefused,
    setSolo(alone) {
      solo = alone;
    },
    isSolo: () => solo,
    takeovers: () => takeovers,
  };
}
