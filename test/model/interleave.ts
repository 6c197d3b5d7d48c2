/**
 * Interleavings: two threads at once, every schedule of at most two preemptions, and a kill or an
 * error.
 *
 * One thread runs i steps, the other j steps; then one of them is killed, or gets an error, or
 * nothing happens; then the first thread runs to its end or until it has to wait, then the second,
 * in turn. At last the main thread recovers, checks, and empties the heap.
 */

import { checkQuiet } from './checks.js';
import { PART_SETS, type Part, type PartSet } from './interleave-parts.js';
import { caught, emptyHeap } from './programs.js';
import { attach, createWorld, recover } from './recovery.js';
import type { Rules } from './rules.js';
import { type Blocks, runCasualty, runScript, type Script } from './script.js';
import { section } from './section.js';
import { type Identity, Thread } from './thread.js';
import { type Shape, Violation, type World } from './world.js';

const MAIN_ID = 1;
const PAIR_ID = 2;
const BEFORE_ID = 10;
const CASUALTY_ID = 20;
const STEPS_MAX = 10_000;

/** The event after the first steps of both threads. */
const EVENTS = [
  'nothing',
  'first killed',
  'second killed',
  'error in first',
  'error in second',
] as const;
type Event = (typeof EVENTS)[number];

export interface Clash {
  readonly first: string;
  readonly second: string;
  /** Blocks held back, in an instrumented heap. */
  readonly quarantine?: number | undefined;
  readonly firstSteps: number;
  readonly secondSteps: number;
  readonly event: Event;
  readonly message: string;
  count: number;
}

export interface Interleaving {
  runs: number;
  readonly found: Map<string, Clash>;
}

/** Runs all pairs. `first`: ends at the first pair that shows a violation. */
export function interleave(
  rules: Rules,
  sets: readonly PartSet[] = PART_SETS,
  first = false,
): Interleaving {
  const result: Interleaving = { runs: 0, found: new Map() };
  for (const { parts, shape } of sets) {
    for (const one of parts) {
      for (const other of parts) {
        new Pair(rules, one, other, shape, result).runAll();
        if (first && result.found.size > 0) return result;
      }
    }
  }
  return result;
}

interface Outcome {
  /** Number of steps of each thread before it was stopped. */
  firstSteps: number;
  secondSteps: number;
  message: string | null;
}

class Pair {
  private readonly parts: readonly [Part, Part];
  private readonly result: Interleaving;
  private readonly start: World;
  private readonly world: World;
  private readonly main: Identity;
  private readonly members: readonly { identity: Identity; blocks: Blocks }[];

  constructor(rules: Rules, first: Part, second: Part, shape: Shape, result: Interleaving) {
    this.parts = [first, second];
    this.result = result;
    this.start = createWorld(rules, shape);
    this.world = createWorld(rules, shape);
    // If both parts need the same object, the main thread makes it once.
    const scripts = new Set(this.parts.map((part) => part.main ?? []));
    const main = this.prepare(MAIN_ID, [...scripts].flat(), new Map());
    this.main = main.identity;
    [...new Set(this.parts.map(({ before }) => before))].forEach((before, n) => {
      if (before !== undefined) runCasualty(this.start, before, BEFORE_ID + n);
    });
    this.members = this.parts.map(({ prepare = [] }, n) =>
      this.prepare(PAIR_ID + n, prepare, new Map(main.blocks)),
    );
    this.parts.forEach(({ casualty }, n) => {
      if (casualty !== undefined) runCasualty(this.start, casualty, CASUALTY_ID + n);
    });
  }

  runAll(): void {
    for (let i = 0, more = true; more; i++) {
      for (let j = 0; ; j++) {
        const outcomes = EVENTS.map((event) => this.run(i, j, event));
        more = outcomes[0].firstSteps === i;
        if (outcomes[0].secondSteps < j) break;
      }
    }
  }

  private prepare(
    id: number,
    script: Script,
    blocks: Blocks,
  ): { identity: Identity; blocks: Blocks } {
    const { start } = this;
    const thread = new Thread(start, id, function* program(t) {
      yield* attach(start, t);
      yield* runScript(start, t, script, blocks);
      yield 'program.wait';
    });
    while (thread.last !== 'program.wait') thread.step();
    return { identity: thread.identity, blocks };
  }

  private run(i: number, j: number, event: Event): Outcome {
    const { world, result } = this;
    world.copyFrom(this.start);
    const [first, second] = this.members.map(({ identity, blocks }, n) => {
      const script = this.parts[n].run;
      return new Thread(world, identity, (t) => runScript(world, t, script, new Map(blocks)));
    });
    const outcome: Outcome = { firstSteps: 0, secondSteps: 0, message: null };
    try {
      outcome.firstSteps = advance(first, i);
      outcome.secondSteps = advance(second, j);
      if (!strike(event === 'first killed' || event === 'error in first' ? first : second, event)) {
        return outcome;
      }
      result.runs++;
      runBoth(world, first, second);
      this.finish();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      outcome.message = error.message;
      this.note(i, j, event, error.message);
    }
    return outcome;
  }

  private finish(): void {
    const { world } = this;
    const main = new Thread(world, this.main, function* program(t) {
      yield* caught(section(world, t, () => recover(world, t)));
      checkQuiet(world);
      yield* emptyHeap(world, t);
    });
    advance(main, STEPS_MAX);
    if (!main.done) world.fail(`DEADLOCK: the main thread at ${main.last}`);
  }

  private note(firstSteps: number, secondSteps: number, event: Event, message: string): void {
    const { found } = this.result;
    const kind = message.replace(/\d+/g, '#');
    const known = found.get(kind);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const [first, second] = this.parts.map(({ name }) => name);
    const { quarantine } = this.start.shape;
    found.set(kind, {
      first,
      second,
      quarantine,
      firstSteps,
      secondSteps,
      event,
      message,
      count: 1,
    });
  }
}

/** Lets the event happen; returns false if it cannot, so that there is nothing to run. */
function strike(thread: Thread, event: Event): boolean {
  if (event === 'nothing') return true;
  if (thread.done) return false;
  if (event === 'first killed' || event === 'second killed') {
    thread.kill();
    return true;
  }
  if (!thread.canThrow(true)) return false;
  thread.throwInto();
  return true;
}

/** Runs up to `steps` steps of a thread, until it has to wait; returns their number. */
function advance(thread: Thread, steps: number): number {
  let taken = 0;
  for (; taken < steps && thread.enabled; taken++) thread.step();
  return taken;
}

/** Runs the first thread until it has to wait, then the second, in turn, until both are done. */
function runBoth(world: World, first: Thread, second: Thread): void {
  for (let steps = 0; !first.over || !second.over; steps++) {
    const next = [first, second].find((thread) => thread.enabled);
    if (next === undefined) world.fail('DEADLOCK: both threads wait');
    if (steps > STEPS_MAX) world.fail('LIVELOCK');
    next.step();
  }
}
