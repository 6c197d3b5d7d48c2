/**
 * Sections: what every slow path enters before it may touch what threads share, and leaves after.
 *
 * Used by the slow paths of this folder. Owner thread only.
 *
 *     section.enter();
 *     try { ... } catch (error) { throw section.abort(error); }
 *     section.leave();
 *     ... the store that commits
 *
 * I1  In a section there is stack left for the whole section: an overflow strikes on entry,
 *     where nothing is half done, and not between two stores (base/stack-headroom.ts).
 * I2  A thread that has detached enters no section, and nobody that of a poisoned heap.
 * I3  Where the stack ends while a section is repaired, its locks are kept, and its mark:
 *     the thread's next call, whatever it is, repairs it first.
 * I4  Leaving comes before a commit: should the thread die in there, the block is not committed and
 *     comes back. It throws only when the heap is broken.
 * I5  Who comes in and finds a mark (marks.ts) comes after a call that V8 has cut: what that left is repaired
 *     as for a death, before anything else is done. Fast paths enter no section, and find nothing of it: a
 *     magazine that is changed is parked, an intent is straight stores with the pop or push that it is for.
 */

import {
  createProbe,
  HeapError,
  isCorruption,
  probeStack,
  RESCUE_FRAMES,
  SECTION_FRAMES,
} from '../base/index.js';
import * as Slot from '../layout/slot.js';
import type { Recovered } from '../recovery/index.js';
import { isPoisoned, throwIfPoisoned } from '../sync/index.js';
import type { ThreadHeap } from './thread-heap.js';
import { recover } from './tools.js';

export class Section {
  readonly #heap: ThreadHeap;
  readonly #requireHeadroom = createProbe(SECTION_FRAMES, RESCUE_FRAMES);
  #isClosed = false;
  #takeoversSeen = 0;
  #repairObjects = (): void => {};
  /**
   * What the last call was abandoned for, with no stack left to repair what it had half done: its marks
   * stand as those of a call that was cut.
   */
  #cause: unknown;

  constructor(heap: ThreadHeap) {
    this.#heap = heap;
  }

  // ---- in and out

