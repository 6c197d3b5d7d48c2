/**
 * Mutants of placement, contexts and vectors. See mutants.ts.
 */

import { amongst, inCuts, type Mutant, rare } from './mutant.js';
import { ADOPTION, GROWTH, OBJECTS } from './object-parts.js';
import { FREED_BY_THE_DEAD, STANDING_INTENT } from './object-witnesses.js';

const ADOPTING = { parts: ADOPTION, shape: OBJECTS };
const GROWING = { parts: GROWTH, shape: OBJECTS };
export const OBJECT_MUTANTS: readonly Mutant[] = [
  // ---- Placement
  inCuts('the intent comes after the pop', { intentFirst: false }, 'objects: placement'),
  inCuts('the word is written after the intent', { publishInIntent: false }, 'objects: placement'),
  inCuts('the block is committed after the publish', { publishLast: false }, 'objects: chunks'),
  inCuts('a magazine is flushed in an intent', { roomFirst: false }, 'objects: placement: small'),
  inCuts('pages go while an intent stands', { retractFirst: false }, 'objects: placement'),
  rare('OWNED is written after the pop', { ownedAtOnce: false }, FREED_BY_THE_DEAD),
  inCuts('the sweep takes owned blocks', { sweepPrograms: false }, 'objects: instrumented'),
  rare('an intent stands and names its word', { detachIntent: false }, STANDING_INTENT),
  inCuts('a placement throws after its publish', { quietPlacement: false }, 'objects: placement'),
  inCuts(
    'self repair frees a run that an intent names',
    { forgetRetracted: false },
    'objects: placement',
  ),

  // ---- Recovery
  inCuts(
    'an intent is resolved after the dead magazines',
    { resolveFirst: false },
    'objects: placement: small, larger, large, larger, nothing / busy',
    2,
  ),
  inCuts('ended objects stay in dead magazines', { flushObjects: false }, 'objects: chunks'),

  // ---- Contexts
  inCuts('a chunk record is taken last', { chunkFirst: false }, 'objects: chunks'),
  inCuts('a chunk record is freed first', { chunkLast: false }, 'objects: chunks'),
  inCuts(
    'recovery frees a context, then its chunks',
    { chunksFirst: false },
    'objects: chunks, small',
    2,
  ),
  inCuts('recovery ends roots first', { childrenFirst: false }, 'objects: end of a tree', 2),
  inCuts('the state of a child says whose it is', { ownerByRoot: false }, 'objects: adopt'),
  inCuts('a dying child loses its parent first', { dyingFirst: false }, 'objects: adopt'),
  inCuts('a child is a root before it has a slot', { parentLast: false }, 'objects: adopt'),
  amongst('recovery reads a state, then the parent', { parentThenState: false }, ADOPTING),
  amongst('adopt is a look and a store', { adoptSwaps: false }, ADOPTING),
  amongst('adopt compares no generation', { generationInState: false }, ADOPTING),

  // ---- Vectors
  inCuts(
    'a vector leaves the in-flight header half made',
    { inFlightHeaderLast: false },
    'objects: vector',
  ),
  inCuts('recovery frees the header alone', { storageFirst: false }, 'objects: vector'),
  amongst(
    "a vector's lock is taken from a dead thread that is not recovered",
    { recoverBeforeTakeover: false },
    GROWING,
  ),
];
