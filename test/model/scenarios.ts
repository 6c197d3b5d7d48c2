/**
 * Scenarios: the calls of a victim until it is killed, and those of other threads after that.
 *
 * All of it is data, for exhaustive.ts and for tests that run the real allocator in the same way.
 * The order of a scenario: `setup` by the main thread; `prepare` by the victim; a casualty if there
 * is one; `victim` by the victim, cut at some point, then its detach; `rescuer`, a recovery and a
 * detach by a rescuer, cut, too; `after` and a recovery by the main thread. Then all blocks are
 * freed, and the heap must be empty.
 */

import { OBJECT_PARTS } from './object-scenarios.js';
import type { Call, Casualty, Script } from './script.js';
import { SHAPE, type Shape } from './world.js';

export interface Scenario {
  readonly name: string;
  readonly shape: Shape;
  readonly setup: Script;
  readonly casualty: Casualty | null;
  readonly prepare: Script;
  readonly victim: Script;
  readonly rescuer: Script;
  readonly after: Script;
}

/** True if the victim attaches before `prepare`; false if it is cut in its attach. */
export const attachesLate = ({ victim }: Scenario): boolean => victim[0]?.call === 'attach';

type Parts = Partial<Omit<Scenario, 'name' | 'shape'>> & { readonly shape?: Partial<Shape> };

// ---- Short names of calls

const malloc = (c: number, as?: string): Call =>
  as === undefined ? { call: 'malloc', c } : { call: 'malloc', c, as };
const calloc = (c: number): Call => ({ call: 'malloc', c, zero: true });
const large = (pages: number, as?: string): Call =>
  as === undefined ? { call: 'large', pages } : { call: 'large', pages, as };
const direct = (pages: number, as = 'direct', align = 1): Call => ({
  call: 'large',
  pages,
  place: 'top',
  align,
  as,
});
const free = (block: string): Call => ({ call: 'free', block });
const resize = (block: string, pages: number): Call => ({ call: 'realloc', block, pages });
const shrink = (block: string, c: number): Call => ({ call: 'realloc', block, c });
const mallocs = (c: number, ...names: string[]): Call[] => names.map((name) => malloc(c, name));
const frees = (...names: string[]): Call[] => names.map(free);

/** The calls of other threads between the kill and the recovery: every lock is acquired. */
const BUSY: Script = [large(1), malloc(1), malloc(2), large(2)];
const BUSY_TOO: Script = [large(2), { call: 'large', pages: 1, zero: true }, calloc(2), direct(3)];

function scenario(name: string, parts: Parts): Scenario {
  return {
    name,
    setup: [],
    casualty: null,
    prepare: [],
    victim: [],
    rescuer: [],
    after: [],
    ...parts,
    shape: { ...SHAPE, ...parts.shape },
  };
}

/** A scenario alone, and with other threads at work before recovery or with the rescuer. */
function withOthers(name: string, parts: Parts): Scenario[] {
  const plain = scenario(name, parts);
  const larger = { ...plain.shape, pages: plain.shape.pages + 2 };
  return [
    plain,
    { ...plain, name: `${name} / busy`, after: BUSY },
    { ...plain, name: `${name} / busy too`, after: BUSY_TOO, shape: larger },
    { ...plain, name: `${name} / rescuer busy`, rescuer: BUSY, shape: larger },
  ];
}

// ---- Small blocks

