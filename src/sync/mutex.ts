/**
 * Mutexes: the heap's ranked locks, that outlive their owners.
 *
 * Called by heap/ and recovery/ from the slow paths. Any thread; a thread's own cache needs none of them.
 *
 * How a lock's word is taken, waited for and given back: lock-word.ts. A dead owner's lock is taken
 * over: the word becomes the waiter's, and what the lock guards is repaired before anything else is
 * done with it.
 *
 * I1  Locks are taken in rising order of index (checked with SHMALLOC_CHECKED=1).
 * I2  Counters are written by who holds the lock (lock-table I2).
 * I3  A thread in an exclusive section (unsafe calls, alone in the heap) takes no lock at all.
 * I4  No user code runs under a lock.
 * I5  A wait ends (lock-word I2); a thread that is in no call holds no lock.
 * I6  When acquire throws, nothing has been done under the lock; whoever repairs releases it where it
 *     was had. A takeover whose repair fails leaves the word ABANDONED, for the next waiter to try.
 */

import { HeapCorruptionError, isCorruption, List, now, type WordIndex } from '../base/index.js';
import {
  ACQUISITIONS,
  addLockCounter,
  atomics,
  CONTENTIONS,
  getLockCounter,
  type HeapMemory,
  LOCK_COUNT,
  LOCK_WORDS,
  LONGEST_WAIT_NANOSECONDS,
  type LockIndex,
  lockLine,
  lockOfWord,
  lockWordIndex,
  OWNER_DEATHS,
  PAGE_LOCK,
  peekLock,
  swapLock,
  WAIT_NANOSECONDS,
} from '../layout/index.js';
import { CHECKED, createLockWords, type Patience } from './lock-word.js';
import { ABANDONED, type ThreadWord, WAITERS } from './thread-word.js';

const { exchange, notify } = atomics;

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
  setExclusive(alone: boolean): void;
  isExclusive(): boolean;
  /**
   * Was this thrown because a lock could not be had? Then nothing is half done, and what this thread
   * holds is released. Needs next to no stack: at its end is where that mostly happens.
   */
  dropRefused(error: unknown): boolean;
  /** A call begins: what others before it have waited is not held against it. */
  startCall(): void;
  /** How many locks this thread has taken over from dead owners. */
  takeovers(): number;
  /** A call of this thread was cut: what it says of its order is of no account. */
  forgetRanks(): void;
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
  let exclusive = false;
  let takeovers = 0;
  let refusal: unknown = null;
  const ranks = new List<LockIndex>();

  const patience: Patience = { limitMs: lockTimeoutMs, spentMs: 0 };

  const {
    take,
    wait,
    seize,
    release: giveBack,
  } = createLockWords(memory, me, patience, {
    keepsNames: true,
    nameOf: (word) => `lock ${lockOfWord(table, word)}`,
    ownError: (word) =>
      new HeapCorruptionError(
        `lock ${lockOfWord(table, word)} asked for by the thread that has it (mutex I1)`,
      ),
    takeOver,
  });

  function acquire(lock: LockIndex): void {
    if (exclusive) return;
    if (CHECKED) checkRank(lock);
    const line = lockLine(table, lock);
    if (!take(lockWordIndex(line))) {
      try {
        acquireContended(line);
      } catch (error) {
        // A broken heap is poisoned before anything is released.
        if (!isCorruption(error)) refusal = error;
        throw error;
      }
    }
    if (CHECKED) ranks.push(lock);
    addLockCounter(f64, line, ACQUISITIONS, 1);
  }

  function release(lock: LockIndex): void {
    if (exclusive) return;
    if (CHECKED) ranks.splice(ranks.lastIndexOf(lock), 1);
    giveBack(lockWordIndex(lockLine(table, lock)));
  }

  function acquireContended(line: WordIndex): void {
    const started = now();
    wait(lockWordIndex(line));
    const waited = (now() - started) * 1e6;
    addLockCounter(f64, line, CONTENTIONS, 1);
    addLockCounter(f64, line, WAIT_NANOSECONDS, waited);
    const longest = getLockCounter(f64, line, LONGEST_WAIT_NANOSECONDS);
    if (waited > longest) addLockCounter(f64, line, LONGEST_WAIT_NANOSECONDS, waited - longest);
  }

  /** Takes a dead owner's lock, and repairs what it guards. Who may be alive keeps it. */
  function takeOver(word: number, seen: number, alive: false | undefined): boolean {
    if (alive === undefined || !seize(word, seen)) return false;
    const lock = lockOfWord(table, word);
    const line = lockLine(table, lock);
    try {
      repair(lock);
    } catch (error) {
      // With what the repair has taken: half done, it is for the next one to repair as well.
      const page = lockLine(table, PAGE_LOCK);
      const left = ABANDONED | WAITERS;
      if (CHECKED && ranks.at(-1) === PAGE_LOCK) ranks.pop();
      if ((peekLock(i32, page) & ~WAITERS) === me) swapLock(i32, page, left);
      swapLock(i32, line, left);
      throw error;
    }
    addLockCounter(f64, line, OWNER_DEATHS, 1);
    takeovers++;
    return true;
  }

  function dropRefused(error: unknown): boolean {
    if (error !== refusal) return false;
    if (CHECKED) ranks.length = 0;
    // No call but of atomics: there may be no room for another frame. A line's first word is the lock.
    for (let word: number = table; word < tableEnd; word += LOCK_WORDS) {
      if ((i32[word] & ~WAITERS) !== me) continue;
      if (exchange(i32, word, 0) < 0) notify(i32, word, 1);
    }
    return true;
  }

  function held(): LockIndex[] {
    const locks = new List<LockIndex>();
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
    setExclusive(alone) {
      exclusive = alone;
    },
    isExclusive: () => exclusive,
    startCall() {
      patience.spentMs = 0;
    },
    takeovers: () => takeovers,
    forgetRanks() {
      ranks.length = 0;
    },
  };
}
