/**
 * Self repair: what a living thread does when something throws in one of its own sections.
 *
 * Called by section.ts for a call that is given up, and by allocator.ts and large.ts for work that
 * follows a commit. Owner thread only.
 *
 * Nothing is expected to throw there: there is headroom on the stack before a section begins. What
 * does throw is a broken invariant, which poisons the heap; a lock that cannot be had, which leaves
 * all as it was; or a fault that nobody thought of, after which the thread repairs the domains of
 * its locks as if it had died in them.
 *
 * The same does for a call that V8 has cut, by the thread's next one (marks.ts).
 *
 * I1  Afterwards this thread holds no lock.
 * I2  If it fails, the heap is poisoned; but for want of stack: then it throws, keeps the locks of what
 *     is half done, and the section tries again at the thread's next call, whatever that is.
 */

import {
  isCorruption,
  isStackOverflow,
  messageOf,
  probeStack,
  RESCUE_FRAMES,
  type SlotIndex,
} from '../base/index.js';
import { type HeapMemory, loadExclusive } from '../layout/index.js';
import type { PageHeap } from '../pages/index.js';
import {
  type Locks,
  leaveExclusive,
  poison,
  type ThreadWord,
  throwIfPoisoned,
} from '../sync/index.js';
import { freeReserved } from './recover.js';
import type { Repairs } from './repair.js';
import { forgetRetracted } from './resolve-intent.js';

/**
 * No error: to repair is to be rehearsed. A function that runs for the first time is compiled first,
 * and at the end of a stack there is no room for that.
 */
export const REHEARSAL = Symbol('rehearsal');
/** Stands for the error that a call which was cut never threw. */
const CUT = Symbol('cut');

export interface SelfRepair {
  /** Repairs and releases what this thread has locked. False when the heap is poisoned now. */
  locks(error: unknown): boolean;
  /** The same for a call that is given up: its reserved runs are freed too. */
  call(error: unknown): void;
  /**
   * What a call of this thread left that was cut: its locks, its exclusive section, its placement, its
   * reserved runs. @throws where that cannot be done now
   * @param cause the error, where the call was abandoned for one and could not be repaired then
   */
  cut(cause: unknown): void;
}

export function createSelfRepair(
  memory: HeapMemory,
  slot: number,
  locks: Locks,
  me: ThreadWord,
  repairs: Repairs,
  pageHeap: PageHeap,
  resolveOwn: () => void,
): SelfRepair {
  function repairLocks(error: unknown): boolean {
    if (error === REHEARSAL || locks.dropRefused(error)) return true;
    if (!isCorruption(error) && repairHeld()) return true;
    try {
      // First: who waits for these locks must not go on with them.
      poison(memory, messageOf(error));
    } finally {
      const held = locks.held();
      for (let n = 0; n < held.length; n++) locks.release(held[n]);
    }
    return false;
  }

  function repairHeld(): boolean {
    try {
      if (locks.isExclusive()) repairs.allLocked();
      const held = locks.held();
      for (let n = 0; n < held.length; n++) {
        repairs.lockLocked(held[n]);
        locks.release(held[n]);
      }
      return true;
    } catch (worse) {
      if (isStackOverflow(worse)) throw worse;
      return false;
    }
  }

  function repairCall(error: unknown): void {
    if (!repairLocks(error) || error === REHEARSAL) return;
    // Where the stack has ended this throws, with no lock held: the next call tries again.
    probeStack(RESCUE_FRAMES);
    try {
      if (slot >= 0) forgetRetracted(memory, slot as SlotIndex);
      freeReserved(memory, locks, pageHeap, slot);
    } catch (worse) {
      repairLocks(worse);
      // What ran for the first time had no room to be compiled: the next call tries again.
      if (isStackOverflow(worse)) throw worse;
    }
  }

  function repairCut(cause: unknown = CUT): void {
    locks.forgetRanks();
    if (!repairLocks(cause)) throwIfPoisoned(memory);
    if (loadExclusive(memory.i32, memory.geometry.header) === me) {
      locks.setExclusive(false);
      leaveExclusive(memory);
    }
    try {
      resolveOwn();
      freeReserved(memory, locks, pageHeap, slot);
    } catch (error) {
      if (!isStackOverflow(error)) repairLocks(error);
      throw error;
    }
  }

  return { locks: repairLocks, call: repairCall, cut: repairCut };
}
