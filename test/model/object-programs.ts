/**
 * Programs that use contexts, vectors and plain words, with books of these.
 *
 * I1  A context is in the books from the store that makes it LIVE until its record is free, or it
 *     is RELEASED; a vector until its header is in an in-flight header.
 * I2  Programs use a context in its owner's thread, and a vector until one of them deletes it.
 */

import {
  adoptContext,
  chunksOf,
  createContext,
  dropChunk,
  endContext,
  releaseContext,
  resetContext,
  setParent,
  takeChunk,
} from './contexts.js';
import { changing, repairIfCut } from './cuts.js';
import { finishIntent, ownedSize, replace } from './owned-blocks.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import { leave } from './records.js';
import type { Thread } from './thread.js';
import { deleteVector, emptyInFlightHeader, growVector, makeVector } from './vectors.js';
import { contextGeneration, contextSlot, LIVE_CONTEXT, phaseOf, RELEASED } from './words.js';
import type { World } from './world.js';

/** A vector in the books, and one whose deletion has begun. */
export const KNOWN_VECTOR = 1;
const DOOMED_VECTOR = 2;

// ---- Contexts

/**
 * True if a context has ended: one whose end was cut ends in the repair. Calls on it are refused.
 */
function* isGone(w: World, t: Thread, c: number): Step<boolean> {
  if (!t.mayBeCut) return false;
  yield* repairIfCut(w, t, false);
  return w.contextHolder[c] !== t.own;
}

export function* doCreate(w: World, t: Thread, parent = 0): Step<number> {
  if (parent !== 0 && (yield* isGone(w, t, parent))) return 0;
  const c = yield* changing(w, t, () => createContext(w, t, parent));
  if (c === 0) return 0;
  const holder = w.contextHolder[c];
  if (holder !== 0 && w.isRunning(holder)) w.fail(`context ${c} of ${holder} is made again`);
  w.contextHolder[c] = t.own;
  w.contextName[c] = w.nextContent();
  return c;
}

export function* doChunk(w: World, t: Thread, c: number, wanted: Wanted): Step<number> {
  if (yield* isGone(w, t, c)) return 0;
  const chunk = yield* changing(w, t, () => takeChunk(w, t, c, wanted));
  if (chunk === 0) return 0;
  const address = w.load(w.chunkWord(chunk));
  w.chunkContent[chunk] = w.nextContent();
  w.data.fill(w.chunkContent[chunk], address, address + ownedSize(w, address));
  return chunk;
}

export function* doDrop(w: World, t: Thread, chunk: number): Step<void> {
  const content = w.chunkContent[chunk];
  if (yield* isGone(w, t, w.chunkContext[chunk])) return;
  // A chunk whose removal was cut goes in the repair, and its record may be another chunk's by now.
  if (w.chunkContent[chunk] !== content) return;
  checkChunk(w, chunk);
  yield* changing(w, t, () => dropChunk(w, t, chunk));
}

export function* doReset(w: World, t: Thread, c: number): Step<void> {
  if (yield* isGone(w, t, c)) return;
  for (const chunk of chunksOf(w, c)) checkChunk(w, chunk);
  yield* changing(w, t, () => resetContext(w, t, c));
}

export function* doEnd(w: World, t: Thread, c: number): Step<void> {
  if (yield* isGone(w, t, c)) return;
  yield* changing(w, t, () => endContext(w, t, c));
}

export function* doRelease(w: World, t: Thread, c: number): Step<void> {
  if (yield* isGone(w, t, c)) return;
  yield* changing(w, t, () => releaseContext(w, t, c));
  setHolders(w, c, 0);
}

export function* doAdopt(w: World, t: Thread, c: number): Step<boolean> {
  const name = w.contextName[c];
  const generation = contextGeneration(w.contextState[c]);
  if (!(yield* changing(w, t, () => adoptContext(w, t, c, generation)))) return false;
  const holder = w.contextHolder[c];
  if (holder !== 0 && w.isRunning(holder)) w.fail(`context ${c} has two owners`);
  if (w.contextName[c] !== name) w.fail(`context ${c} is not the one that was to be adopted`);
  setHolders(w, c, t.own);
  return true;
}

