/**
 * Mutexes: the heap's ranked locks, which survive their owners.
 *
 * Called by heap/ and recovery/ from the slow paths. Any thread; a thread's own cache needs none of
 * them.
 *
 * lock-word.ts describes how a lock's word is acquired, waited for and released. A dead owner's
 * lock is taken over: the word becomes the waiter's, which repairs what the lock guards before it
 * does anything else.
 *
 * I1  Locks are acquired in ascending order of index (checked with SHMALLOC_CHECKED=1).
 * I2  Counters are written by the lock's owner (lock-table I2).
 * I3  No user code runs under a lock.
 * I4  A wait ends (lock-word I2); a thread outside of a call owns no lock.
 * I5  When acquire throws, nothing has been done under the lock. A repair releases the lock where
 *     it was acquired. A takeover whose repair fails leaves the word ABANDONED, and the next waiter
 *     tries again.
 */

import { HeapCorruptionError, isCorruption, List, now, type WordIndex } from '../base/index.js';
import { atomics, type HeapMemory, type LockIndex } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import { CHECKED, LockWords, type Patience } from './lock-word.js';
import { ABANDONED, type ThreadWord, WAITERS } from './thread-word.js';

const { exchange, notify } = atomics;

/** Repairs what a lock guards. The caller owns the lock. */
export type Repair = (lock: LockIndex) => void;

/** One thread's access to the locks of one heap. */
export class Locks {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #table: WordIndex;
  readonly #me: ThreadWord;
  readonly #words: LockWords;
  readonly #patience: Patience;
  readonly #repair: Repair;
  #takeovers = 0;
  #refusal: unknown = null;
  /** The locks that this thread owns, in the order of their acquisitions (I1). */
  readonly #ranks = new List<LockIndex>();

  /**
   * @param lockTimeoutMs milliseconds to wait for an owner that may be dead or alive
   * @param repair called in a takeover, before the lock is used
   */
  constructor(memory: HeapMemory, me: ThreadWord, lockTimeoutMs: number, repair: Repair) {
    const { i32, f64, geometry } = memory;
    const table = geometry.locks;
    this.#i32 = i32;
    this.#f64 = f64;
    this.#table = table;
    this.#me = me;
    this.#patience = { limitMs: lockTimeoutMs, spentMs: 0 };
    this.#repair = repair;
    this.#words = new LockWords(memory, me, this.#patience, {
      keepsNames: true,
      nameOf: (word) => `lock ${LockTable.ofWord(table, word)}`,
      ownError: (word) =>
        new HeapCorruptionError(
          `lock ${LockTable.ofWord(table, word)} asked for by its owner (mutex I1)`,
        ),
      takeOver: (word, seen) => this.#takeOver(word, seen),
    });
  }

  /**
   * Acquires a lock; blocks while another thread owns it.
   * @throws HeapCorruptionError, HeapError ERR_SHMALLOC_LOCK_TIMEOUT, with the lock not taken
   */
  acquire(lock: LockIndex): void {
    if (CHECKED) this.#checkRank(lock);
    const line = LockTable.at(this.#table, lock);
    if (!this.#words.take(LockTable.wordOf(line))) {
      try {
        this.#acquireContended(line);
      } catch (error) {
        // The heap is poisoned already if it is broken; such an error is not a refusal.
        if (!isCorruption(error)) this.#refusal = error;
        throw error;
      }
    }
    if (CHECKED) this.#ranks.push(lock);
    LockTable.addCounter(this.#f64, line, LockTable.ACQUISITIONS, 1);
  }

  /** Releases a lock that the caller owns. */
  release(lock: LockIndex): void {
    if (CHECKED) this.#ranks.splice(this.#ranks.lastIndexOf(lock), 1);
    this.#words.release(LockTable.wordOf(LockTable.at(this.#table, lock)));
  }

  #acquireContended(line: WordIndex): void {
    const f64 = this.#f64;
    const started = now();
    this.#words.wait(LockTable.wordOf(line));
    const waited = (now() - started) * 1e6;
    LockTable.addCounter(f64, line, LockTable.CONTENTIONS, 1);
    LockTable.addCounter(f64, line, LockTable.WAIT_NANOSECONDS, waited);
    const longest = LockTable.getCounter(f64, line, LockTable.LONGEST_WAIT_NANOSECONDS);
    if (waited > longest)
      LockTable.addCounter(f64, line, LockTable.LONGEST_WAIT_NANOSECONDS, waited - longest);
  }

  /**
   * Acquires a dead owner's lock, and repairs what it guards. Never takes one from a living owner.
   */
  #takeOver(word: number, seen: number): boolean {
    if (!this.#words.seize(word, seen)) return false;
    const i32 = this.#i32;
    const table = this.#table;
    const lock = LockTable.ofWord(table, word);
    const line = LockTable.at(table, lock);
    try {
      this.#repair(lock);
    } catch (error) {
      // With the page lock, if the repair acquired it: the next owner has to repair its domain,
      // too.
      const page = LockTable.at(table, LockTable.PAGE);
      const left = ABANDONED | WAITERS;
      if (CHECKED && this.#ranks.at(-1) === LockTable.PAGE) this.#ranks.pop();
      if (this.#words.isMine(LockTable.wordOf(page))) LockTable.swap(i32, page, left);
      LockTable.swap(i32, line, left);
      throw error;
    }
    LockTable.addCounter(this.#f64, line, LockTable.OWNER_DEATHS, 1);
    this.#takeovers++;
    return true;
  }

  /**
   * Checks whether an error says that a lock could not be acquired. Then nothing is half done, and
   * this thread's locks are released. Needs almost no stack, since such errors mostly come at the
   * stack's end.
   */
  dropRefused(error: unknown): boolean {
    if (error !== this.#refusal) return false;
    if (CHECKED) this.#ranks.length = 0;
    const i32 = this.#i32;
    const me = this.#me;
    const end = this.#table + LockTable.COUNT * LockTable.WORDS;
    // Only calls of Atomics: the stack may be full. The first word of a line is the lock.
    for (let word: number = this.#table; word < end; word += LockTable.WORDS) {
      if ((i32[word] & ~WAITERS) !== me) continue;
      if (exchange(i32, word, 0) < 0) notify(i32, word, 1);
    }
    return true;
  }

  /** The locks that this thread owns, innermost first. Reads every lock word. */
  held(): LockIndex[] {
    const locks = new List<LockIndex>();
    for (let lock = (LockTable.COUNT - 1) as LockIndex; lock >= 0; lock--) {
      const word = LockTable.wordOf(LockTable.at(this.#table, lock));
      if (this.#words.isMine(word)) locks.push(lock);
    }
    return locks;
  }

  #checkRank(lock: LockIndex): void {
    const last = this.#ranks.at(-1);
    if (last === undefined || last < lock) return;
    throw new HeapCorruptionError(`lock ${lock} asked for while holding lock ${last} (mutex I1)`);
  }

  /** Begins a call: the waits of earlier calls do not count. */
  startCall(): void {
    this.#patience.spentMs = 0;
  }

  /** Number of locks that this thread has taken over from dead owners. */
  takeovers(): number {
    return this.#takeovers;
  }

  /** Forgets the order of acquired locks, after a call of this thread was cut. */
  forgetRanks(): void {
    this.#ranks.length = 0;
  }
}
