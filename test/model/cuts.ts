/**
 * Cuts: V8 ends a call of a thread that lives on at any point, without catch and finally, as for
 * `vm` with a timeout. The thread's next calls find its marks and repair. As heap/marks.ts,
 * recovery/self-repair.ts, the end of debug/debug-thread.ts, and contexts/repair-objects.ts.
 *
 * The scheduler steps a call that may be cut from here, not by delegation, so that it can drop the
 * call: none of the call's code runs any more.
 *
 * I1  A cut leaves the same words as a death, and also the thread's own fields. Of these the marks
 *     say what the call was in the middle of; those of its stack (sections, handling) are gone.
 * I2  Fast paths check no mark: everything they meet between a cut and the next section is safe for
 *     them.
 * I3  The marks are cleared last: a repair that is cut is begun anew.
 */

import { cachedBlocks } from './cache.js';
import { clearInFlightHeader } from './context-recovery.js';
import { freeChunk, freeRecord } from './contexts.js';
import { acquire, release, repairHeld } from './locks.js';
import type { Step } from './points.js';
import { freeOrphans } from './reclaim-instrumented.js';
import { flushDead, resolveIntent } from './resolve-intent.js';
import { freeReserved } from './section.js';
import type { Thread } from './thread.js';
import { unlockWord } from './word-locks.js';
import {
  CLASS_COUNT,
  contextSlot,
  FREED_BLOCK,
  LIVE_CONTEXT,
  LOCK_COUNT,
  PAGE_LOCK,
  phaseOf,
  RECOVERY_LOCK,
  stateKind,
  stateSlot,
  UNRESOLVED,
  WAITERS,
} from './words.js';
import { CUT, INTERRUPT, type World } from './world.js';

// ---- Calls that may be cut

/**
 * Runs a call of a program; false if an error, which the program catches, or a cut has ended it.
 */
export function* guarded(w: World, t: Thread, call: Step<unknown>): Step<boolean> {
  const steps = t.mayBeCut ? whole(w, t, call) : call;
  try {
    if (!t.mayBeCut) yield* steps;
    else yield* stepped(t, steps);
    return true;
  } catch (error) {
    if (error !== INTERRUPT && error !== CUT) throw error;
    return false;
  } finally {
    t.isCalling = false;
  }
}

function* stepped(t: Thread, steps: Step<unknown>): Step<void> {
  t.isCalling = true;
  for (let next = steps.next(); next.done !== true; ) {
    let thrown: unknown;
    try {
      yield next.value;
    } catch (error) {
      // The call does not see this error.
      if (error === CUT) throw error;
      thrown = error;
    }
    next = thrown === undefined ? steps.next() : steps.throw(thrown);
  }
}

/** A call of an instrumented heap, which repairs first. */
function* whole(w: World, t: Thread, call: Step<unknown>): Step<void> {
  if (t.marks.open && w.rules.repairOpen) yield* repairCut(w, t);
  t.marks.open = w.isInstrumented;
  try {
    yield* call;
  } finally {
    t.marks.open = false;
  }
}

/** Runs a change of contexts or chunks. */
export function* changing<R>(w: World, t: Thread, change: () => Step<R>): Step<R> {
  if (!t.mayBeCut) return yield* change();
  yield* repairIfCut(w, t, false);
  t.marks.tables = true;
  try {
    return yield* change();
  } finally {
    t.marks.tables = false;
  }
}

// ---- Repair

/** Repairs at the beginning of a section. `nested`: in the middle of a change of an object. */
export function* repairIfCut(w: World, t: Thread, nested: boolean): Step<void> {
  if (t.mayBeCut && wasCut(w, t, nested)) yield* repairCut(w, t);
}

function wasCut(w: World, t: Thread, nested: boolean): boolean {
  const { marks } = t;
  const { rules } = w;
  if ((marks.section && rules.repairSection) || (marks.run && rules.repairRun)) return true;
  if (nested) return false;
  if ((marks.lock !== 0 && rules.repairLock) || (marks.tables && rules.repairTables)) return true;
  if (t.slot < 0 || !rules.repairIntent) return false;
  return w.intentWord[t.slot] !== 0 || w.load(w.inFlightHeaderWord(t.slot)) !== 0;
}

