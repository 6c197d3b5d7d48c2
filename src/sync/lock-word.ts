/**
 * Lock words: one word of shared memory that a thread acquires and releases, and that survives its
 * owner.
 *
 * Used by mutex.ts (the heap's ranked locks) and object-locks.ts (locks in objects). Any thread.
 *
 * A lock word has four states. Three are 0, owner, owner with waiters (as in Drepper, "Futexes are
 * tricky", mutex 3), so that a release without waiters makes no system call. A waiter spins on
 * plain loads first, then sets the waiters bit and sleeps, with a time limit: a thread that dies
 * between its release and its notify must not leave others asleep. When the limit ends and the word
 * has not changed, the waiter checks whether the owner lives. A dead owner's lock is taken over:
 * the word becomes the waiter's, which then has to repair what the lock guards (as with robust
 * futexes, whose new owner gets EOWNERDEAD; the checked model of these rules is in test/model).
 *
 * The fourth state is the waiters bit alone: handed over. The lock has no owner and is reserved for
 * a thread that has slept. Without this state running threads would take every free lock before a
 * sleeper is awake: with 64 threads on two processors some slept for seconds. So a release that
 * finds the waiters bit hands the lock over, but not more often than every few milliseconds (Go's
 * mutexes do the same for a waiter that has starved for one).
 *
 * I1  A thread that has waited takes the lock with the waiters bit set: others may still sleep.
 * I2  A wait ends: with the lock; with the heap found poisoned; or, in a main thread that cannot
 *     find out whether the owner lives, with ERR_SHMALLOC_LOCK_TIMEOUT. (A worker waits on in that
 *     case, until the owner's end is reported.) The time limit is for a whole call, however many
 *     locks the call acquires.
 * I3  A dead thread's word never comes back: once seen, a dead owner's word stays until one waiter
 *     seizes it. Only the word of an owner that is known to be dead is seized: a living owner may
 *     release the lock, leave the heap, come back and own the lock again, all between a look and
 *     the swap, which would then take the lock from it. A failed takeover leaves ABANDONED, which is no thread's word.
 * I4  A word of no thread, dead or alive, is a broken invariant, and no thread waits for it.
 * I5  Waits are bounded by counts of looks and of sleeps; the clock only shortens them, since a
 *     program may have stopped it.
 * I6  A lock that is handed over has no owner: what it guards is sound. The thread that was woken
 *     for it may die; every other thread that has slept takes the lock when its time limit ends,
 *     and a thread that has not slept yet sleeps first.
 */

import {
  HeapCorruptionError,
  HeapError,
  hex,
  now,
  probeStack,
  RESCUE_FRAMES,
} from '../base/index.js';
import { atomics, type HeapMemory } from '../layout/index.js';
import { lookAtHolder, NO_SUCH_THREAD } from './names.js';
import { isPoisoned, throwIfPoisoned } from './poison.js';
import { isThreadWord, type ThreadWord, threadNumber, WAITERS } from './thread-word.js';

const { compareExchange, exchange, notify, pause } = atomics;
/**
 * Milliseconds that a waiter spins before it sleeps. Most locks are free sooner; a wake-up takes
 * longer.
 */
const SPIN_MS = 0.02;
/** Looks at the word between two looks at the clock: one or two microseconds. */
const SPINS = pause === undefined ? 1000 : 60;
/** Maximum looks at the clock before a waiter sleeps. */
const SPIN_ROUNDS_MAX = 40;
/** Milliseconds that a waiter sleeps at most before it looks again. */
const WAIT_LIMIT_MS = 5;
/**
 * Maximum milliseconds of a sleep after the owner was seen alive several times; each sleep is twice
 * as long as the one before. If the owner waits for a processor, 60 waiters that look every 5 ms
 * keep it from getting one.
 */
const WAIT_LIMIT_MAX_MS = 40;
/** Minimum milliseconds that a sleep counts for, whatever the clock says. */
const LEAST_MS = 1e-3;
/**
 * Minimum milliseconds between two handovers by one thread. The lock stays unused while a sleeper
 * wakes: with a handover at every release, 64 threads did a fifth of the work.
 */
const HAND_OVER_EVERY_MS = 4;
/** The word of a lock that is handed over: waiters, but no owner. */
const HANDED_OVER = WAITERS;

