/**
 * Lock words: one word of shared memory that a thread takes, gives back, and may die with.
 *
 * What mutex.ts (the heap's ranked locks) and object-locks.ts (locks in objects) are built on. Any
 * thread.
 *
 * A lock word has four states. Three are 0, owner, owner with waiters (as in Drepper, "Futexes are
 * tricky", mutex 3), so that a release without waiters makes no system call. A waiter spins on plain
 * loads first, then sets the waiters bit and sleeps, with a time limit: a thread that dies between
 * its release and its notify must not leave others aXX * becomes the waiter's, who then has to see to
 * what the lock guards (as with robust futexes, whose new owner is told EOWNERDEAD; the checked model
 * of these rules is in test/model).
 *
 * The fourth state is the waiters bit alone: handed over. The lock has no owner and is kept for a
 * thread that has slept. Were it free for whoever comes first, threads that run would take it before
 * a sleeper is awake: with 64 threads on two processors some slept for seconds. So a release that
 * finds the waiters bit hands over, but not more often than every few milliseconds (as Go's mutexes
 * do for a waiter that has starved for one).
 *
 * I1  A thread that has waited takes the lock with the waiters bit set: others may still sleep.
 * I2  A wait ends: with the lock, with the heap found poisoned, or, for a main thread where nobody
 *     can tell whether the owner lives, with ERR_SHMALLOC_LOCK_TIMEOUT. (A worker waits on there,
 *     until the owner's end is reported.) A call waits no longer than that in all, however many
 *     locks it asks for.
 * I3  A dead thread's word never comes back: what was seen to be a dead owner's is that until one
 *     waiter seizes it. What a failed takeover leaves is ABANDONED, and nobody's name.
 * I4  A word that names no thread, dead or alive, is a broken invariant, and not waited for.
 * I5  Waits are bounded by counts, of looks and of sleeps, and only shortened by the clock: a program
 *     may have made that stand still.
 * I6  A lock that is handed over belongs to nobody: what it guards is whole. The thread that was
 *     woken for it may die; every other thread that has slept takes it when its limit ends, and a
 *     thread that has not yet slept sleeps first.
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
/** A waiter looks for so long before it sleeps: locks are mostly held for less, to be woken takes more. */
const SPIN_MS = 0.02;
/** Looks between two at the clock: a microsecond, or two. */
const SPINS = pause === undefined ? 1000 : 60;
/** Looks at the clock before a waiter sleeps, whatever it says. */
const SPIN_ROUNDS_MAX = 40;
/** A sleeping waiter looks again after this long, woken or not. */
const WAIT_LIMIT_MS = 5;
/**
 * The longest that it sleeps once it has seen the owner alive more than once: each time twice as long.
 * Where an owner waits for a processor, 60 waiters that look every 5 ms keep it from getting one.
 */
const WAIT_LIMIT_MAX_MS = 40;
/** What a sleep counts for at least, whatever the clock says. */
const LEAST_MS = 1e-3;
/**
 * The least time between two hand-overs by one thread. Each costs the time in which a sleeper wakes,
 * while the lock stands still: with one at every release 64 threads did a fifth of the work.
 */
const HAND_OVER_EVERY_MS = 4;
/** The word of a lock that is handed over: no owner, and waiters. */
const HANDED_OVER = WAITERS;

/** The locks' callers are to be checked for what only a mistake in this package would break. */
export const CHECKED = globalThis.process?.env?.SHMALLOC_CHECKED === '1';

/** What the locks of one kind do in their own way; asked where a thread has to wait, no sooner. */
export interface LockKind {
  /** An owner is in the table of names as long as its word is in the lock, dead or alive. */
  readonly keepsNames: boolean;
  /** The lock, as messages call it. */
  nameOf(word: number): string;
  /** The error for a thread that asks for a lock that it has. */
  ownError(word: number): Error;
  /**
   * The owner is dead, or (`alive` undefined) nobody can tell. Makes the word this thread's by
   * `seize`; false where it is not to be had yet. When it throws, the word is not this thread's.
   */
  takeOver(word: number, seen: number, alive: false | undefined): boolean;
}

/** How long a thread waits in one call for owners of whom nobody can tell whether they live. */
export interface Patience {
  readonly limitMs: number;
  /** Begins anew with each call. */
  spentMs: number;
}

/**
 * The error for who has waited long enough.
 * @param what was waited for, of whom and why nobody can tell, as parts of a sentence
 */
export function lockTimeout(what: string, owner: ThreadWord, why: string, limitMs: number): Error {
  return new HeapError(
    'ERR_SHMALLOC_LOCK_TIMEOUT',
    `${what}: waited ${limitMs} ms (lockTimeoutMs) for thread ${threadNumber(owner)}, and nobody ` +
      `can tell whether it still lives: ${why}. Let the heap watch its workers ` +
      '(heap.watch(worker), or a HeapPool), or make it with a longer lockTimeoutMs',
  );
}

/** One thread's way to the lock words of one kind. */
export interface LockWords {
  /** Takes a lock that is free; false when somebody has it. */
  take(word: number): boolean;
  /**
   * Takes a lock that somebody has; blocks. True: the owner was dead.
   * @throws HeapCorruptionError, HeapError ERR_SHMALLOC_LOCK_TIMEOUT, with the lock not taken
   */
  wait(word: number): boolean;
  /** Makes a dead owner's word this thread's; false when another waiter was quicker. */
  seize(word: number, seen: number): boolean;
  /** Gives a lock back. The caller holds it. */
  release(word: number): void;
  /** Does this thread hold it? */
  isMine(word: number): boolean;
}

