/**
 * Object locks: lock words in objects, anywhere in the heap, which survive their owners.
 *
 * Called by objects of the heap that several threads change. Any attached thread. Readers acquire
 * none.
 *
 * A dead owner's lock is taken over only after recovery has resolved everything that the dead
 * thread left half done in the heap: it may have been placing a new block in the object, and only
 * the recovery of its slot decides which block the object has. After that the new owner repairs the
 * object.
 *
 *     if (locks.acquire(word) === 'taken over') ... make the object whole;
 *     try { ... } finally { locks.release(word); }
 *
 * I1  Object locks are the outermost: acquired while this thread owns no lock of the heap (checked
 *     with SHMALLOC_CHECKED=1). Under the lock the heap
 *     may be called as a part of the change (`nested` in heap/marks.ts); any other call takes the
 *     lock for that of a cut call.
 * I2  Recovery acquires no object lock: it could wait for a thread that waits for recovery.
 * I3  The owner of an object lock is attached. So a thread without a slot owns none, dead or alive;
 *     and nothing of a dead thread without a slot is left to be resolved.
 * I4  When acquire throws, the lock is unchanged.
 * I5  When acquire returns, the stack has room for stores and the release. Calls of the heap in
 *     between probe the stack themselves, and may throw.
 * I6  `mark.lock` names the word from before the lock is acquired until after its release, and no
 *     thread has two. A thread that acquires one while the mark is set has had a call cut
 *     (heap/marks.ts).
 * I7  A thread that dies between a takeover and the end of the repair is taken over in turn:
 *     acquire returns "taken over" until a thread has released the lock.
 */

import { createProbe, HeapCorruptionError, HeapError, hex, RESCUE_FRAMES } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import { CHECKED, LockWords, type Patience } from './lock-word.js';
import type { Locks } from './mutex.js';
import { hasSlot } from './names.js';
import { type ThreadWord, WAITERS } from './thread-word.js';

/** Frames of stack for a release, also an interpreted one (10 ns; a section's probe takes 27). */
const HEADROOM_FRAMES = 2;

/** The object lock that this thread owns (I6). */
export interface LockMark {
  lock: number;
}

/** The thread whose object locks they are. */
export interface LockingThread {
  readonly memory: HeapMemory;
  readonly me: ThreadWord;
  /** Milliseconds to wait for an owner that may be dead or alive. */
  readonly lockTimeoutMs: number;
  readonly locks: Locks;
  readonly marks: LockMark;
}

/** The thread's sections, as far as an object's lock needs them. */
export interface LockSection {
  /** Throws if this thread has detached, or the heap is poisoned; repairs a cut call. */
  checkObject(): void;
  /** Takes back what dead threads have left in the heap. */
  recover(isNested: boolean): unknown;
}

/** One thread's access to the lock words in a heap's objects. A word is named by its index. */
export class ObjectLocks {
  readonly #thread: LockingThread;
  readonly #section: LockSection;
  readonly #requireHeadroom = createProbe(HEADROOM_FRAMES, RESCUE_FRAMES);
  readonly #patience: Patience;
  readonly #words: LockWords;

  constructor(thread: LockingThread, section: LockSection) {
    const { memory, me, lockTimeoutMs } = thread;
    this.#thread = thread;
    this.#section = section;
    this.#patience = { limitMs: lockTimeoutMs, spentMs: 0 };
    this.#words = new LockWords(memory, me, this.#patience, {
      // After recovery has resolved what an owner left, its name may be removed while its word is
      // still in the lock (I3).
      keepsNames: false,
      nameOf,
      ownError,
      takeOver: (word, seen) => this.#takeOver(word, seen),
    });
  }

  /**
   * Acquires a lock; blocks while another thread owns it. 'taken over': its owner has died, and the
   * object may be in the middle of a change.
   * @throws HeapCorruptionError; HeapError ERR_SHMALLOC_LOCK_HELD if this thread owns it already,
   * ERR_SHMALLOC_LOCK_TIMEOUT, ERR_SHMALLOC_DETACHED; RangeError if the stack is full
   */
  acquire(word: number): 'clean' | 'taken over' {
    const { marks } = this.#thread;
    this.#section.checkObject();
    if (CHECKED) this.#checkOutermost(word);
    this.#requireHeadroom();
    marks.lock = word;
    this.#patience.spentMs = 0;
    if (this.#words.take(word)) return 'clean';
    try {
      return this.#words.wait(word) ? 'taken over' : 'clean';
    } catch (error) {
      marks.lock = 0;
      throw error;
    }
  }

  /** Releases a lock that the caller owns. */
  release(word: number): void {
    this.#words.release(word);
    this.#thread.marks.lock = 0;
  }

  /** True if this thread owns the lock. */
  isMine(word: number): boolean {
    return this.#words.isMine(word);
  }

  #takeOver(word: number, seen: number): boolean {
    const { memory } = this.#thread;
    const owner = (seen & ~WAITERS) as ThreadWord;
    if (hasSlot(memory, owner)) this.#section.recover(true);
    // A slot that is still there means that recovery could not tell that its owner is dead. Try
    // later.
    return !hasSlot(memory, owner) && this.#words.seize(word, seen);
  }

  #checkOutermost(word: number): void {
    const [innermost] = this.#thread.locks.held();
    if (innermost === undefined) return;
    throw new HeapCorruptionError(
      `${nameOf(word)} asked for while holding lock ${innermost} (object-locks I1)`,
    );
  }
}

function nameOf(word: number): string {
  return `the lock at ${hex(word * 4)}`;
}

function ownError(word: number): Error {
  return new HeapError(
    'ERR_SHMALLOC_LOCK_HELD',
    `cannot take ${nameOf(word)}: this thread owns it, and would wait for itself; an object cannot ` +
      'be changed in the middle of a change of the same object',
  );
}