/** True if callers are checked for mistakes that only a fault in this package can make. */
export const CHECKED = globalThis.process?.env?.SHMALLOC_CHECKED === '1';

/** The rules of one kind of locks; called only when a thread has to wait. */
export interface LockKind {
  /** True if an owner is in the table of names while its word is in the lock, dead or alive. */
  readonly keepsNames: boolean;
  /** The lock's name in messages. */
  nameOf(word: number): string;
  /** The error for a thread that acquires a lock it owns. */
  ownError(word: number): Error;
  /**
   * Called when the owner is dead. Makes the word this thread's by `seize`; returns false if the
   * lock cannot be acquired yet. If it throws, the word is not this thread's.
   */
  takeOver(word: number, seen: number): boolean;
}

/** The time that a thread waits in one call for owners that may be dead or alive. */
export interface Patience {
  readonly limitMs: number;
  /** Milliseconds waited so far; 0 at the beginning of each call. */
  spentMs: number;
}

/**
 * The error for a thread that has waited long enough.
 * @param what the thing that was waited for, as the beginning of a sentence
 * @param why the reason why it is not known whether the owner lives, as the end of a sentence
 */
export function lockTimeout(what: string, owner: ThreadWord, why: string, limitMs: number): Error {
  return new HeapError(
    'ERR_SHMALLOC_LOCK_TIMEOUT',
    `${what}: waited ${limitMs} ms (lockTimeoutMs) for thread ${threadNumber(owner)}, and it is ` +
      `not known whether that thread still lives: ${why}. Let the heap watch its workers ` +
      '(heap.watch(worker), or a HeapPool), or create it with a longer lockTimeoutMs',
  );
}

/** One thread's access to the lock words of one kind. */
export class LockWords {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #me: ThreadWord;
  readonly #patience: Patience;
  readonly #kind: LockKind;
  #lastDead = 0;
  #handedOverAt = 0;

