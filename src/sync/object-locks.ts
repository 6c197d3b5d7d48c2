/**
 * Object locks: a lock word that stands in an object, anywhere in the heap, and outlives its owner.
 *
 * Called by objects of the heap that several threads change. Any thread that is attached. Readers
 * take none.
 *
 * A dead owner's lock is taken over when all that the dead thread had half done in the heap is
 * resolved, and not sooner: it may have been giving the object a new block, and only the recovery of
 * its slot says which one the object has. After that the object is the new owner's to repair.
 *
 *     if (locks.acquire(word) === 'taken over') ... make the object whole;
 *     try { ... } finally { locks.release(word); }
 *
 * I1  Object locks are the outermost: taken while no lock of the heap is held, and never in an exclusive
 *     section (both checked with SHMALLOC_CHECKED=1). Inside, the heap may be called as a part of the
 *     change (`nested` in heap/marks.ts); any other call takes the lock for that of a call that was cut.
 * I2  Recovery takes no object lock: it may wait for whoever holds one.
 * I3  Who holds one is attached. So a thread that is in no slot holds none, dead or alive; and a
 *     dead one that is in no slot has nothing left to resolve.
 * I4  When acquire throws, the lock is as it was.
 * I5  Where acquire returns there is stack left for stores and the release. Calls of the heap in
 *     between look for their own, and may throw.
 * I6  `mark.lock` names the word from before the lock is taken until it is given back, and no thread has
 *     two. Who wants one while it stands has had a call cut (heap/marks.ts).
 * I7  Who dies between a takeover and the end of the repair is taken over in turn: "taken over" is
 *     told until somebody has released the lock.
 */

import { createProbe, HeapCorruptionError, HeapError, hex, RESCUE_FRAMES } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import { CHECKED, createLockWords } from './lock-word.js';
import type { Locks } from './mutex.js';
import { hasSlot } from './names.js';
import { type ThreadWord, WAITERS } from './thread-word.js';
import { whileUnattached } from './threads.js';

/** More stack than the release needs, interpreted too (10 ns; what a section asks for costs 27). */
const HEADROOM_FRAMES = 2;

/** One thread's way to the lock words in a heap's objects. A word is named by its index. */
export interface ObjectLocks {
  /**
   * Takes a lock; blocks while another thread has it. Taken over: its owner has died, the object may
   * be in the middle of a change.
   * @throws HeapCorruptionError; HeapError ERR_SHMALLOC_LOCK_HELD where this thread has it already,
   * ERR_SHMALLOC_LOCK_TIMEOUT, ERR_SHMALLOC_DETACHED; RangeError where the stack ends
   */
  acquire(word: number): 'clean' | 'taken over';
  /** Gives a lock back. The caller holds it. */
  release(word: number): void;
  /** Does this thread hold it? */
  isMine(word: number): boolean;
}

/** Which object lock this thread has (I6). */
export interface LockMark {
  lock: number;
}

/**
 * @param lockTimeoutMs how long to wait for an owner of whom nobody can tell whether it lives
 * @param checkOpen throws when this thread has detached, or the heap is poisoned; repairs what was cut
 * @param recover takes back what dead threads have left in the heap
 */
export function createObjectLocks(
  memory: HeapMemory,
  me: ThreadWord,
  lockTimeoutMs: number,
  locks: Locks,
  checkOpen: () => void,
  recover: () => void,
  mark: LockMark,
): ObjectLocks {
  const requireHeadroom = createProbe(HEADROOM_FRAMES, RESCUE_FRAMES);
  const patience = { limitMs: lockTimeoutMs, spentMs: 0 };
  // Recovery resolves what an owner has left, and forgets it, with the lock still in its name (I3).
  const kind = { keepsNames: false, nameOf, ownError, takeOver };
  const words = createLockWords(memory, me, patience, kind);

  function acquire(word: number): 'clean' | 'taken over' {
    checkOpen();
    if (CHECKED) checkOutermost(word);
    requireHeadroom();
    mark.lock = word;
    patience.spentMs = 0;
    if (words.take(word)) return 'clean';
    try {
      return words.wait(word) ? 'taken over' : 'clean';
    } catch (error) {
      mark.lock = 0;
      throw error;
    }
  }

  function release(word: number): void {
    words.release(word);
    mark.lock = 0;
  }

  function takeOver(word: number, seen: number, alive: false | undefined): boolean {
    const owner = (seen & ~WAITERS) as ThreadWord;
    const seize = (): boolean => words.seize(word, seen);
    // Its death may have been reported, and forgotten when it was recovered.
    if (alive === undefined) return whileUnattached(memory, me, owner, seize);
    recover();
    // Still there: recovery could not tell that it is dead. To be tried again.
    return !hasSlot(memory, owner) && seize();
  }

  function nameOf(word: number): string {
    return `the lock at ${hex(word * 4)}`;
  }

  function ownError(word: number): Error {
    return new HeapError(
      'ERR_SHMALLOC_LOCK_HELD',
      `cannot take ${nameOf(word)}: this thread has it, and would wait for itself; an object cannot ` +
        'be changed in the middle of a change of the same object',
    );
  }

  function checkOutermost(word: number): void {
    if (!locks.isExclusive() && locks.held().length === 0) return;
    const where = locks.isExclusive()
      ? 'in an exclusive section'
      : `while holding lock ${locks.held()[0]}`;
    throw new HeapCorruptionError(`${nameOf(word)} asked for ${where} (object-locks I1)`);
  }

  return { acquire, release, isMine: words.isMine };
}