export function createLockWords(
  memory: HeapMemory,
  me: ThreadWord,
  patience: Patience,
  kind: LockKind,
): LockWords {
  const { i32 } = memory;
  let lastDead = 0;
  let handedOverAt = 0;

  function take(word: number): boolean {
    // point: lock.take
    // Failure: somebody has it.
    return compareExchange(i32, word, 0, me) === 0;
  }

  function release(word: number): void {
    // A plain load: where it misses the bit the lock is free for all, and a sleeper is woken as well.
    const after = i32[word] < 0 && isTimeToHandOver() ? HANDED_OVER : 0;
    // point: lock.release
    if (exchange(i32, word, after) >= 0) return;
    // point: lock.notify
    if (notify(i32, word, 1) > 0 || after === 0) return;
    // Nobody sleeps: those who marked the word have died, or have it, or are about to see this.
    // point: lock.open
    // Failure: a thread that has slept has it.
    if (compareExchange(i32, word, HANDED_OVER, 0) !== HANDED_OVER) return;
    // For one that fell asleep in between.
    notify(i32, word, 1);
  }

  function isTimeToHandOver(): boolean {
    const time = now();
    // A clock that stands still hands over every time: slower, and sound.
    if (time - handedOverAt < HAND_OVER_EVERY_MS && time !== handedOverAt) return false;
    handedOverAt = time;
    return true;
  }

  // Plain: only this thread writes its own word, and only this thread takes it away.
  const isMine = (word: number): boolean => (i32[word] & ~WAITERS) === me;

  function wait(word: number): boolean {
    // Here, where nothing is half done, and not on the way to the dead owner that may be found.
    probeStack(RESCUE_FRAMES);
    if (isMine(word)) throw kind.ownError(word);
    const wasDead = !spin(word) && sleepUntilTaken(word);
    if (isPoisoned(memory)) {
      release(word);
      throwIfPoisoned(memory);
    }
    return wasDead;
  }

  function spin(word: number): boolean {
    const end = now() + SPIN_MS;
    for (let round = 0; round < SPIN_ROUNDS_MAX; round++) {
      for (let n = 0; n < SPINS; n++) {
        // A plain load may be late, never wrong for long; the compare-and-swap decides.
        if (i32[word] === 0 && compareExchange(i32, word, 0, me) === 0) return true;
        if (pause !== undefined) pause();
      }
      if (now() >= end) break;
    }
    return false;
  }

  /** True: the owner was dead. */
  function sleepUntilTaken(word: number): boolean {
    let slept = false;
    let seenAlive = 0;
    for (;;) {
      // A failed swap from 0 says what is there now. No ABA: the word names the owner, and whoever
      // owns it now is waited for, whether or not it is the one that was seen.
      let seen = compareExchange(i32, word, 0, me | WAITERS);
      if (seen === 0) return false;
      if (seen === HANDED_OVER) {
        if (!slept) slept = sleep(word, seen, WAIT_LIMIT_MS) > 0;
        // point: lock.accept
        if (slept && compareExchange(i32, word, seen, me | WAITERS) === seen) return false;
        continue;
      }
      if (seen > 0) {
        // point: lock.mark
        if (compareExchange(i32, word, seen, seen | WAITERS) !== seen) continue;
        seen |= WAITERS;
      }
      const owner = (seen & ~WAITERS) as ThreadWord;
      // Who was found dead before may have held more than one lock: no need to wait for those.
      let sleptMs = 0;
      if (owner !== lastDead) {
        const limit = Math.min(WAIT_LIMIT_MS << Math.max(0, seenAlive - 1), WAIT_LIMIT_MAX_MS);
        sleptMs = sleep(word, seen, limit);
        slept ||= sleptMs > 0;
      }
      if (i32[word] !== seen) continue;
      throwIfPoisoned(memory);
      const look = lookAtHolder(memory, owner, word);
      if (look.isAlive) {
        seenAlive = Math.min(seenAlive + 1, 4);
        continue;
      }
      if (look === NO_SUCH_THREAD) checkName(word, owner);
      if (look.isAlive === false) lastDead = owner;
      if (kind.takeOver(word, seen, look.isAlive)) return true;
      if (look.isAlive === undefined) checkTimeout(word, owner, look.why, sleptMs);
    }
  }

  /** How long, at least by the count of sleeps, and more than 0; 0 where the word was another already. */
  function sleep(word: number, seen: number, limitMs: number): number {
    const started = now();
    const outcome = atomics.wait(i32, word, seen, limitMs);
    if (outcome === 'not-equal') return 0;
    const passed = Math.max(now() - started, LEAST_MS);
    return outcome === 'timed-out' && !(passed > limitMs) ? limitMs : passed;
  }

  function checkName(word: number, owner: ThreadWord): void {
    if (!kind.keepsNames && isThreadWord(owner)) return;
    throw new HeapCorruptionError(
      `${kind.nameOf(word)} is in the name ${hex(owner)}, which no thread has, dead or alive ` +
        '(lock-word I4)',
    );
  }

  function seize(word: number, seen: number): boolean {
    // point: lock.takeover
    // Failure: another waiter has it now. No ABA: I3.
    return compareExchange(i32, word, seen, me | WAITERS) === seen;
  }

  function checkTimeout(word: number, owner: ThreadWord, why: string, sleptMs: number): void {
    patience.spentMs += sleptMs;
    if (patience.spentMs < patience.limitMs) return;
    throw lockTimeout(
      `cannot have ${kind.nameOf(word)} of this heap`,
      owner,
      why,
      patience.limitMs,
    );
  }

  return { take, wait, seize, release, isMine };
}