const SMALL: Scenario[] = [
  ...withOthers('malloc of class 1 in a fresh heap', { victim: [malloc(1)] }),
  ...withOthers('malloc of class 2 in a fresh heap', { victim: [malloc(2)] }),
  ...withOthers('mallocs that refill again and again', {
    victim: mallocs(1, 'a', 'b', 'c', 'd'),
  }),
  ...withOthers('limits that double to their end', {
    shape: { limitMax: 8, pages: 8 },
    victim: [...mallocs(1, 'a', 'b', 'c', 'd', 'e'), ...frees('a', 'b', 'c')],
  }),
  ...withOthers('calloc of a dirty cached block', {
    prepare: [malloc(2, 'a'), free('a')],
    victim: [calloc(2)],
  }),
  ...withOthers('calloc of a block that a refill brings', {
    prepare: [malloc(2, 'a'), malloc(2, 'b'), ...frees('a', 'b'), malloc(2), malloc(2)],
    victim: [calloc(2)],
  }),
  ...withOthers('frees into the cache, then a flush', {
    prepare: mallocs(1, 'a', 'b', 'c', 'd', 'e'),
    victim: frees('a', 'b', 'c', 'd', 'e'),
  }),
  ...withOthers('flush that releases a span between free runs', {
    shape: { pages: 12 },
    setup: [large(2)],
    prepare: [...mallocs(1, 'a', 'b', 'c'), large(2, 'l'), malloc(2), free('l')],
    victim: frees('a', 'b', 'c'),
  }),
  ...withOthers('realloc between two magazines', {
    shape: { pages: 10 },
    prepare: [...mallocs(1, 'a', 'b'), ...mallocs(2, 'c', 'd'), free('c')],
    victim: [shrink('a', 2)],
  }),
  ...withOthers('realloc from small to small, refill and flush on the way', {
    shape: { pages: 10 },
    prepare: [...mallocs(1, 'a', 'b', 'c', 'd'), ...frees('b', 'c')],
    victim: [shrink('a', 2)],
  }),
  ...withOthers('detach with blocks cached', {
    shape: { pages: 10 },
    prepare: [malloc(1, 'a'), malloc(2, 'b'), ...frees('a', 'b')],
    victim: [{ call: 'detach' }, { call: 'attach' }],
  }),
];

// ---- Large blocks

function largeFree(name: string, before: readonly string[]): Scenario[] {
  return withOthers(`large free, neighbours ${name}`, {
    shape: { pages: 10 },
    prepare: [large(2, 'below'), large(2, 'a'), large(2, 'above'), large(1), ...frees(...before)],
    victim: [free('a')],
  });
}

const LARGE: Scenario[] = [
  ...largeFree('in use', []),
  ...largeFree('free below', ['below']),
  ...largeFree('free above', ['above']),
  ...largeFree('both free', ['below', 'above']),
  ...withOthers('large malloc that splits a free run', {
    shape: { pages: 10 },
    prepare: [large(3, 'a'), large(1), free('a')],
    victim: [large(2)],
  }),
  ...withOthers('aligned large malloc, lead and rest', {
    shape: { pages: 10 },
    prepare: [large(4, 'a'), large(1), free('a')],
    victim: [{ call: 'large', pages: 2, align: 2 }],
  }),
  ...withOthers('large calloc of a dirty run', {
    prepare: [large(2, 'a'), large(1), free('a')],
    victim: [{ call: 'large', pages: 2, zero: true }],
  }),
  ...withOthers('brk that grows below a free run', {
    shape: { pages: 10 },
    prepare: [large(1)],
    victim: [large(2), large(1)],
  }),
  ...withOthers('brk that takes all and meets a free run above', {
    shape: { pages: 8 },
    prepare: [direct(2, 'top'), large(4), free('top')],
    victim: [large(4, 'a'), free('a')],
  }),
  ...withOthers('direct runs, top down', {
    shape: { pages: 10 },
    prepare: [direct(3, 'x')],
    victim: [direct(3, 'y'), free('x'), free('y')],
  }),
  ...withOthers('direct run that takes all of the reserve', {
    prepare: [large(2, 'x'), large(2), large(1)],
    victim: [direct(2, 'y'), free('x')],
  }),
  ...withOthers('aligned direct run whose rest meets a free run', {
    shape: { pages: 13 },
    prepare: [direct(2, 'x'), free('x')],
    victim: [direct(3, 'y', 2), free('y')],
  }),
  ...withOthers('direct run cut from the top of a free run', {
    shape: { pages: 10 },
    prepare: [large(4, 'a'), large(1), free('a')],
    victim: [direct(3, 'y')],
  }),
  scenario('brk that grows, then a direct run down to it', {
    shape: { pages: 9 },
    setup: [large(2)],
    victim: [large(2)],
    after: [{ call: 'reserve', leave: 2, as: 'top' }, free('top')],
  }),
];

