/**
 * Witnesses: schedules written by hand, for holes that random schedules find once in ten thousand
 * runs.
 *
 * Each shows what a heap without one rule does; with all rules on the same moves do no harm.
 */

import { checkQuiet } from './checks.js';
import { OBJECT_WITNESSES } from './object-witnesses.js';
import type { PointName } from './points.js';
import { caught, emptyHeap } from './programs.js';
import { attach, createWorld, recover } from './recovery.js';
import type { Rules } from './rules.js';
import { type Blocks, type Call, runScript, type Script } from './script.js';
import { section } from './section.js';
import { Thread } from './thread.js';
import { SHAPE, type Shape, Violation, type World } from './world.js';

/** A move: a thread runs until a point, or to its end; then an event may strike it. */
export interface Move {
  readonly thread: string;
  readonly until?: PointName;
  readonly fate?: 'killed' | 'error';
}

export interface Witness {
  readonly name: string;
  readonly shape: Shape;
  /**
   * Threads by name. A thread attaches with its first move, and ends without detaching. The names
   * of blocks and objects are common to all.
   */
  readonly scripts: Readonly<Record<string, Script>>;
  readonly moves: readonly Move[];
}

const MAIN_ID = 1;
const STEPS_MAX = 5000;

const malloc = (as: string): Call => ({ call: 'malloc', c: 1, as });
const free = (block: string): Call => ({ call: 'free', block });
const large = (as: string): Call => ({ call: 'large', pages: 1, as });
const shape = (limitStart: number, limitMax: number): Shape => ({
  ...SHAPE,
  slots: 6,
  limitStart,
  limitMax,
});

/**
 * A waiter saw the dead owner's slot; now another thread owns the lock with the same slot number.
 */
export const SLOT_REUSED: Witness = {
  name: 'slot reused between a look and a takeover',
  shape: shape(1, 2),
  scripts: {
    owner: [malloc('a')],
    waiter: [malloc('b')],
    rescuer: [malloc('c')],
    heir: [malloc('d')],
    other: [malloc('e')],
  },
  moves: [
    { thread: 'owner', until: 'refill.entry' },
    { thread: 'waiter', until: 'lock.wait' },
    { thread: 'owner', fate: 'killed', until: 'refill.entry' },
    { thread: 'waiter', until: 'look.alive' },
    { thread: 'rescuer' },
    { thread: 'heir', until: 'refill.entry' },
    { thread: 'other', until: 'lock.wait' },
    { thread: 'waiter' },
  ],
};

/** A rescuer finds a thread dead after it has detached and another one has claimed its slot. */
export const OWNER_CHANGED: Witness = {
  name: 'slot changed hands between two looks',
  shape: shape(1, 2),
  scripts: {
    leaver: [malloc('a'), free('a'), { call: 'detach' }],
    rescuer: [{ call: 'recover' }],
    heir: [malloc('b'), free('b'), malloc('c')],
  },
  moves: [
    { thread: 'leaver', until: 'push.untag' },
    { thread: 'rescuer', until: 'look.alive' },
    { thread: 'leaver' },
    { thread: 'heir', until: 'push.untag' },
    { thread: 'heir', until: 'pop.top' },
    { thread: 'rescuer' },
  ],
};

/**
 * A note says that a run is being freed, but the run is a large block of another program by now.
 */
export const OLD_NOTE: Witness = {
  name: 'note of a run that has a new owner',
  shape: shape(1, 2),
  scripts: {
    noter: [large('a'), free('a')],
    rescuer: [large('b'), free('b')],
    heir: [large('c'), { call: 'verify' }],
  },
  moves: [
    { thread: 'noter', until: 'large.commit' },
    { thread: 'rescuer', until: 'large.commit' },
    { thread: 'noter', until: 'note.clear', fate: 'killed' },
    { thread: 'rescuer', until: 'recover.look' },
    { thread: 'heir' },
    { thread: 'rescuer' },
  ],
};