/** Repairs the state that this thread's last call left. */
function* repairCut(w: World, t: Thread): Step<void> {
  t.handling++;
  const { marks, slot } = t;
  // The cut call may have left only an intent; the repair itself acquires locks, so it sets the
  // mark.
  if (w.rules.markRepair) marks.section = true;
  // By the lock words: a lock that was being taken over has this thread's word already.
  t.held = Array.from({ length: LOCK_COUNT }, (_, lock) => lock).filter(
    (lock) => (w.lock[lock] & ~WAITERS) === t.word,
  );
  yield* repairHeld(w, t);
  if (t.held.includes(RECOVERY_LOCK)) yield* release(w, t, RECOVERY_LOCK);
  if (slot >= 0) yield* repairSlot(w, t, slot);
  yield* repairLock(w, t);
  if (slot >= 0) {
    yield* clearInFlightHeader(w, t, slot);
    yield* freeOwn(w, t);
  }
  if (marks.tables && w.rules.repairTables) yield* repairTables(w, t);
  marks.section = false;
  marks.run = false;
  marks.tables = false;
  marks.open = false;
  t.handling--;
  // Dead threads that the cut call had found are still to be recovered.
  t.due = true;
}

function* repairSlot(w: World, t: Thread, slot: number): Step<void> {
  if (w.rules.repairIntent && w.intentWord[slot] !== 0) {
    yield* makeRoom(w, t, slot);
    yield* resolveIntent(w, t, slot);
  }
  if (!t.marks.open || !w.rules.repairOpen) return;
  // First, since a block whose run is RESERVED is in no queue any more.
  yield* freeOwn(w, t);
  yield* keepOnly(w, t);
  yield* freeOrphans(w, t, slot, new Set(t.quarantine));
}

/** Frees the runs that the slot has RESERVED. */
function* freeOwn(w: World, t: Thread): Step<void> {
  yield* acquire(w, t, PAGE_LOCK);
  yield* freeReserved(w, t.slot);
  yield* release(w, t, PAGE_LOCK);
}

/** Resolves an open intent, before another one begins. In a section. */
export function* resolveOwn(w: World, t: Thread): Step<void> {
  yield* makeRoom(w, t, t.slot);
  yield* resolveIntent(w, t, t.slot);
  yield* freeOwn(w, t);
}

/**
 * Makes room for a block of the intent: frees since the cut may have filled the room made before
 * it.
 */
function* makeRoom(w: World, t: Thread, slot: number): Step<void> {
  if (!w.rules.roomToRepair) return;
  for (let c = 1; c <= CLASS_COUNT; c++) {
    if (cachedBlocks(w.slots[slot], c) >= w.slots[slot].limit[c]) yield* flushDead(w, t, slot, c);
  }
}

/** Updates the queue: a block that the cut call was giving back may be in a magazine by now. */
function* keepOnly(w: World, t: Thread): Step<void> {
  const waits = (address: number): boolean => {
    const state = w.state[address];
    const isFreed = stateKind(state) === FREED_BLOCK && stateSlot(state) === t.slot;
    return w.tags[address] !== 0 && isFreed;
  };
  for (const address of t.quarantine) w.waiting[address] = waits(address) ? t.own : 0;
  t.quarantine = t.quarantine.filter(waits);
}

/**
 * Releases an object's lock, for which others wait. Its data is sound, since the intent is
 * resolved.
 */
function* repairLock(w: World, t: Thread): Step<void> {
  const { lock } = t.marks;
  if (lock !== 0 && w.rules.repairLock && w.data[lock] === t.own) {
    yield* unlockWord(w, lock);
  }
  t.marks.lock = 0;
}

/** Frees chunks without a block; ends contexts that were half created or half ended. */
function* repairTables(w: World, t: Thread): Step<void> {
  for (let chunk = 1; chunk < w.chunkContext.length; chunk++) {
    const c = w.chunkContext[chunk];
    if (c === 0 || w.load(w.chunkWord(chunk)) !== 0 || !isOwn(w, t, c)) continue;
    yield* freeChunk(w, chunk);
  }
  for (let c = 1; c < w.contextState.length; c++) {
    const state = w.contextState[c];
    if (phaseOf(state) === UNRESOLVED && contextSlot(state) === t.slot) {
      yield* freeRecord(w, t.slot, c);
    }
  }
}

/** True for a context that only this thread changes. */
function isOwn(w: World, t: Thread, c: number): boolean {
  for (let at = c; ; at = w.contextParent[at]) {
    const state = w.contextState[at];
    if (phaseOf(state) === UNRESOLVED) return contextSlot(state) === t.slot;
    if (phaseOf(state) !== LIVE_CONTEXT) return false;
    if (w.contextParent[at] === 0) return contextSlot(state) === t.slot;
  }
}
