/**
 * Self-repair: a living thread repairs its own sections if something throws in one of them.
 *
 * Called by section.ts for a call that is given up, and by slow-path.ts and large.ts for work that
 * follows a commit. Owner thread only.
 *
 * Nothing is expected to throw there, since a probe of the stack comes before each section. What
 * can throw is a broken invariant, which poisons the heap; a lock that cannot be acquired, which
 * leaves everything unchanged; or an unforeseen fault, after which the thread repairs the domains
 * of its locks as if it had died in them.
 *
 * The thread's next call repairs a call that V8 has cut in the same way (marks.ts).
 *
 * I1  Afterwards this thread owns no lock.
 * I2  If self-repair fails, the heap is poisoned. The exception is a lack of stack: then it throws
 *     and keeps the locks of what is half done, and the section tries again at the thread's next
 *     call.
 */

import {
  isCorruption,
  isStackOverflow,
  messageOf,
  probeStack,
  RESCUE_FRAMES,
  type SlotIndex,
} from '../base/index.js';
import type { PageTools } from '../pages/index.js';
import { poison, throwIfPoisoned } from '../sync/index.js';
import { freeReserved } from './recover.js';
import type { Repairs } from './repair.js';
import { forgetRetracted } from './resolve-intent.js';

/**
 * Stands for an error, to rehearse a repair: the engine compiles functions when they first run, and
 * at the end of a stack there is no room for that.
 */
export const REHEARSAL = Symbol('rehearsal');
/** Stands for the error that a cut call never threw. */
const CUT = Symbol('cut');

export interface SelfRepair {
  /** Repairs and releases this thread's locks. Returns false if the heap is poisoned now. */
  locks(error: unknown): boolean;
  /** Repairs and releases like `locks`, and frees the reserved runs of a call that is given up. */
  call(error: unknown): void;
  /**
   * Repairs what a cut call of this thread left: its locks, its placement, its reserved
   * runs. @throws if that cannot be done now
   * @param cause the error, if the call was given up for one and could not be repaired then
   */
  cut(cause: unknown): void;
}

/** What a thread repairs itself with. */
export interface RepairTools extends PageTools {
  /** Its slot's index; less than 0 = it has none. */
  readonly slotIndex: number;
  readonly repairs: Repairs;
}

/** @param resolveOwn ends what was left half done of a placement */
export function createSelfRepair(tools: RepairTools, resolveOwn: () => void): SelfRepair {
  const { memory, slotIndex, locks, repairs } = tools;

  function repairLocks(error: unknown): boolean {
    if (error === REHEARSAL || locks.dropRefused(error)) return true;
    if (!isCorruption(error) && repairHeld()) return true;
    try {
      // Poisoned first: threads that wait for these locks must not use what they guard.
      poison(memory, messageOf(error));
    } finally {
      const held = locks.held();
      for (let n = 0; n < held.length; n++) locks.release(held[n]);
    }
    return false;
  }

  function repairHeld(): boolean {
    try {
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
    // If the stack is full this throws, with no lock acquired: the next call tries again.
    probeStack(RESCUE_FRAMES);
    try {
      if (slotIndex >= 0) forgetRetracted(memory, slotIndex as SlotIndex);
      freeReserved(tools, slotIndex);
    } catch (worse) {
      repairLocks(worse);
      // A function that ran for the first time had no room to be compiled: the next call tries
      // again.
      if (isStackOverflow(worse)) throw worse;
    }
  }

  function repairCut(cause: unknown = CUT): void {
    locks.forgetRanks();
    if (!repairLocks(cause)) throwIfPoisoned(memory);
    try {
      resolveOwn();
      freeReserved(tools, slotIndex);
    } catch (error) {
      if (!isStackOverflow(error)) repairLocks(error);
      throw error;
    }
  }

  return { locks: repairLocks, call: repairCall, cut: repairCut };
}
