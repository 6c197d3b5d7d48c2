/**
 * Contexts: records of contexts and of their chunks, taken by compare-and-swap, in tables apart
 * from the data. As contexts/context.ts. Owner thread only, except adopt.
 *
 * The owner of a context is the slot in its state while the state is UNRESOLVED, or LIVE without a
 * parent; a LIVE child has the owner of its root; a RELEASED root has none. context-recovery.ts has
 * the recovery.
 *
 * I1  A record is taken from 0 and free again when it is 0: there is no list of free records to
 *     break.
 * I2  Children end before their parents, chunks before their context.
 * I3  A chunk belongs to its context from before its block is placed until after it is given back.
 * I4  All steps that may fail come before the record is UNRESOLVED: a context that did not end is
 *     LIVE.
 */

import { replace } from './owned-blocks.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import type { Thread } from './thread.js';
import {
  contextGeneration,
  contextState,
  LIVE_CONTEXT,
  phaseOf,
  RELEASED,
  UNRESOLVED,
} from './words.js';
import type { World } from './world.js';

// ---- Create and end

/** The record of a new context; 0 = all are taken. */
export function* createContext(w: World, t: Thread, parent: number): Step<number> {
  for (let c = 1; c < w.contextState.length; c++) {
    if (w.contextState[c] !== 0) continue;
    yield 'context.claim';
    // On failure another thread was faster.
    if (w.contextState[c] !== 0) continue;
    w.contextState[c] = contextState(UNRESOLVED, t.slot, 0);
    yield 'context.parent';
    w.contextParent[c] = parent;
    yield 'context.live';
    w.contextState[c] = contextState(LIVE_CONTEXT, t.slot, w.contextGeneration[c]);
    return c;
  }
  return 0;
}

/** Ends a context with all contexts below it. After an error the remaining ones are LIVE. */
export function* endContext(w: World, t: Thread, c: number): Step<void> {
  for (const child of childrenOf(w, c)) yield* endContext(w, t, child);
  for (const chunk of chunksOf(w, c)) yield* dropChunk(w, t, chunk);
  yield* freeRecord(w, t.slot, c);
}

/** Frees a context's record for slot `s`, which is a dead slot in recovery. */
export function* freeRecord(w: World, s: number, c: number): Step<void> {
  const holder = w.contextHolder[c];
  if (holder !== 0 && w.isRunning(holder) && w.claim[s] !== holder) {
    w.fail(`context ${c} of living ${holder} is ended`);
  }
  if (w.rules.dyingFirst) yield* markDying(w, s, c);
  yield 'context.parent';
  w.contextParent[c] = 0;
  if (!w.rules.dyingFirst) yield* markDying(w, s, c);
  yield 'context.generation';
  w.contextGeneration[c]++;
  yield 'context.free';
  w.contextState[c] = 0;
  w.contextHolder[c] = 0;
}

/**
 * Marks the context UNRESOLVED. A child's state may name any slot: it counts once it has no parent.
 */
function* markDying(w: World, s: number, c: number): Step<void> {
  yield 'context.dying';
  w.contextState[c] = contextState(UNRESOLVED, s, 0);
}

/** The children of a context in the owner's lists, which are derived. */
export function childrenOf(w: World, c: number): number[] {
  return recordsOf(w.contextParent, c).filter((child) => w.contextState[child] !== 0);
}

export const chunksOf = (w: World, c: number): number[] => recordsOf(w.chunkContext, c);

function recordsOf(of: Int32Array, c: number): number[] {
  return [...of.keys()].filter((record) => of[record] === c && record !== 0);
}

// ---- chunks

/** The record of a new chunk; 0 when all are taken, or the heap is full. */
export function* takeChunk(w: World, t: Thread, c: number, wanted: Wanted): Step<number> {
  for (let chunk = 1; chunk < w.chunkContext.length; chunk++) {
    if (w.chunkContext[chunk] !== 0) continue;
    if (!w.rules.chunkFirst) {
      if (!(yield* replace(w, t, w.chunkWord(chunk), wanted))) return 0;
      yield* claimChunk(w, chunk, c);
      return chunk;
    }
    if (!(yield* claimChunk(w, chunk, c))) continue;
    try {
      if (yield* replace(w, t, w.chunkWord(chunk), wanted)) return chunk;
    } catch (error) {
      yield* freeChunk(w, chunk);
      throw error;
    }
    yield* freeChunk(w, chunk);
    return 0;
  }
  return 0;
}

function* claimChunk(w: World, chunk: number, c: number): Step<boolean> {
  yield 'chunk.claim';
  // On failure another thread was faster.
  if (w.chunkContext[chunk] !== 0) return false;
  w.chunkContext[chunk] = c;
  return true;
}

export function* dropChunk(w: World, t: Thread, chunk: number): Step<void> {
  if (!w.rules.chunkLast) yield* freeChunk(w, chunk);
  yield* replace(w, t, w.chunkWord(chunk), null);
  if (w.rules.chunkLast) yield* freeChunk(w, chunk);
}

export function* freeChunk(w: World, chunk: number): Step<void> {
  yield 'chunk.free';
  w.chunkContext[chunk] = 0;
  w.chunkContent[chunk] = 0;
}

/** Gives back all chunks except the first. */
export function* resetContext(w: World, t: Thread, c: number): Step<void> {
  for (const chunk of chunksOf(w, c).slice(1)) yield* dropChunk(w, t, chunk);
}

// ---- Owners

/** Releases a root: it has no owner any more. */
export function* releaseContext(w: World, t: Thread, c: number): Step<void> {
  if (w.contextParent[c] !== 0) yield* setParent(w, t, c, 0);
  yield 'context.release';
  w.contextState[c] = contextState(RELEASED, 0, w.contextGeneration[c]);
}

/**
 * Adopts a context; false if it is not RELEASED, has another generation, or another thread was
 * faster.
 */
export function* adoptContext(w: World, t: Thread, c: number, generation: number): Step<boolean> {
  const state = w.contextState[c];
  const { generationInState, adoptSwaps } = w.rules;
  if (phaseOf(state) !== RELEASED || contextGeneration(state) !== generation) return false;
  yield 'context.adopt';
  const now = w.contextState[c];
  // On failure another thread has adopted it; with the generation in the state, also if it has
  // ended.
  if (adoptSwaps && (generationInState ? now !== state : phaseOf(now) !== RELEASED)) return false;
  w.contextState[c] = contextState(LIVE_CONTEXT, t.slot, contextGeneration(now));
  return true;
}

/** Moves a context below another one of the same owner; 0 = it becomes a root. */
export function* setParent(w: World, t: Thread, c: number, parent: number): Step<void> {
  if (parent === 0 && w.rules.parentLast) yield* takeRoot(w, t, c);
  yield 'context.reparent';
  w.contextParent[c] = parent;
  if (parent === 0 && !w.rules.parentLast) yield* takeRoot(w, t, c);
}

function* takeRoot(w: World, t: Thread, c: number): Step<void> {
  yield 'context.root';
  w.contextState[c] = contextState(LIVE_CONTEXT, t.slot, w.contextGeneration[c]);
}
