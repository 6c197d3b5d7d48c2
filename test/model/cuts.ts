/**
 * Cuts: a call of a thread that lives on ends at any point, with no catch and no finally, as V8 ends one for
 * `vm` with a timeout. The thread's next calls find its marks and repair. As heap/marks.ts,
 * recovery/self-repair.ts, the end of debug/debug-thread.ts, and contexts/repair-objects.ts.
 *
 * A call that may be cut is stepped from here and not delegated to, so that it can be dropped where it
 * stands: none of its code runs any more.
 *
 * I1  What is cut is left as by a death; only the thread's own fields are left too. Of these the marks
 *     say what it was in the middle of, and those of its stack (sections, handling) are gone.
 * I2  Fast paths look at no mark: what they meet between a cut and the next section is safe for them.
 * I3  The marks are taken back last: a repair that is cut is begun anew.
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

// ---- calls that may be cut

/** Runs a call of a program; false when an error, which the program catches, or a cut has ended it. */
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
      // The call hears nothing of this one.
      if (error === CUT) throw error;
      thrown = error;
    }
    next = thrown === undefined ? steps.next() : steps.throw(thrown);
  }
}

/** A call of an instrumented heap repairs first, whatever it is. */
function* whole(w: World, t: Thread, call: Step<unknown>): Step<void> {
  if (t.marks.open && w.rules.repairOpen) yield* repairCut(w, t);
  t.marks.open = w.isInstrumented;
  try {
    yield* call;
  } finally {
    t.marks.open = false;
  }
}

/** Runs what changes contexts or chunks. */
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

// ---- repair

/** On the way into a section. `nested`: in the middle of a change of an object. */
export function* repairIfCut(w: World, t: Thread, nested: boolean): Step<void> {
  if (t.mayBeCut && wasCut(w, t, nested)) yield* repairCut(w, t);
}

function wasCut(w: World, t: Thread, nested: boolean): boolean {
  const { marks } = t;
  const { rules } = w;
  if ((marks.section && rules.repairSection) || (marks.run && rules.repairRun)) return true;
  if (nested) return false;
  if ((marks.lock !== null && rules.repairLock) || (marks.tables && rules.repairTables))
    return true;
  if (t.slot < 0 || !rules.repairIntent) return false;
  return w.intentWord[t.slot] !== 0 || w.load(w.inFlightHeaderWord(t.slot)) !== 0;
}

/** Puts right what this thread's last call left. */
function* repairCut(w: World, t: Thread): Step<void> {
  t.handling++;
  const { marks, slot } = t;
  // What is found may be an intent alone, and this takes locks.
  if (w.rules.markRepair) marks.section = true;
  // By the words: a lock that was being taken over is in this thread's name already.
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
  // What it had found dead on its way is still to be recovered.
  t.due = true;
}

function* repairSlot(w: World, t: Thread, slot: number): Step<void> {
  if (w.rules.repairIntent && w.intentWord[slot] !== 0) {
    yield* makeRoom(w, t, slot);
    yield* resolveIntent(w, t, slot);
  }
  if (!t.marks.open || !w.rules.repairOpen) return;
  // First: a block whose run is RESERVED is in no queue any more.
  yield* freeOwn(w, t);
  yield* keepOnly(w, t);
  yield* freeOrphans(w, t, slot, new Set(t.quarantine));
}

/** The runs that the slot has RESERVED. */
function* freeOwn(w: World, t: Thread): Step<void> {
  yield* acquire(w, t, PAGE_LOCK);
  yield* freeReserved(w, t.slot);
  yield* release(w, t, PAGE_LOCK);
}

/** Ends an intent that stands, on the way to another one. In a section. */
export function* resolveOwn(w: World, t: Thread): Step<void> {
  yield* makeRoom(w, t, t.slot);
  yield* resolveIntent(w, t, t.slot);
  yield* freeOwn(w, t);
}

/** What the program has freed since the cut lies where room was made before it. */
function* makeRoom(w: World, t: Thread, slot: number): Step<void> {
  if (!w.rules.roomToRepair) return;
  for (let c = 1; c <= CLASS_COUNT; c++) {
    if (cachedBlocks(w.slots[slot], c) >= w.slots[slot].limit[c]) yield* flushDead(w, t, slot, c);
  }
}

/** A block that the cut call was giving back may be in a magazine by now. */
function* keepOnly(w: World, t: Thread): Step<void> {
  const waits = (address: number): boolean => {
    const state = w.state[address];
    const isFreed = stateKind(state) === FREED_BLOCK && stateSlot(state) === t.slot;
    return w.tags[address] !== 0 && isFreed;
  };
  for (const address of t.quarantine) w.waiting[address] = waits(address) ? t.own : 0;
  t.quarantine = t.quarantine.filter(waits);
}

/** Others wait for the lock of an object; whatever it guards is whole, since the intent is resolved. */
function* repairLock(w: World, t: Thread): Step<void> {
  const { lock } = t.marks;
  if (lock !== null && w.rules.repairLock && lock.words[lock.at] === t.own) {
    yield* unlockWord(lock.words, lock.at);
  }
  t.marks.lock = null;
}

/** Chunks without a block are none; contexts that were being made, or had all but ended, end. */
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

/** Nobody else changes what is this thread's. */
function isOwn(w: World, t: Thread, c: number): boolean {
  for (let at = c; ; at = w.contextParent[at]) {
    const state = w.contextState[at];
    if (phaseOf(state) === UNRESOLVED) return contextSlot(state) === t.slot;
    if (phaseOf(state) !== LIVE_CONTEXT) return false;
    if (w.contextParent[at] === 0) return contextSlot(state) === t.slot;
  }
}
