/**
 * Random calls of programs that use contexts and vectors. See schedule.ts.
 */

import { chunksOf } from './contexts.js';
import {
  doAdopt,
  doChunk,
  doCreate,
  doDeleteVector,
  doDrop,
  doEnd,
  doGrow,
  doMakeVector,
  doRelease,
  doReparent,
  doReset,
  KNOWN_VECTOR,
  rootOf,
} from './object-programs.js';
import type { Step } from './points.js';
import type { Random } from './random.js';
import type { Wanted } from './realloc.js';
import type { Thread } from './thread.js';
import { CLASS_COUNT, phaseOf, RELEASED } from './words.js';
import type { World } from './world.js';

/** One random call. `threads` are all threads, since a vector that one of them uses is not deleted. */
export function* callObjects(
  w: World,
  t: Thread,
  random: Random,
  threads: readonly Thread[],
): Step<void> {
  const dice = random.below(10);
  if (dice < 7) yield* callContext(w, t, random, dice);
  else yield* callVector(w, t, random, threads);
}

function* callContext(w: World, t: Thread, random: Random, dice: number): Step<void> {
  const own = [...w.contextHolder.keys()].filter((c) => w.contextHolder[c] === t.own);
  if (own.length === 0) {
    const released = [...w.contextState.keys()].filter(
      (c) => phaseOf(w.contextState[c]) === RELEASED,
    );
    if (released.length > 0 && random.chance(0.7)) yield* doAdopt(w, t, random.pick(released));
    else yield* doCreate(w, t);
    return;
  }
  const c = random.pick(own);
  // Programs know only chunks that they were handed: one whose making was cut has no content.
  const chunks = chunksOf(w, c).filter((chunk) => w.chunkContent[chunk] !== 0);
  if (dice < 3) yield* doChunk(w, t, c, randomSize(random));
  else if (dice < 4) yield* doCreate(w, t, random.chance(0.7) ? c : 0);
  else if (dice < 5 && chunks.length > 0) yield* doDrop(w, t, random.pick(chunks));
  else yield* callTree(w, t, random, c, own);
}

function* callTree(
  w: World,
  t: Thread,
  random: Random,
  c: number,
  own: readonly number[],
): Step<void> {
  switch (random.below(4)) {
    case 0:
      yield* doRelease(w, t, c);
      break;
    case 1:
      yield* doReparent(w, t, c, randomParent(w, c, own, random));
      break;
    case 2:
      yield* doReset(w, t, c);
      break;
    default:
      yield* doEnd(w, t, c);
  }
}

/** 0, or one of the thread's contexts that is not below the context. */
function randomParent(w: World, c: number, own: readonly number[], random: Random): number {
  const other = random.pick(own);
  return rootOf(w, other) === rootOf(w, c) ? 0 : other;
}

function* callVector(w: World, t: Thread, random: Random, threads: readonly Thread[]): Step<void> {
  const known = [...w.vector.keys()].filter((at) => w.vector[at] === KNOWN_VECTOR);
  if (known.length === 0 || random.chance(0.2)) {
    yield* doMakeVector(w, t, randomSize(random));
    return;
  }
  const header = random.pick(known);
  const inUse = threads.some((x) => !x.over && x.using === header);
  if (random.chance(0.7)) yield* doGrow(w, t, header, randomSize(random));
  else if (!inUse) yield* doDeleteVector(w, t, header);
}

const randomSize = (random: Random): Wanted =>
  random.chance(0.6) ? { c: 1 + random.below(CLASS_COUNT) } : { pages: 1 + random.below(2) };
