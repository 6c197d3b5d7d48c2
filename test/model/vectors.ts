/**
 * Vectors of the heap: a header, and storage that is placed into the header's data word. As
 * objects/vector.ts.
 *
 * A header that is being made or deleted stands in its thread's nursery word, which is a word like
 * any other to place blocks into. The lock word is its owner's thread word; any thread may grow a
 * vector while it has the lock.
 *
 * I1  Who takes the lock from a dead owner has recovered that owner's slot before: an intent over
 *     the data word is settled.
 * I2  The nursery is given up by the last store of what makes a vector, and taken by the first of
 *     what deletes it.
 * I3  No lock of the heap is asked for but in a section, and no vector's lock in one.
 */

import { section } from './gate.js';
import { replace } from './placement.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import { recover } from './recovery.js';
import { type Thread, waitUntil } from './thread.js';
import { HEADER_CLASS, headerData, headerLock } from './words.js';
import type { World } from './world.js';

/** A vector with storage: its header, or 0 when the heap is full. */
export function* makeVector(w: World, t: Thread, wanted: Wanted): Step<number> {
  const nursery = w.nurseryWord(t.slot);
  yield* emptyNursery(w, t);
  if (!(yield* replace(w, t, nursery, { c: HEADER_CLASS }))) return 0;
  const header = w.load(nursery);
  if (!w.rules.nurseryLast) yield* leaveNursery(w, nursery);
  // An error leaves the header in the nursery, for whatever uses that next.
  if (!(yield* replace(w, t, headerData(header), wanted))) {
    yield* emptyNursery(w, t);
    return 0;
  }
  if (w.rules.nurseryLast) yield* leaveNursery(w, nursery);
  return header;
}

function* leaveNursery(w: World, nursery: number): Step<void> {
  yield 'nursery.clear';
  w.store(nursery, 0);
}

/** Deletes a vector, in which nobody else has the lock. */
export function* deleteVector(w: World, t: Thread, header: number): Step<void> {
  yield* emptyNursery(w, t);
  yield* lockVector(w, t, header);
  yield 'nursery.set';
  w.store(w.nurseryWord(t.slot), header);
  w.vector[header] = 0;
  yield* emptyNursery(w, t);
}

/** Deletes what is in the nursery: storage, then header. What fails stays there for the next time. */
export function* emptyNursery(w: World, t: Thread): Step<void> {
  const nursery = w.nurseryWord(t.slot);
  const header = w.load(nursery);
  if (header === 0) return;
  if (w.rules.storageFirst && w.load(headerData(header)) !== 0) {
    yield* replace(w, t, headerData(header), null);
  }
  yield* replace(w, t, nursery, null);
}

/** Gives a vector other storage, under its lock; false when the heap is full. */
export function* growVector(w: World, t: Thread, header: number, wanted: Wanted): Step<boolean> {
  yield* lockVector(w, t, header);
  try {
    return yield* replace(w, t, headerData(header), wanted);
  } finally {
    yield* unlockVector(w, header);
  }
}

// ---- the lock

export function* lockVector(w: World, t: Thread, header: number): Step<void> {
  const lock = headerLock(header);
  for (;;) {
    yield 'vector.lock';
    const owner = w.data[lock];
    if (owner === 0) {
      w.data[lock] = t.own;
      return;
    }
    const seen = (): boolean => w.data[lock] !== owner || !w.exists(owner);
    yield* waitUntil(t, 'vector.wait', seen);
    if (w.data[lock] !== owner) continue;
    yield 'look.alive';
    if (w.exists(owner)) continue;
    if (w.rules.recoverBeforeTakeover) yield* section(w, t, () => recover(w, t));
    yield 'vector.takeover';
    // Failure: another has taken it over.
    if (w.data[lock] !== owner) continue;
    w.data[lock] = t.own;
    return;
  }
}

export function* unlockVector(w: World, header: number): Step<void> {
  yield 'vector.unlock';
  w.data[headerLock(header)] = 0;
}
