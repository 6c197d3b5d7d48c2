/**
 * Recovery of a dead slot's contexts and in-flight header. As recovery/reclaim-objects.ts.
 *
 * Run by recovery.ts, under the recovery lock, after the slot's intent is resolved. A rescuer may
 * die at any step: the next one finds everything in the records again.
 *
 * I1  A record's parent is read before its state: when a child becomes a root, its owner's slot is
 *     in its state before its parent is 0.
 * I2  The deepest context ends first: while it has a parent, its root names its owner.
 */

import { chunksOf, freeChunk, freeRecord } from './contexts.js';
import type { Step } from './points.js';
import { takeOut } from './resolve-intent.js';
import type { Thread } from './thread.js';
import { contextSlot, headerData, LIVE_CONTEXT, phaseOf, UNRESOLVED } from './words.js';
import type { World } from './world.js';

/** Maximum length of a chain of parents; a longer one is a cycle, or was changed on the way. */
const DEPTH_MAX = 8;

/** Ends all contexts of a dead slot. */
export function* endContexts(w: World, t: Thread, s: number): Step<void> {
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
      if (!w.rules.chunkLast) yield* freeChunk(w, chunk);
      yield* takeOut(w, t, s, w.chunkWord(chunk));
      if (w.rules.chunkLast) yield* freeChunk(w, chunk);
    }
    if (w.rules.chunksFirst) yield* freeRecord(w, s, c);
  }
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