// ---- Realloc of large blocks

const beside = [large(2, 'a'), large(2, 'b'), large(1), free('b')];

const REALLOC: Scenario[] = [
  ...withOthers('realloc into a part of the free run above', {
    shape: { pages: 10 },
    prepare: beside,
    victim: [resize('a', 3)],
  }),
  ...withOthers('realloc into all of the free run above', {
    shape: { pages: 10 },
    prepare: beside,
    victim: [resize('a', 4)],
  }),
  ...withOthers('realloc into the reserve', {
    shape: { pages: 10 },
    prepare: [large(2, 'a')],
    victim: [resize('a', 5)],
  }),
  ...withOthers('realloc into the free run above and all of the reserve', {
    prepare: [large(2, 'a'), large(1, 'b'), free('b')],
    victim: [resize('a', 7), resize('a', 8)],
  }),
  ...withOthers('realloc that shrinks', {
    shape: { pages: 10 },
    prepare: [large(3, 'a'), large(1)],
    victim: [resize('a', 1)],
  }),
  ...withOthers('realloc that shrinks below a free run', {
    shape: { pages: 10 },
    prepare: [large(3, 'a'), large(1, 'b'), large(1), free('b')],
    victim: [resize('a', 1)],
  }),
  ...withOthers('realloc that moves a large block', {
    shape: { pages: 10 },
    prepare: [large(1, 'a'), large(1)],
    victim: [resize('a', 2)],
  }),
  ...withOthers('realloc that moves to the longest free run', {
    shape: { pages: 12 },
    prepare: [large(1, 'a'), large(2, 'b'), large(1), large(4, 'c'), large(1), ...frees('b', 'c')],
    victim: [resize('a', 2), resize('a', 3)],
  }),
  ...withOthers('realloc from small to large, over the sentinel', {
    shape: { pages: 10 },
    prepare: [...mallocs(1, 'a', 'b', 'c'), ...frees('b', 'c')],
    victim: [resize('a', 2)],
  }),
  ...withOthers('realloc from large to small', {
    shape: { pages: 10 },
    prepare: [large(1, 'a')],
    victim: [shrink('a', 2)],
  }),
];

// ---- Dead threads, full heaps, unsafe calls

/** Killed in a flush: it owns its class lock, and its transit is open. */
const IN_FLUSH: Casualty = {
  script: [...mallocs(1, 'a', 'b', 'c'), ...frees('a', 'b', 'c')],
  killedAt: 'flush.held',
};
/** Killed with the page lock and a run half cut. */
const IN_CUT: Casualty = { script: [large(1)], killedAt: 'cut.run' };

const DEAD: Scenario[] = [
  ...withOthers('recovery of a thread that died in a flush', {
    shape: { pages: 12 },
    casualty: IN_FLUSH,
    victim: [{ call: 'recover' }],
  }),
  ...withOthers('malloc that takes over, then recovers before it returns', {
    shape: { pages: 12 },
    casualty: IN_FLUSH,
    victim: [malloc(1, 'a'), free('a')],
  }),
  ...withOthers('large free that takes over the page lock', {
    shape: { pages: 12 },
    prepare: [large(1, 'a')],
    casualty: IN_CUT,
    victim: [free('a')],
  }),
  ...withOthers('malloc in a heap full of what the dead hold', {
    shape: { pages: 4 },
    casualty: { script: [large(2), malloc(1), malloc(1), large(1)], killedAt: 'large.commit' },
    victim: [large(2), malloc(1)],
  }),
  ...withOthers('attach when all slots are taken by the dead', {
    shape: { pages: 12, slots: 2 },
    casualty: IN_FLUSH,
    victim: [{ call: 'attach' }, malloc(1)],
  }),
];

// ---- Instrumented heaps