  constructor(memory: HeapMemory, me: ThreadWord, patience: Patience, kind: LockKind) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#me = me;
    this.#patience = patience;
    this.#kind = kind;
  }

  /** Acquires a free lock; returns false if another thread owns it. */
  take(word: number): boolean {
    // point: lock.take
    // On failure another thread owns the lock.
    return compareExchange(this.#i32, word, 0, this.#me) === 0;
  }

  /** Releases a lock that the caller owns. */
  release(word: number): void {
    const i32 = this.#i32;
    // A plain load: if it misses the bit, the lock becomes free, and a sleeper is woken all the
    // same.
    const after = i32[word] < 0 && this.#isTimeToHandOver() ? HANDED_OVER : 0;
    // point: lock.release
    if (exchange(i32, word, after) >= 0) return;
    // point: lock.notify
    if (notify(i32, word, 1) > 0 || after === 0) return;
    // No thread sleeps: those that set the bit have died, or own the lock, or are about to see this
    // word.
    // point: lock.open
    // On failure a thread that has slept owns the lock.
    if (compareExchange(i32, word, HANDED_OVER, 0) !== HANDED_OVER) return;
    // For a thread that fell asleep in between.
    notify(i32, word, 1);
  }

  #isTimeToHandOver(): boolean {
    const time = now();
    // With a clock that stands still every release hands over: slower, but correct.
    if (time - this.#handedOverAt < HAND_OVER_EVERY_MS && time !== this.#handedOverAt) return false;
    this.#handedOverAt = time;
    return true;
  }

  /** True if this thread owns the lock. */
  isMine(word: number): boolean {
    // Plain: only this thread writes its own word, and only this thread removes it.
    return (this.#i32[word] & ~WAITERS) === this.#me;
  }

  /**
   * Acquires a lock that another thread owns; blocks. Returns true if the owner was dead.
   * @throws HeapCorruptionError, HeapError ERR_SHMALLOC_LOCK_TIMEOUT, with the lock not taken
   */
  wait(word: number): boolean {
    // Probed here, before anything is half done, since a dead owner may have to be repaired later.
    probeStack(RESCUE_FRAMES);
    if (this.isMine(word)) throw this.#kind.ownError(word);
    const wasDead = !this.#spin(word) && this.#sleepUntilTaken(word);
    if (isPoisoned(this.#memory)) {
      this.release(word);
      throwIfPoisoned(this.#memory);
    }
    return wasDead;
  }

  #spin(word: number): boolean {
    const i32 = this.#i32;
    const me = this.#me;
    const end = now() + SPIN_MS;
    for (let round = 0; round < SPIN_ROUNDS_MAX; round++) {
      for (let n = 0; n < SPINS; n++) {
        // The plain load may be late for a moment; the compare-and-swap decides.
        if (i32[word] === 0 && compareExchange(i32, word, 0, me) === 0) return true;
        if (pause !== undefined) pause();
      }
      if (now() >= end) break;
    }
    return false;
  }

  /** Returns true if the owner was dead. */
  #sleepUntilTaken(word: number): boolean {
    const memory = this.#memory;
    const { i32 } = memory;
    const mine = this.#me | WAITERS;
    let slept = false;
    let seenAlive = 0;
    for (;;) {
      // A failed swap from 0 returns the current word. No ABA: the word names the current owner,
      // and that owner is waited for, whether or not it is the one that was seen before.
      let seen = compareExchange(i32, word, 0, mine);
      if (seen === 0) return false;
      if (seen === HANDED_OVER) {
        if (!slept) slept = this.#sleep(word, seen, WAIT_LIMIT_MS) > 0;
        // point: lock.accept
        if (slept && compareExchange(i32, word, seen, mine) === seen) return false;
        continue;
      }
      if (seen > 0) {
        // point: lock.mark
        if (compareExchange(i32, word, seen, seen | WAITERS) !== seen) continue;
        seen |= WAITERS;
      }
      const owner = (seen & ~WAITERS) as ThreadWord;
      // A dead thread may have owned several locks: after the first one, no wait for the others.
      let sleptMs = 0;
      if (owner !== this.#lastDead) {
        const limit = Math.min(WAIT_LIMIT_MS << Math.max(0, seenAlive - 1), WAIT_LIMIT_MAX_MS);
        sleptMs = this.#sleep(word, seen, limit);
        slept ||= sleptMs > 0;
      }
      if (i32[word] !== seen) continue;
      throwIfPoisoned(memory);
      const look = lookAtHolder(memory, owner, word);
      if (look.isAlive) {
        seenAlive = Math.min(seenAlive + 1, 4);
        continue;
      }
      if (look === NO_SUCH_THREAD) this.#checkName(word, owner);
      if (look.isAlive === false) this.#lastDead = owner;
      // An owner is in the table as long as it lives: one without a name is dead (names I5).
      const isDead = look.isAlive === false || look === NO_SUCH_THREAD;
      if (isDead && this.#kind.takeOver(word, seen)) return true;
      if (look.isAlive === undefined) this.#checkTimeout(word, owner, look.why, sleptMs);
    }
  }

  /**
   * Sleeps; returns its milliseconds, more than 0, by the count of sleeps at least; 0 = the word
   * differed.
   */
  #sleep(word: number, seen: number, limitMs: number): number {
    const started = now();
    const outcome = atomics.wait(this.#i32, word, seen, limitMs);
    if (outcome === 'not-equal') return 0;
    const passed = Math.max(now() - started, LEAST_MS);
    return outcome === 'timed-out' && !(passed > limitMs) ? limitMs : passed;
  }

  #checkName(word: number, owner: ThreadWord): void {
    if (!this.#kind.keepsNames && isThreadWord(owner)) return;
    throw new HeapCorruptionError(
      `${this.#kind.nameOf(word)} names thread word ${hex(owner)}, which no thread has, dead or alive ` +
        '(lock-word I4)',
    );
  }

  /** Makes a dead owner's word this thread's; returns false if another waiter was faster. */
  seize(word: number, seen: number): boolean {
    // point: lock.takeover
    // On failure another waiter owns the lock now. No ABA: I3.
    return compareExchange(this.#i32, word, seen, this.#me | WAITERS) === seen;
  }

  #checkTimeout(word: number, owner: ThreadWord, why: string, sleptMs: number): void {
    const patience = this.#patience;
    patience.spentMs += sleptMs;
    if (patience.spentMs < patience.limitMs) return;
    const what = `cannot acquire ${this.#kind.nameOf(word)} of this heap`;
    throw lockTimeout(what, owner, why, patience.limitMs);
  }
}
