/**
 * Sections: every slow path runs in one, which handles errors.
 *
 * A section probes the stack before anything is changed. An error inside is repaired before it
 * leaves the section; after a free's commit it does not leave, since the block is gone and the
 * caller could only free it twice.
 *
 * I1  An error that leaves a section leaves nothing behind: no lock, no RESERVED run, no transit.
 * I2  A section that has committed a free does not throw.
 */

import { repairIfCut } from './cuts.js';
import { acquire, release, repairHeld } from './locks.js';
import { giveRun } from './pages.js';
import type { Step } from './points.js';
import type { Thread } from './thread.js';
import { kindOf, ownerOf, PAGE_GRANULES, PAGE_LOCK, RECOVERY_LOCK, RESERVED } from './words.js';
import { INTERRUPT, type World } from './world.js';

/**
 * Runs `body` as a section, or as a part of the section that the thread is in.
 * @param nested true in the middle of a change of an object
 */
export function* section<R>(w: World, t: Thread, body: () => Step<R>, nested = false): Step<R> {
  if (t.sections > 0) return yield* body();
  yield* repairIfCut(w, t, nested);
  if (w.rules.headroom) yield 'probe';
  t.sections++;
  t.marks.section = true;
  let result: R;
  try {
    result = yield* body();
  } catch (error) {
    if (error === INTERRUPT) {
      // The caller will get the error, so nothing may be committed any more.
      t.keep = 0;
      yield* selfRepair(w, t);
    }
    t.sections--;
    t.marks.section = false;
    t.marks.run = false;
    throw error;
  }
  t.sections--;
  t.marks.section = false;
  return result;
}

/** Runs the part of a free after its commit: an error is repaired, not thrown. */
export function* afterCommit(w: World, t: Thread, body: () => Step<void>): Step<void> {
  try {
    yield* body();
  } catch (error) {
    if (error !== INTERRUPT || !w.rules.silentAfterCommit) throw error;
    yield* selfRepair(w, t);
  }
}

/** Repairs what an error left half done, in the same thread. */
export function* selfRepair(w: World, t: Thread): Step<void> {
  if (w.rules.selfRepair) {
    t.handling++;
    yield* repairHeld(w, t);
    if (w.rules.selfFree && t.slot >= 0) {
      yield* acquire(w, t, PAGE_LOCK);
      if (w.rules.forgetRetracted) yield* forgetRetracted(w, t.slot);
      yield* freeReserved(w, t.slot, w.rules.keepTarget ? t.keep : 0);
      yield* release(w, t, PAGE_LOCK);
    }
    if (t.held.includes(RECOVERY_LOCK)) yield* release(w, t, RECOVERY_LOCK);
    t.handling--;
  }
  if (w.lockOwner.includes(t.own)) w.fail(`living thread ${t.own} left a lock behind`);
}

/** Closes an intent: a run that an open intent names must not be freed. */
function* forgetRetracted(w: World, slot: number): Step<void> {
  if (w.intentWord[slot] === 0) return;
  const word = w.run[w.intentOut[slot] / PAGE_GRANULES];
  if (kindOf(word) !== RESERVED || ownerOf(word) !== slot) return;
  yield 'place.done';
  w.intentWord[slot] = 0;
}

/** Frees the runs that a slot has RESERVED, except `keep`. Needs the page lock. */
export function* freeReserved(w: World, slot: number, keep = 0): Step<void> {
  for (;;) {
    const isReserved = (page: number): boolean =>
      kindOf(w.run[page]) === RESERVED && ownerOf(w.run[page]) === slot && page !== keep;
    const page = w.rules.walkForReserved
      ? w.walk().find(isReserved)
      : Array.from(w.run.keys()).find((at) => at >= 1 && at <= w.lastPage && isReserved(at));
    if (page === undefined) return;
    yield 'recover.tag';
    w.tags[page * PAGE_GRANULES] = 0;
    yield* giveRun(w, page);
  }
}
