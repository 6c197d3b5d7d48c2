/**
 * What recovery makes of a dead slot's contexts and in-flight header. As recovery/reclaim-objects.ts.
 *
 * Run by recovery.ts, under the recovery lock, after the slot's intent is resolved. A rescuer may die
 * at any step of it: all is found anew from the records.
 *
 * I1  Of a record its parent is read before its state: a child that becomes a root has its owner's
 *     slot in the state before its parent is 0.
 * I2  The deepest context is ended first: as long as there is a child, its root tells whose it is.
 * I3  A chunk that any thread may grow is taken out with its lock held. Recovery does not wait for
 *     that: its slot stays as it is, with nothing lost, until nobody living has the lock.
 */

import { chunksOf, freeChunk, freeRecord } from './contexts.js';
import type { Step } from './points.js';
import { resolveIntent, takeOut } from './resolve-intent.js';
import type { Thread } from './thread.js';
import { unlockWord } from './word-locks.js';
import { contextSlot, headerData, isShared, LIVE_CONTEXT, phaseOf, UNRESOLVED } from './words.js';
import type { World } from './world.js';

/** A chain of parents that is longer than this is a cycle, or was changed on the way. */
const DEPTH_MAX = 8;

/**
 * Ends all contexts of a dead slot; false when a living thread has a chunk of them locked, so that
 * another recovery must go on with it.
 */
export function* endContexts(w: World, t: Thread, s: number): Step<boolean> {
  const owned: { c: number; depth: number }[] = [];
  for (let c = 1; c < w.contextState.length; c++) {
    if (w.contextState[c] === 0) continue;
    const depth = yield* depthIn(w, c, s);
    if (depth >= 0) owned.push({ c, depth });
  }
  const sign = w.rules.childrenFirst ? 1 : -1;
  owned.sort((a, b) => sign * (b.depth - a.depth));
  for (const { c } of owned) {
    if (!w.rules.chunksFirst) yield* freeRecord(w, s, c);
    for (const chunk of chunksOf(w, c)) {
      const shared = isShared(w.chunkKind[chunk]) && w.rules.lockShared;
      if (shared && !(yield* tryLock(w, t, s, chunk))) return false;
      if (!w.rules.chunkLast) yield* freeChunk(w, chunk);
      yield* takeOut(w, t, s, w.chunkWord(chunk));
      if (w.rules.chunkLast) yield* freeChunk(w, chunk);
      if (shared) yield* unlockWord(w.chunkLock, chunk);
    }
    if (w.rules.chunksFirst) yield* freeRecord(w, s, c);
  }
  return true;
}

/**
 * Takes the lock of a shared chunk, unless a living thread has it: in the dead owner's name, so that
 * a rescuer that fails leaves a lock for which the next who waits goes on with the recovery.
 */
function* tryLock(w: World, t: Thread, s: number, chunk: number): Step<boolean> {
  const name = w.rules.lockInDeadName ? w.claim[s] : t.own;
  yield 'word.lock';
  const owner = w.chunkLock[chunk];
  if (owner !== 0 && owner !== w.claim[s]) {
    yield 'look.alive';
    if (w.exists(owner)) return false;
    // What it was placing there is resolved before another changes the word.
    const slot = w.claim.indexOf(owner);
    if (slot >= 0 && w.rules.resolveHolder) yield* resolveIntent(w, t, slot);
    yield 'word.takeover';
  }
  // Failure: another was quicker, and lives.
  if (w.chunkLock[chunk] !== owner) return false;
  w.chunkLock[chunk] = name;
  return true;
}

/** How deep a context of a slot is below its root; -1: it is not of that slot. */
function* depthIn(w: World, c: number, s: number): Step<number> {
  for (let at = c, depth = 0; depth < DEPTH_MAX; depth++) {
    const first = w.rules.parentThenState ? w.contextParent[at] : w.contextState[at];
    yield 'context.look';
    const state = w.rules.parentThenState ? w.contextState[at] : first;
    const parent = w.rules.parentThenState ? first : w.contextParent[at];
    const phase = phaseOf(state);
    if (phase === UNRESOLVED) return contextSlot(state) === s ? depth : -1;
    if (phase !== LIVE_CONTEXT) return -1;
    if (parent === 0 || !w.rules.ownerByRoot) return contextSlot(state) === s ? depth : -1;
    at = parent;
  }
  return -1;
}

/** Deletes the vector whose header is in the in-flight header of a dead slot: storage first, then header. */
export function* clearInFlightHeader(w: World, t: Thread, s: number): Step<void> {
  const inFlightHeader = w.inFlightHeaderWord(s);
  const header = w.load(inFlightHeader);
  if (header === 0) return;
  if (w.rules.storageFirst) yield* takeOut(w, t, s, headerData(header));
  yield* takeOut(w, t, s, inFlightHeader);
}