  /** Throws when this thread has detached. */
  checkAttached(): void {
    if (!this.#isClosed) return;
    throw new HeapError(
      'ERR_SHMALLOC_DETACHED',
      'this thread has detached from the heap: SharedHeap.attach(heap.handle) attaches it again',
    );
  }

  /** Throws when this thread has detached, or the heap is poisoned. */
  checkOpen(): void {
    if (this.#isClosed || isPoisoned(this.#heap.memory)) this.#refuse();
  }

  #refuse(): void {
    this.checkAttached();
    try {
      throwIfPoisoned(this.#heap.memory);
    } catch (error) {
      throw this.#tellOf(error);
    }
  }

  /**
   * Lets the thread in, or throws with nothing changed.
   * @param nested in the middle of a change of an object
   */
  enter(nested = false): void {
    this.checkOpen();
    this.#begin(nested);
  }

  #begin(nested: boolean): void {
    const { locks, marks } = this.#heap;
    if (this.#wasCut(nested)) this.#repairCut();
    this.#requireHeadroom();
    locks.startCall();
    marks.section = true;
  }

  /** Lets it out, and recovers what it found dead on its way. */
  leave(): void {
    const { marks } = this.#heap;
    try {
      this.#recoverDue();
    } catch (error) {
      marks.section = false;
      throw this.#tellOf(error);
    }
    marks.section = false;
  }

  /** Lets it out of a section that has thrown, with nothing left half done; gives the error back. */
  abort(error: unknown): unknown {
    const { locks, marks } = this.#heap;
    locks.dropRefused(error);
    this.#repairAborted(error);
    marks.section = false;
    return this.#tellOf(error);
  }

  /** Looks at what threads share, under locks. */
  read<T>(work: () => T, nested = false): T {
    this.#begin(nested);
    try {
      const seen = work();
      this.#recoverDue();
      this.#heap.marks.section = false;
      return seen;
    } catch (error) {
      throw this.abort(error);
    }
  }

  /** This thread has detached: from now on every enter refuses. */
  close(): void {
    this.#isClosed = true;
  }

  // ---- what was cut

  /** On the way to an object's lock: repairs what was cut (I5). @throws as checkOpen */
  checkObject(): void {
    this.checkOpen();
    // The context that the object is in may be ending, or a vector being made.
    if (this.#wasCut(true) || this.#heap.marks.lock !== 0) this.#repairCut();
  }

  /** Repairs what was cut, where nothing of an object is under way; the heap need not be open. */
  repairIfCut(): void {
    // Of a thread that has left the slot may be another's.
    if (!this.#isClosed && this.#wasCut(false) && !isPoisoned(this.#heap.memory)) this.#repairCut();
  }

  /** From now on `repairObjects` puts objects right after a cut, when the heap itself is. */
  whenCut(repairObjects: () => void): void {
    this.#repairObjects = repairObjects;
  }

  /** Was the last call of this thread cut? Such a call never ended, and no other is under way (I5). */
  #wasCut(nested: boolean): boolean {
    const { marks, slot, memory } = this.#heap;
    if (marks.section || marks.run) return true;
    if (nested || marks.nested) return false;
    return (
      marks.lock !== 0 ||
      marks.tables ||
      Slot.getIntentWord(memory.u32, slot) !== 0 ||
      memory.u32[Slot.inFlightHeaderWord(slot)] !== 0
    );
  }

  /** Puts right what it left. Cut itself, or where it throws, the marks stay for the next call. */
  #repairCut(): void {
    const { marks, selfRepair, events } = this.#heap;
    probeStack(RESCUE_FRAMES);
    // What was found may be an intent alone, which is resolved before this takes its last lock.
    marks.section = true;
    selfRepair.cut(this.#cause);
    this.#cause = undefined;
    marks.section = false;
    marks.run = false;
    events.quietly(() => repairLock(this.#heap));
    events.quietly(this.#repairObjects);
    marks.tables = false;
    marks.nested = false;
    // What it had found dead on its way is still to be recovered.
    this.#takeoversSeen = -1;
  }

  #repairAborted(error: unknown): void {
    const { selfRepair, marks } = this.#heap;
    this.#cause = error;
    selfRepair.call(error);
    this.#cause = undefined;
    marks.run = false;
  }

  // ---- the dead

  /** Recovery as a section of its own: asked for by the program, or on the way to an object's lock. */
  recover(isNested: boolean): Recovered {
    const { marks } = this.#heap;
    if (this.#isClosed) return recover(this.#heap);
    // The program itself is in the middle of nothing.
    if (!isNested) marks.nested = false;
    if (this.#wasCut(isNested)) this.#repairCut();
    marks.section = true;
    try {
      return recover(this.#heap);
    } finally {
      marks.section = false;
    }
  }

  /** Who took over a dead thread's lock has its slot recovered too, now that no lock is held. */
  #recoverDue(): void {
    const takeovers = this.#heap.locks.takeovers();
    if (takeovers === this.#takeoversSeen) return;
    try {
      recover(this.#heap);
      // Not those of the recovery itself: a thread may have died behind its back.
      this.#takeoversSeen = takeovers;
    } catch (error) {
      // Not this call's business, and to be tried again after the next: all but a broken heap.
      if (isCorruption(error)) throw error;
    }
  }

  /** A call is about to throw this, with nothing left half done, unless it is in a section. */
  #tellOf(error: unknown): unknown {
    const { events, marks } = this.#heap;
    events.addFailure(error);
    if (!marks.section) events.flush();
    return error;
  }
}

/** Gives back the lock of an object whose change was cut: others wait for it. The object is whole then. */
function repairLock({ marks, objectLocks }: ThreadHeap): void {
  const { lock, changing } = marks;
  if (lock === 0) return;
  if (objectLocks.isMine(lock)) {
    changing?.repairLocked();
    objectLocks.release(lock);
  }
  marks.lock = 0;
  marks.changing = null;
}
