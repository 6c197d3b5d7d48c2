/**
 * The stage of a scenario: the state in which its victim begins, and the threads that then come on.
 *
 * Threads are taken up again in copies of that state, so that a run to it is made only once.
 */

import { checkQuiet } from './checks.js';
import { section } from './gate.js';
import type { Step } from './points.js';
import { caught, doDetach, emptyHeap } from './programs.js';
import { attach, createWorld, recover } from './recovery.js';
import type { Rules } from './rules.js';
import { attachesLate, type Scenario } from './scenarios.js';
import { type Blocks, runCasualty, runScript } from './script.js';
import { type Identity, Thread } from './thread.js';
import type { World } from './world.js';

const MAIN_ID = 1;
const VICTIM_ID = 2;
const RESCUER_ID = 3;
const CASUALTY_ID = 9;

export class Stage {
  readonly scenario: Scenario;
  readonly start: World;
  private readonly main: Identity | null;
  private readonly victim: Identity;
  private readonly blocks: Blocks = new Map();

  constructor(rules: Rules, scenario: Scenario) {
    this.scenario = scenario;
    this.start = createWorld(rules, scenario.shape);
    this.main = scenario.unsafe ? null : this.runSetup();
    this.victim = this.runPrepare();
    if (scenario.casualty !== null) runCasualty(this.start, scenario.casualty, CASUALTY_ID);
  }

  private runSetup(): Identity {
    const { start, scenario } = this;
    const main = new Thread(start, MAIN_ID, function* program(t) {
      yield* attach(start, t);
      yield* runScript(start, t, scenario.setup, new Map());
      yield 'program.wait';
    });
    while (main.last !== 'program.wait') main.step();
    return main.identity;
  }

  private runPrepare(): Identity {
    const { start, scenario, blocks } = this;
    const victim = new Thread(start, VICTIM_ID, function* program(t) {
      if (!attachesLate(scenario)) yield* attach(start, t);
      yield* runScript(start, t, scenario.prepare, blocks);
      yield 'program.wait';
    });
    victim.unsafe = scenario.unsafe;
    while (victim.last !== 'program.wait') victim.step();
    return victim.identity;
  }

  resumeVictim(world: World): Thread {
    const { scenario, blocks } = this;
    return new Thread(world, this.victim, function* program(t) {
      yield* runScript(world, t, scenario.victim, new Map(blocks));
      if (t.attached) yield* doDetach(world, t);
    });
  }

  bringRescuer(world: World): Thread {
    const { scenario } = this;
    return new Thread(world, RESCUER_ID, function* program(t) {
      while (!t.attached) yield* caught(attach(world, t));
      yield* runScript(world, t, scenario.rescuer, new Map());
      yield* caught(section(world, t, () => recover(world, t)));
      yield* doDetach(world, t);
    });
  }

  /** The main thread's way to the end: recovery, checks, and an empty heap. */
  resumeMain(world: World): Thread {
    const { scenario } = this;
    return new Thread(world, this.main ?? MAIN_ID, function* program(t): Step<void> {
      if (!t.attached) yield* attach(world, t);
      yield* runScript(world, t, scenario.after, new Map());
      yield* section(world, t, () => recover(world, t));
      checkQuiet(world);
      yield* emptyHeap(world, t);
    });
  }
}
