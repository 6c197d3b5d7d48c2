/**
 * Sections: what every slow path passes before it may touch what threads share, and after.
 *
 * Used by allocator.ts. Owner thread only.
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
  type WordIndex,
} from '../base/index.js';
import { getIntentWord, type HeapMemory, inFlightHeaderWord } from '../layout/index.js';
import type { Recovered, SelfRepair } from '../recovery/index.js';
import { isPoisoned, type Locks, throwIfPoisoned } from '../sync/index.js';
import type { EventQueue } from './event-queue.js';
import type { Marks } from './marks.js';

export interface Section {
  /** Throws when this thread has detached, or the heap is poisoned. */
  checkOpen(): void;
  /**
   * Lets the thread in, or throws with nothing changed.
   * @param nested in the middle of a change of an object
   */
  enter(nested?: boolean): void;
  /** Lets it out, and recovers what it found dead on its way. */
  leave(): void;
  /** Lets it out of a section that has thrown, with nothing left half done; gives the error back. */
  abort(error: unknown): unknown;
  /** Looks at what threads share, under locks. */
  read<T>(work: () => T, nested?: boolean): T;
}

export interface Sections {
  readonly shared: Section;
  /** Throws when this thread has detached. */
  checkAttached(): void;
  /** On the way to an object's lock: repairs what was cut (I5). @throws as checkOpen */
  checkObject(): void;
  /** The same where nothing of an object is under way, and whether the heap is open does not matter. */
  repairIfCut(): void;
  /** Recovery as a section of its own: asked for by the program, or on the way to an object's lock. */
  recover(isNested: boolean): Recovered;
  /** From now on `repairObjects` puts objects right after a cut, when the heap itself is. */
  whenCut(repairObjects: () => void): void;
  /** This thread has detached: from now on every enter refuses. */
  close(): void;
}

export function createSections(
  memory: HeapMemory,
  slot: WordIndex,
  locks: Locks,
  selfRepair: SelfRepair,
  recover: () => Recovered,
  events: EventQueue,
  marks: Marks,
  repairLock: () => void,
): Sections {
  const { u32 } = memory;
  const inFlightHeader = inFlightHeaderWord(slot);
  let closed = false;
  let takeoversSeen = 0;
  let repairObjects = (): void => {};
  const requireHeadroom = createProbe(SECTION_FRAMES, RESCUE_FRAMES);
  /**
   * What the last call was abandoned for, with no stack left to repair what it had half done: its marks
   * stand as those of a call that was cut.
   */
  let cause: unknown;

  function checkAttached(): void {
    if (!closed) return;
    throw new HeapError(
      'ERR_SHMALLOC_DETACHED',
      'this thread has detached from the heap: SharedHeap.attach(heap.handle) attaches it again',
    );
  }

  function checkOpen(): void {
    checkAttached();
    try {
      throwIfPoisoned(memory);
    } catch (error) {
      throw tellOf(error);
    }
  }

  /** A call is about to throw this, with nothing left half done, unless it is in a section. */
  function tellOf(error: unknown): unknown {
    events.addFailure(error);
    if (!marks.section) events.flush();
    return error;
  }

  /** Was the last call of this thread cut? Such a call never ended, and no other is under way (I5). */
  function wasCut(nested: boolean): boolean {
    if (marks.section || marks.run) return true;
    if (nested || marks.nested) return false;
    return (
      marks.lock !== 0 ||
      marks.tables ||
      getIntentWord(u32, slot) !== 0 ||
      u32[inFlightHeader] !== 0
    );
  }

  /** Puts right what it left. Cut itself, or where it throws, the marks stay for the next call. */
  function repairCut(): void {
    probeStack(RESCUE_FRAMES);
    // What was found may be an intent alone, which is resolved before this takes its last lock.
    marks.section = true;
    selfRepair.cut(cause);
    cause = undefined;
    marks.section = false;
    marks.run = false;
    events.quietly(repairLock);
    events.quietly(repairObjects);
    marks.tables = false;
    marks.nested = false;
    // What it had found dead on its way is still to be recovered.
    takeoversSeen = -1;
  }

  /** Who took over a dead thread's lock has its slot recovered too, now that no lock is held. */
  function recoverDue(): void {
    const takeovers = locks.takeovers();
    if (takeovers === takeoversSeen) return;
    try {
      recover();
      // Not those of the recovery itself: a thread may have died behind its back.
      takeoversSeen = takeovers;
    } catch (error) {
      // Not this call's business, and to be tried again after the next: all but a broken heap.
      if (isCorruption(error)) throw error;
    }
  }

  function repairAborted(error: unknown): void {
    cause = error;
    selfRepair.call(error);
    cause = undefined;
    marks.run = false;
  }

  const shared: Section = {
    checkOpen,
    enter(nested = false) {
      checkOpen();
      if (wasCut(nested)) repairCut();
      requireHeadroom();
      locks.startCall();
      marks.section = true;
    },
    leave() {
      try {
        recoverDue();
      } catch (error) {
        marks.section = false;
        throw tellOf(error);
      }
      marks.section = false;
    },
    abort(error) {
      locks.dropRefused(error);
      repairAborted(error);
      marks.section = false;
      return tellOf(error);
    },
    read(work, nested = false) {
      if (wasCut(nested)) repairCut();
      requireHeadroom();
      locks.startCall();
      marks.section = true;
      try {
        const seen = work();
        recoverDue();
        marks.section = false;
        return seen;
      } catch (error) {
        throw shared.abort(error);
      }
    },
  };

  function checkObject(): void {
    checkOpen();
    // The context that the object is in may be ending, or a vector being made.
    if (wasCut(true) || marks.lock !== 0) repairCut();
  }

  function repairIfCut(): void {
    // Of a thread that has left the slot may be another's.
    if (!closed && wasCut(false) && !isPoisoned(memory)) repairCut();
  }

  function recoverAlone(isNested: boolean): Recovered {
    if (closed) return recover();
    if (isNested ? wasCut(true) : isAnyMarked()) repairCut();
    marks.section = true;
    try {
      return recover();
    } finally {
      marks.section = false;
    }
  }

  /** The same for who is asked by the program itself, which is in the middle of nothing. */
  function isAnyMarked(): boolean {
    marks.nested = false;
    return wasCut(false);
  }

  return {
    shared,
    checkAttached,
    checkObject,
    repairIfCut,
    recover: recoverAlone,
    whenCut(work) {
      repairObjects = work;
    },
    close() {
      closed = true;
    },
  };
}
