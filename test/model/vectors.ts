/**
 * Vectors of the heap: a header, and storage that is placed into the header's data word. As
 * collections/vector.ts.
 *
 * The header of a vector that is being made or deleted is in its thread's in-flight header, a word
 * that takes blocks like any other. Any thread may grow a vector while it owns the vector's lock.
 *
 * I1  The last store of making a vector clears the in-flight header, and the first store of
 *     deleting one sets it.
 */

import { replace } from './owned-blocks.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import type { Thread } from './thread.js';
import { lockWord, unlockOwn } from './word-locks.js';
import { HEADER_CLASS, headerData, headerLock } from './words.js';
import type { World } from './world.js';

/** Makes a vector with storage; returns its header, 0 = the heap is full. */
export function* makeVector(w: World, t: Thread, wanted: Wanted): Step<number> {
  const inFlightHeader = w.inFlightHeaderWord(t.slot);
  yield* emptyInFlightHeader(w, t);
  if (!(yield* replace(w, t, inFlightHeader, { c: HEADER_CLASS }))) return 0;
  const header = w.load(inFlightHeader);
  if (!w.rules.inFlightHeaderLast) yield* leaveInFlightHeader(w, inFlightHeader);
  // An error leaves the header in the in-flight header, for the next use of it.
  if (!(yield* replace(w, t, headerData(header), wanted))) {
    yield* emptyInFlightHeader(w, t);
    return 0;
  }
  if (w.rules.inFlightHeaderLast) yield* leaveInFlightHeader(w, inFlightHeader);
  return header;
}

function* leaveInFlightHeader(w: World, inFlightHeader: number): Step<void> {
  yield 'inflight.clear';
  w.store(inFlightHeader, 0);
}

/** Deletes a vector whose lock no other thread owns. */
export function* deleteVector(w: World, t: Thread, header: number): Step<void> {
  yield* emptyInFlightHeader(w, t);
  yield* lockWord(w, t, headerLock(header));
  yield 'inflight.set';
  w.store(w.inFlightHeaderWord(t.slot), header);
  w.vector[header] = 0;
  yield* emptyInFlightHeader(w, t);
  // The lock has ended with the header.
  t.marks.lock = 0;
}

/**
 * Deletes the vector in the in-flight header: storage, then header. After an error the rest stays
 * there.
 */
export function* emptyInFlightHeader(w: World, t: Thread): Step<void> {
  const inFlightHeader = w.inFlightHeaderWord(t.slot);
  const header = w.load(inFlightHeader);
  if (header === 0) return;
  if (w.rules.storageFirst && w.load(headerData(header)) !== 0) {
    yield* replace(w, t, headerData(header), null);
  }
  yield* replace(w, t, inFlightHeader, null);
}

/** Gives a vector another storage, under its lock; returns false if the heap is full. */
export function* growVector(w: World, t: Thread, header: number, wanted: Wanted): Step<boolean> {
  yield* lockWord(w, t, headerLock(header));
  try {
    return yield* replace(w, t, headerData(header), wanted);
  } finally {
    yield* unlockOwn(w, t, headerLock(header));
  }
}