/** Errors between limit and sentinel, twice: a refill in between overwrites the old sentinel. */
export const LIMIT_WITHOUT_SENTINEL: Witness = {
  name: 'refill up to a limit that has no sentinel',
  shape: shape(2, 4),
  scripts: {
    thread: ['a', 'b', 'c', 'd', 'e'].map(malloc),
    other: [malloc('x'), malloc('y')],
  },
  moves: [
    { thread: 'thread', until: 'sentinel.new', fate: 'error' },
    { thread: 'thread', until: 'pop.top' },
    { thread: 'other' },
    { thread: 'thread', until: 'sentinel.new', fate: 'error' },
    { thread: 'thread' },
  ],
};

const SEVEN = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Two flushes fail in turn: the second push would leave the magazine. */
export const OVER_TWICE: Witness = {
  name: 'two pushes over the sentinel',
  shape: shape(1, 2),
  scripts: { thread: [...SEVEN.map(malloc), ...SEVEN.map(free)] },
  moves: [
    { thread: 'thread', until: 'flush.transit', fate: 'error' },
    { thread: 'thread', until: 'flush.transit', fate: 'error' },
    { thread: 'thread' },
  ],
};

/** An old sentinel stayed behind: a short magazine looks full, and is to keep more than it has. */
export const OLD_SENTINEL: Witness = {
  name: 'flush of a magazine that only looks full',
  shape: shape(2, 8),
  scripts: {
    thread: [...SEVEN.slice(0, 5).map(malloc), ...SEVEN.slice(1, 5).map(free)],
  },
  moves: [{ thread: 'thread', until: 'sentinel.old', fate: 'error' }, { thread: 'thread' }],
};

export const WITNESSES: readonly Witness[] = [
  SLOT_REUSED,
  OWNER_CHANGED,
  OLD_NOTE,
  LIMIT_WITHOUT_SENTINEL,
  OVER_TWICE,
  OLD_SENTINEL,
  ...OBJECT_WITNESSES,
];

/** Makes the moves, runs all living threads to their ends, then recovers and empties the heap. */
export function runWitness(rules: Rules, witness: Witness): string | null {
  const w = createWorld(rules, witness.shape);
  const threads = new Map<string, Thread>();
  const blocks: Blocks = new Map();
  Object.entries(witness.scripts).forEach(([name, script], n) => {
    threads.set(name, new Thread(w, MAIN_ID + 1 + n, (t) => attachAndRun(w, t, script, blocks)));
  });
  try {
    for (const move of witness.moves) makeMove(w, threads, move);
    runAll(w, [...threads.values()]);
    const main = new Thread(w, MAIN_ID, function* program(t) {
      yield* attach(w, t);
      yield* caught(section(w, t, () => recover(w, t)));
      checkQuiet(w);
      yield* emptyHeap(w, t);
    });
    runAll(w, [main]);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return error.message;
  }
  return null;
}

function* attachAndRun(w: World, t: Thread, script: Script, blocks: Blocks) {
  yield* attach(w, t);
  yield* runScript(w, t, script, blocks);
}

/** A thread that has to wait, or does not reach the point, stops where it cannot go on. */
function makeMove(w: World, threads: ReadonlyMap<string, Thread>, move: Move): void {
  const thread = threads.get(move.thread);
  if (thread === undefined) throw new Error(`no thread ${move.thread}`);
  for (let steps = 0; thread.enabled && thread.last !== move.until; steps++) {
    if (steps > STEPS_MAX) w.fail('LIVELOCK');
    thread.step();
  }
  if (move.fate === 'killed') thread.kill();
  else if (move.fate === 'error' && thread.canThrow(true)) thread.throwInto();
}

function runAll(w: World, threads: readonly Thread[]): void {
  for (let steps = 0; threads.some((t) => !t.over); steps++) {
    const next = threads.find((t) => t.enabled);
    if (next === undefined || steps > STEPS_MAX) w.fail('DEADLOCK');
    next.step();
  }
}
