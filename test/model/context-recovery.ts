/**
 * Recovery of a dead slot's contexts and in-flight header. As recovery/reclaim-objects.ts.
 *
 * Run by recovery.ts, under the recovery lock, after the slot's intent is resolved. A rescuer may
 * die at any step: the next one finds everything in the records again.
 *
 * I1  A record's parent is read before its state: when a child becomes a root, its owner's slot is
 *     in its state before its parent is 0.
 * I2  The deepest context ends first: while it has a parent, its root names its owner.
 * I3  A chunk that any thread may grow is removed only with its lock. Recovery does not wait for
 *     the lock: the slot stays as it is, with nothing lost, until no living thread owns the lock.
 */

import { chunksOf, freeChunk, freeRecord } from './contexts.js';
import type { Step } from './points.js';
import { resolveIntent, takeOut } from './resolve-intent.js';
import type { Thread } from './thread.js';
import { unlockWord } from './word-locks.js';
import { contextSlot, headerData, isShared, LIVE_CONTEXT, phaseOf, UNRESOLVED } from './words.js';
import type { World } from './world.js';

/** Maximum length of a chain of parents; a longer one is a cycle, or was changed on the way. */
const DEPTH_MAX = 8;

/**
 * Ends all contexts of a dead slot; returns false if a living thread has a chunk of them locked, so
 * that another recovery must continue.
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
 * Acquires the lock of a shared chunk for the dead owner, unless a living thread owns it: if the
 * rescuer fails, the next waiter for the lock continues the recovery.
 */
function* tryLock(w: World, t: Thread, s: number, chunk: number): Step<boolean> {
  const name = w.rules.lockInDeadName ? w.claim[s] : t.own;
  yield 'word.lock';
  const owner = w.chunkLock[chunk];
  if (owner !== 0 && owner !== w.claim[s]) {
    yield 'look.alive';
    if (w.exists(owner)) return false;
    // The holder's placement in the chunk is resolved before another thread changes the word.
    const slot = w.claim.indexOf(owner);
    if (slot >= 0 && w.rules.resolveHolder) yield* resolveIntent(w, t, slot);
    yield 'word.takeover';
  }
  // On failure another living thread was faster.
  if (w.chunkLock[chunk] !== owner) return false;
  w.chunkLock[chunk] = name;
  return true;
}

/** Depth of a context of a slot below its root; -1 = it does not belong to the slot. */
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

/** Deletes the vector in the in-flight header of a dead slot: storage first, then header. */
export function* clearInFlightHeader(w: World, t: Thread, s: number): Step<void> {
  const inFlightHeader = w.inFlightHeaderWord(s);
  const header = w.load(inFlightHeader);
  if (header === 0) return;
  if (w.rules.storageFirst) yield* takeOut(w, t, s, headerData(header));
  yield* takeOut(w, t, s, inFlightHeader);
}
