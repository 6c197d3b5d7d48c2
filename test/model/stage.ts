/**
 * The stage of a scenario: the state in which its victim begins, and the threads after the victim.
 *
 * Threads continue in copies of that state, so that the run up to it happens only once.
 */

import { checkQuiet } from './checks.js';
import { guarded } from './cuts.js';
import type { Step } from './points.js';
import { caught, doDetach, emptyHeap } from './programs.js';
import { attach, createWorld, recover } from './recovery.js';
import type { Rules } from './rules.js';
import { attachesLate, type Scenario } from './scenarios.js';
import { type Blocks, runCall, runCasualty, runScript, type Script } from './script.js';
import { section } from './section.js';
import { type Identity, Thread } from './thread.js';
import type { World } from './world.js';

const MAIN_ID = 1;
const VICTIM_ID = 2;
const RESCUER_ID = 3;
const CASUALTY_ID = 9;

/** Quick calls, mostly straight stores: with cached blocks, and one block more in each magazine. */
const QUICK: Script = [
  { call: 'malloc', c: 1, as: 'quick1' },
  { call: 'malloc', c: 2, as: 'quick2' },
  { call: 'free', block: 'quick1' },
  { call: 'free', block: 'quick2' },
];

export class Stage {
  readonly scenario: Scenario;
  readonly start: World;
  private readonly main: Identity | null;
  private readonly victim: Identity;
  private readonly blocks: Blocks = new Map();

  constructor(rules: Rules, scenario: Scenario) {
    this.scenario = scenario;
    this.start = createWorld(rules, scenario.shape);
    this.main = this.runSetup();
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
    while (victim.last !== 'program.wait') victim.step();
    return victim.identity;
  }

  /**
   * A thread whose call is cut goes on with a few calls that enter no section, if it has `quick`
   * ones.
   */
  resumeCut(world: World, quick: boolean): Thread {
    const { scenario } = this;
    const blocks = new Map(this.blocks);
    const victim = new Thread(world, this.victim, function* program(t) {
      for (const call of scenario.victim) {
        if (yield* guarded(world, t, runCall(world, t, call, blocks))) continue;
        // A block of a free or a realloc that was cut may be gone: the program does not use it.
        if ('block' in call) blocks.delete(call.block);
        while (!t.attached) yield* guarded(world, t, attach(world, t));
        if (quick) yield* runScript(world, t, QUICK, blocks);
      }
      while (t.attached && !(yield* guarded(world, t, doDetach(world, t)))) {}
    });
    victim.mayBeCut = true;
    return victim;
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

  /** Runs the main thread to the end: recovery, checks, and an empty heap. */
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