/** Killed with blocks of every kind in quarantine, and one that the program does not have yet. */
const HOLDER: Casualty = {
  script: [
    ...mallocs(1, 'a', 'b', 'c', 'd'),
    malloc(2, 'e'),
    large(1, 'f'),
    ...frees('a', 'b', 'c', 'e', 'f'),
    malloc(1),
  ],
  killedAt: 'debug.live',
  passage: 7,
};

const instrumented = (name: string, quarantine: number, parts: Parts): Scenario[] =>
  withOthers(`instrumented: ${name}`, {
    ...parts,
    shape: { pages: 10, ...parts.shape, quarantine },
  });

const RECORDS: Scenario[] = [
  ...instrumented('malloc in a fresh heap', 1, { victim: [malloc(1), calloc(2)] }),
  ...instrumented('malloc of blocks that were used', 0, {
    prepare: [...mallocs(1, 'a', 'b', 'c'), ...frees('a', 'b', 'c')],
    victim: mallocs(1, 'a', 'b', 'c'),
  }),
  ...instrumented('frees with nothing held back, and a flush', 0, {
    prepare: mallocs(1, 'a', 'b', 'c', 'd'),
    victim: frees('a', 'b', 'c', 'd'),
  }),
  ...instrumented('frees into the quarantine and out of it', 2, {
    prepare: mallocs(1, 'a', 'b', 'c', 'd', 'e'),
    victim: frees('a', 'b', 'c', 'd', 'e'),
  }),
  ...instrumented('large blocks', 1, {
    prepare: [large(1, 'a'), large(2, 'b')],
    victim: [large(1, 'c'), ...frees('a', 'b', 'c')],
  }),
  ...instrumented('realloc from small to small', 1, {
    prepare: mallocs(1, 'a', 'b'),
    victim: [shrink('a', 2), shrink('b', 2)],
  }),
  ...instrumented('realloc from small to large and back', 0, {
    prepare: [malloc(1, 'a')],
    victim: [resize('a', 2), shrink('a', 2)],
  }),
  ...instrumented('malloc that empties the quarantine', 4, {
    shape: { pages: 4 },
    prepare: [large(2, 'a'), malloc(1, 'b'), free('a')],
    victim: [large(2), free('b')],
  }),
  ...instrumented('detach with a quarantine', 3, {
    prepare: [...mallocs(1, 'a', 'b'), large(1, 'c'), ...frees('a', 'b', 'c')],
    victim: [{ call: 'detach' }, { call: 'attach' }],
  }),
  ...instrumented('recovery of a thread that held blocks back', 8, {
    shape: { pages: 14, limitMax: 2 },
    casualty: HOLDER,
    victim: [{ call: 'recover' }],
  }),
  ...instrumented('attach when the dead have all slots and hold blocks back', 8, {
    shape: { pages: 14, slots: 2 },
    casualty: HOLDER,
    victim: [{ call: 'attach' }, malloc(1, 'a'), free('a')],
  }),
  ...instrumented('malloc in a heap full of what the dead hold back', 4, {
    shape: { pages: 4 },
    casualty: {
      script: [large(2, 'a'), ...mallocs(1, 'b', 'c'), ...frees('a', 'b'), malloc(1)],
      killedAt: 'debug.live',
      passage: 4,
    },
    victim: [large(2), malloc(1)],
  }),
];

// ---- Placement, contexts, vectors

const OBJECTS: Scenario[] = OBJECT_PARTS.flatMap((parts) => {
  const { name, busy, setup = [], prepare = [], victim, ...sizes } = parts;
  const shape = { ...sizes, contexts: 3, chunks: 4, roots: 1 };
  const all = withOthers(`objects: ${name}`, { shape, setup, prepare, victim });
  return busy === true ? [all[0], all[1], all[3]] : [all[0]];
});

export const SCENARIOS: readonly Scenario[] = [
  ...SMALL,
  ...LARGE,
  ...REALLOC,
  ...DEAD,
  ...RECORDS,
  ...OBJECTS,
];

export const SCENARIO_NAMES: readonly string[] = SCENARIOS.map(({ name }) => name);
