/**
 * The parts of the two threads of an interleaving. object-parts.ts has those with contexts and
 * vectors.
 */

import { ADOPTION, CHUNKS, GROWTH, OBJECTS } from './object-parts.js';
import type { Call, Casualty, Script } from './script.js';
import type { Shape } from './world.js';

/** One thread's part: it prepares alone, and then runs beside the other. */
export interface Part {
  readonly name: string;
  readonly casualty?: Casualty;
  readonly prepare?: Script;
  readonly run: Script;
  /** Run by the main thread first; both threads can use what it names. */
  readonly main?: Script;
  /** A thread that runs before the two, and dies. */
  readonly before?: Casualty;
}

const SHARED = 'shared';
const GIVE_SHARED: Script = [{ call: 'malloc', c: 1, as: SHARED }];

const three = (c: number): Script => ['a', 'b', 'c'].map((as) => ({ call: 'malloc', c, as }));
const freeThree: Script = ['a', 'b', 'c'].map((block) => ({ call: 'free', block }));

const PARTS: readonly Part[] = [
  { name: 'malloc of class 1', run: [{ call: 'malloc', c: 1 }] },
  { name: 'malloc of class 2', run: [{ call: 'malloc', c: 2 }] },
  { name: 'frees of class 1', prepare: three(1), run: freeThree },
  { name: 'frees of class 2', prepare: three(2), run: freeThree },
  { name: 'large malloc', run: [{ call: 'large', pages: 1 }] },
  { name: 'direct malloc', run: [{ call: 'large', pages: 3, place: 'top' }] },
  {
    name: 'aligned malloc',
    prepare: [
      { call: 'large', pages: 3, as: 'a' },
      { call: 'free', block: 'a' },
    ],
    run: [{ call: 'large', pages: 1, align: 2 }],
  },
  {
    name: 'large free',
    prepare: [
      { call: 'large', pages: 1, as: 'z' },
      { call: 'large', pages: 1, as: 'a' },
      { call: 'free', block: 'z' },
    ],
    run: [{ call: 'free', block: 'a' }],
  },
  {
    name: 'realloc in place',
    prepare: [
      { call: 'large', pages: 1, as: 'a' },
      { call: 'large', pages: 1, as: 'z' },
      { call: 'large', pages: 1 },
      { call: 'free', block: 'z' },
    ],
    run: [{ call: 'realloc', block: 'a', pages: 2 }],
  },
  {
    name: 'realloc that moves',
    prepare: [{ call: 'malloc', c: 1, as: 'a' }],
    run: [{ call: 'realloc', block: 'a', pages: 1 }],
  },
  {
    name: 'recovery',
    casualty: { script: [...three(1), ...freeThree], killedAt: 'transit.close' },
    run: [{ call: 'recover' }],
  },
  {
    name: 'detach and attach',
    prepare: [
      { call: 'malloc', c: 1, as: 'a' },
      { call: 'free', block: 'a' },
    ],
    run: [{ call: 'detach' }, { call: 'attach' }],
  },
  { name: 'verify', run: [{ call: 'verify' }] },
];

const freeShared: Call = { call: 'free', block: SHARED, shared: true };

/** Parts for instrumented heaps. */
const RECORD_PARTS: readonly Part[] = [
  {
    name: 'malloc of used blocks',
    prepare: [...three(1), ...freeThree],
    run: [{ call: 'malloc', c: 1 }],
  },
  { name: 'frees of class 1', prepare: three(1), run: freeThree },
  { name: 'large malloc', run: [{ call: 'large', pages: 1 }] },
  { name: 'large free', prepare: [{ call: 'large', pages: 1, as: 'a' }], run: freeThree },
  {
    name: 'realloc',
    prepare: [{ call: 'malloc', c: 1, as: 'a' }],
    run: [{ call: 'realloc', block: 'a', pages: 1 }],
  },
  {
    name: 'recovery',
    casualty: {
      script: [...three(1), ...freeThree, ...three(1)],
      killedAt: 'debug.live',
      passage: 4,
    },
    run: [{ call: 'recover' }],
  },
  { name: 'detach', prepare: [...three(1), ...freeThree], run: [{ call: 'detach' }] },
  { name: 'free of a shared block', main: GIVE_SHARED, run: [freeShared, { call: 'detach' }] },
];

/** Parts that are paired with each other. */
export interface PartSet {
  readonly parts: readonly Part[];
  readonly shape: Shape;
}

const SHAPE: Shape = { pages: 14, slots: 6, limitStart: 1, limitMax: 2 };

/** Two threads that free the same block: a program's mistake, which a strict claim detects. */
export const DOUBLE_FREES: PartSet = {
  parts: RECORD_PARTS.filter(({ main }) => main === GIVE_SHARED),
  shape: { ...SHAPE, quarantine: 0 },
};

export const OBJECT_SETS: readonly PartSet[] = [ADOPTION, CHUNKS, GROWTH].map((parts) => ({
  parts,
  shape: OBJECTS,
}));

export const PART_SETS: readonly PartSet[] = [
  { parts: PARTS, shape: SHAPE },
  { parts: RECORD_PARTS, shape: { ...SHAPE, quarantine: 0 } },
  { parts: RECORD_PARTS, shape: { ...SHAPE, quarantine: 1 } },
  ...OBJECT_SETS,
];
