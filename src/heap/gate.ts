/**
 * Gates: what every slow path passes before it may touch what threads share, and after.
 *
 * Used by allocator.ts: the `_ts` calls go through the shared gate and take locks inside, the
 * unsafe calls go through the solo gate and take none. Owner thread only.
 *
 *     gate.enter();
 *     try { ... } catch (error) { throw gate.abandon(error); }
 *     gate.leave();
 *     ... the store that commits
 *
 * I1  Behind a gate there is stack left for the whole section: an overflow strikes at the gate,
 *     where nothing is half done, and not between two stores (base/stack.ts).
 * I2  Behind the solo gate this thread is the only one attached, and stays it until it leaves.
 * I3  A thread that has detached passes no gate, and nobody that of a poisoned heap.
 * I4  Where the stack ends while a section is mended, its locks (or being alone) are kept, and the
 *     thread's next call, whatever it is, mends it first.
 * I5  Leaving comes before a commit: should the thread die in there, the block is not committed and
 *     comes back. It throws only when the heap is broken.
 */

import {
  createProbe,
  HeapCorruptionError,
  HeapError,
  probeStack,
  RESCUE_FRAMES,
  SECTION_FRAMES,
  ThreadSafetyError,
} from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import {
  countAttached,
  enterSolo,
  type Locks,
  leaveSolo,
  type ThreadWord,
  throwIfPoisoned,
} from '../sync/index.js';
import type { Mend } from './mend.js';
import type { News } from './news.js';
import type { Recovered } from './recover.js';

export interface Gate {
  /** Throws when this thread has detached, or the heap is poisoned. */
  checkOpen(): void;
  /** Lets the thread in, or throws with nothing changed. */
  enter(): void;
  /** Lets it out, and recovers what it found dead on its way. */
  leave(): void;
  /** Lets it out of a section that has thrown, with nothing left half done; gives the error back. */
  abandon(error: unknown): unknown;
  /** Looks at what threads share: alone where it can be, else under locks. */
  look<T>(work: () => T): T;
}

export interface Gates {
  readonly shared: Gate;
  readonly solo: Gate;
  /** Throws when this thread has detached. */
  checkAttached(): void;
  /** This thread has detached: from now on every enter refuses. */
  close(): void;
}

export function createGates(
  memory: HeapMemory,
  me: ThreadWord,
  locks: Locks,
  mend: Mend,
  recover: () => Recovered,
  news: News,
): Gates {
  let closed = false;
  /** Behind a gate: nothing may be told there (news I1). */
  let inside = false;
  let takeoversSeen = 0;
  const requireHeadroom = createProbe(SECTION_FRAMES, RESCUE_FRAMES);
  /** What a call was abandoned for, with no stack left to mend what it had half done. */
  let unmended: unknown = null;
  /** The same of a solo section, in which this thread stays until then. */
  let unmendedSolo: unknown = null;

  function checkAttached(): void {
    if (!closed) return;
    throw new HeapError(
      'ERR_SHMALLOC_DETACHED',
      'this thread has detached from the heap: attach again to allocate or free',
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

  /** A call is about to throw this, with nothing left half done, unless it is behind a gate. */
  function tellOf(error: unknown): unknown {
    news.addFailure(error);
    if (!inside) news.tell();
    return error;
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
      if (error instanceof HeapCorruptionError) throw error;
    }
  }

  /** Throws where the stack ends; mends what could not be mended before. */
  function probe(): void {
    requireHeadroom();
    if (unmendedSolo !== null) mendSolo(unmendedSolo);
    if (unmended === null) return;
    locks.dropRefused(unmended);
    mendShared(unmended);
  }

  function mendShared(error: unknown): void {
    unmended = error;
    mend.call(error);
    unmended = null;
  }

  function mendSolo(error: unknown): void {
    unmendedSolo = error;
    mend.call(error);
    unmendedSolo = null;
    solo.leave();
  }

  const shared: Gate = {
    checkOpen,
    enter() {
      checkOpen();
      probe();
      inside = true;
    },
    leave() {
      inside = false;
      try {
        recoverDue();
      } catch (error) {
        throw tellOf(error);
      }
    },
    abandon(error) {
      inside = false;
      locks.dropRefused(error);
      mendShared(error);
      return tellOf(error);
    },
    look(work) {
      probe();
      try {
        const seen = work();
        recoverDue();
        return seen;
      } catch (error) {
        throw shared.abandon(error);
      }
    },
  };

  function tryEnterSolo(): boolean {
    probeStack(SECTION_FRAMES);
    if (unmendedSolo !== null) mendSolo(unmendedSolo);
    if (closed || !enterSolo(memory, me)) return false;
    locks.setSolo(true);
    return true;
  }

  const solo: Gate = {
    checkOpen,
    enter() {
      checkOpen();
      inside = tryEnterSolo();
      if (inside) return;
      // A dead thread is no company.
      recover();
      inside = tryEnterSolo();
      if (inside) return;
      news.tell();
      const attached = countAttached(memory);
      throw new ThreadSafetyError(
        (attached > 1
          ? `${attached} threads are attached to this heap: `
          : 'another thread was in a call without _ts: ') +
          'calls without _ts are for a heap with one; use malloc_ts, free_ts and the like',
      );
    },
    leave() {
      locks.setSolo(false);
      leaveSolo(memory);
      inside = false;
    },
    abandon(error) {
      mendSolo(error);
      return tellOf(error);
    },
    look(work) {
      if (!tryEnterSolo()) return shared.look(work);
      let seen: ReturnType<typeof work>;
      try {
        seen = work();
      } catch (error) {
        mendSolo(error);
        throw error;
      }
      solo.leave();
      return seen;
    },
  };

  return {
    shared,
    solo,
    checkAttached,
    close() {
      closed = true;
    },
  };
}