export function* doReparent(w: World, t: Thread, c: number, parent: number): Step<void> {
  if (yield* isGone(w, t, c)) return;
  if (parent !== 0 && (yield* isGone(w, t, parent))) return;
  yield* changing(w, t, () => setParent(w, t, c, parent));
}

/** Sets the holder of all contexts whose parents lead to `root`. */
function setHolders(w: World, root: number, holder: number): void {
  for (let c = 1; c < w.contextState.length; c++) {
    if (w.contextState[c] !== 0 && rootOf(w, c) === root) w.contextHolder[c] = holder;
  }
}

/** The root of a context; 0 = its parents are a cycle. */
export function rootOf(w: World, c: number): number {
  let at = c;
  for (let depth = 0; depth < w.contextState.length; depth++) {
    if (w.contextParent[at] === 0) return at;
    at = w.contextParent[at];
  }
  return 0;
}

export function checkChunk(w: World, chunk: number): void {
  const content = w.chunkContent[chunk];
  const address = w.load(w.chunkWord(chunk));
  if (content === 0 || address === 0) return;
  const data = w.data.subarray(address, address + ownedSize(w, address));
  if (data.some((word) => word !== content)) {
    w.fail(`the content of chunk ${chunk} is not what was written there`);
  }
}

// ---- Vectors and plain words

export function* doMakeVector(w: World, t: Thread, wanted: Wanted): Step<number> {
  yield* repairIfCut(w, t, false);
  const header = yield* makeVector(w, t, wanted);
  if (header !== 0) w.vector[header] = KNOWN_VECTOR;
  return header;
}

export function* doDeleteVector(w: World, t: Thread, header: number): Step<void> {
  w.vector[header] = DOOMED_VECTOR;
  try {
    yield* deleteVector(w, t, header);
  } catch (error) {
    // Before the placement's commit the vector belongs to its caller.
    if (w.vector[header] === DOOMED_VECTOR) w.vector[header] = KNOWN_VECTOR;
    throw error;
  }
}

export function* doGrow(w: World, t: Thread, header: number, wanted: Wanted): Step<void> {
  t.using = header;
  try {
    yield* growVector(w, t, header, wanted);
  } finally {
    t.using = 0;
  }
}

export function* doPlace(w: World, t: Thread, root: number, wanted: Wanted | null): Step<void> {
  const word = w.rootWord(root);
  const before = w.load(word);
  try {
    yield* replace(w, t, word, wanted);
  } catch (error) {
    if (w.load(word) !== before) w.fail(`a placement threw, and word ${root} is changed`);
    throw error;
  }
}

// ---- Leaving

/** Ends the thread's own objects, and detaches. After an error the thread is still attached. */
export function* leaveAll(w: World, t: Thread): Step<void> {
  yield* repairIfCut(w, t, false);
  for (const c of rootsOf(w, t)) yield* changing(w, t, () => endContext(w, t, c));
  yield* emptyInFlightHeader(w, t);
  yield* finishIntent(w, t);
  yield* leave(w, t);
}

function rootsOf(w: World, t: Thread): number[] {
  return [...w.contextState.keys()].filter((c) => {
    const state = w.contextState[c];
    if (phaseOf(state) !== LIVE_CONTEXT || w.contextParent[c] !== 0) return false;
    return contextSlot(state) === t.slot;
  });
}

/** Ends all objects that are left, by the last thread. */
export function* emptyObjects(w: World, t: Thread): Step<void> {
  for (let c = 1; c < w.contextState.length; c++) {
    if (phaseOf(w.contextState[c]) === RELEASED) yield* doAdopt(w, t, c);
  }
  for (let header = 0; header < w.vector.length; header++) {
    if (w.vector[header] !== 0) yield* doDeleteVector(w, t, header);
  }
  for (let root = 0; root < (w.shape.roots ?? 0); root++) yield* doPlace(w, t, root, null);
}
