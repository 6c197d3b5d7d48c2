/**
 * Exhaustive cuts: in every scenario the victim is killed before each of its steps, and for each of
 * these the rescuer before each of its own; then errors strike in place of kills. The state is
 * copied at every cut, so that the run up to it is not repeated. If two cuts lead to the same
 * words, the same follows, and is run once.
 *
 *     level 1   the victim is killed, or gets an error and goes on, or its call is cut by V8
 *     level 2   then the rescuer is killed, or the victim after the error; one in ERROR_STRIDE of
 *               the rescuer's steps gets an error
 *     level 3   all of the rescuer's steps get an error
 */

import { describe } from './checks.js';
import { createWorld } from './recovery.js';
import type { Rules } from './rules.js';
import type { Scenario } from './scenarios.js';
import { Stage } from './stage.js';
import type { Thread } from './thread.js';
import { Violation, type World } from './world.js';

const STEPS_MAX = 20_000;
/** At level 2 one in this many of a rescuer's steps gets an error, different ones for each cut. */
const ERROR_STRIDE = 7;

/** The place where a run was cut, by a kill or by an error. */
export interface Cut {
  readonly victim: number;
  readonly victimThrows?: boolean;
  /**
   * The victim's call is cut, and the victim goes on: with the next call, or with quick ones
   * before.
   */
  readonly victimLives?: 'on' | 'quick';
  /** Steps of the victim between an error and its kill. */
  readonly later?: number;
  readonly rescuer?: number;
  readonly rescuerThrows?: boolean;
}

export interface Found {
  readonly scenario: Scenario;
  readonly cut: Cut;
  readonly message: string;
  readonly state: string;
  count: number;
}

export interface Exploration {
  /** Number of places where a run was cut. */
  cuts: number;
  /** Number of different states among them, each run to the end. */
  states: number;
  /** Violations by message, without the numbers in it. */
  readonly found: Map<string, Found>;
}

export interface ExploreOptions {
  readonly level: 1 | 2 | 3;
  readonly scenarios: readonly Scenario[];
  readonly kills: boolean;
  readonly errors: boolean;
  /** True if calls of a living victim are cut, too. */
  readonly living?: boolean;
  /** True if the run ends at the first violation. */
  readonly first?: boolean;
}

export function explore(rules: Rules, options: ExploreOptions): Exploration {
  const result: Exploration = { cuts: 0, states: 0, found: new Map() };
  for (const scenario of options.scenarios) {
    const explorer = new Explorer(rules, scenario, options.level, result);
    if (options.kills) explorer.exploreKills();
    if (options.errors && !(options.first && result.found.size > 0)) explorer.exploreErrors();
    if (options.living && !(options.first && result.found.size > 0)) explorer.exploreLiving();
    if (options.first && result.found.size > 0) break;
  }
  return result;
}

/** Runs one cut again, step by step; returns the violation, or null. */
export function replay(rules: Rules, scenario: Scenario, cut: Cut, trace: string[]): string | null {
  const result: Exploration = { cuts: 0, states: 0, found: new Map() };
  new Explorer(rules, scenario, 1, result, trace).runCut(cut);
  for (const { message } of result.found.values()) return message;
  return null;
}

class Explorer {
  private readonly stage: Stage;
  private readonly level: number;
  private readonly result: Exploration;
  private readonly trace: string[] | null;
  /**
   * Copies of the state, to continue from: of the victim's run, the rescuer's, the main thread's.
   */
  private readonly first: World;
  private readonly second: World;
  private readonly third: World;
  private readonly seen = new Set<number>();

  constructor(
    rules: Rules,
    scenario: Scenario,
    level: number,
    result: Exploration,
    trace: string[] | null = null,
  ) {
    this.stage = new Stage(rules, scenario);
    this.level = level;
    this.result = result;
    this.trace = trace;
    this.first = createWorld(rules, scenario.shape);
    this.second = createWorld(rules, scenario.shape);
    this.third = createWorld(rules, scenario.shape);
  }

  // ---- Kills

  exploreKills(): void {
    const { first, second } = this;
    first.copyFrom(this.stage.start);
    const victim = this.stage.resumeVictim(first);
    for (let step = 0; ; step++) {
      this.result.cuts++;
      second.copyFrom(first);
      second.end(victim.own);
      if (this.isNew(second)) this.goOn(second, { victim: step });
      if (victim.over || !this.tryStep(victim, { victim: step })) return;
    }
  }

  /** From a state in which the victim is dead: runs the main thread, then a rescuer. */
  private goOn(world: World, cut: Cut): void {
    this.finish(world, cut);
    if (this.level >= 2) this.exploreRescuer(world, cut);
  }

  private exploreRescuer(world: World, { victim: step }: Cut): void {
    const rescuer = this.stage.bringRescuer(world);
    for (let later = 0; !rescuer.over; later++) {
      const cut: Cut = { victim: step, rescuer: later };
      this.result.cuts++;
      this.third.copyFrom(world);
      this.third.end(rescuer.own);
      if (this.isNew(this.third)) this.finish(this.third, cut, true);
      if (!this.tryStep(rescuer, cut)) return;
    }
  }

  // ---- Errors

  exploreErrors(): void {
    for (let step = 0; ; step++) {
      const { first } = this;
      first.copyFrom(this.stage.start);
      const victim = this.stage.resumeVictim(first);
      for (let n = 0; n < step && !victim.over; n++) victim.step();
      if (victim.over) break;
      if (!victim.canThrow(true)) continue;
      const cut: Cut = { victim: step, victimThrows: true };
      if (this.tryThrow(victim, cut)) this.exploreAfterError(victim, cut);
    }
    if (this.level >= 2) this.exploreRescuerErrors();
  }

  /** Explores a victim that caught an error and goes on; it may still be killed. */
  private exploreAfterError(victim: Thread, cut: Cut): void {
    for (let later = 0; ; later++) {
      const killed: Cut = { ...cut, later };
      if (victim.over) {
        this.finish(victim.world, cut);
        return;
      }
      if (this.level >= 2) {
        this.result.cuts++;
        this.third.copyFrom(victim.world);
        this.third.end(victim.own);
        if (this.isNew(this.third)) this.finish(this.third, killed, true);
      }
      if (!this.tryStep(victim, killed)) return;
    }
  }

  private exploreRescuerErrors(): void {
    const { first, second } = this;
    const stride = this.level >= 3 ? 1 : ERROR_STRIDE;
    first.copyFrom(this.stage.start);
    const victim = this.stage.resumeVictim(first);
    for (let step = 0; !victim.over; step++, victim.step()) {
      for (let later = step % stride; ; later += stride) {
        second.copyFrom(first);
        second.end(victim.own);
        const rescuer = this.stage.bringRescuer(second);
        for (let n = 0; n < later && !rescuer.over; n++) rescuer.step();
        if (rescuer.over) break;
        if (!rescuer.canThrow(true)) continue;
        const cut: Cut = { victim: step, rescuer: later, rescuerThrows: true };
        this.result.cuts++;
        if (this.tryThrow(rescuer, cut) && this.tryRun(rescuer, cut)) this.finish(second, cut);
      }
    }
  }

  // ---- Cut calls, in a thread that lives on

  exploreLiving(): void {
    const { first } = this;
    for (let step = 0; ; step++) {
      // By turns, since both at every step would take twice as long.
      const quick = step % 2 === 1;
      first.copyFrom(this.stage.start);
      const victim = this.stage.resumeCut(first, quick);
      for (let n = 0; n < step && !victim.over; n++) victim.step();
      if (victim.over) return;
      if (!victim.canCut) continue;
      this.result.cuts++;
      this.goOnLiving(victim, { victim: step, victimLives: quick ? 'quick' : 'on' });
    }
  }

  private goOnLiving(victim: Thread, cut: Cut): void {
    const isCut = this.attempt(victim, cut, () => {
      this.log(`   CUT of ${victim.own} at ${victim.last}`);
      victim.cut();
    });
    if (isCut && this.tryRun(victim, cut)) this.finish(victim.world, cut);
  }

  // ---- One cut

  runCut(cut: Cut): void {
    const { first } = this;
    first.copyFrom(this.stage.start);
    const { victimLives } = cut;
    const victim =
      victimLives === undefined
        ? this.stage.resumeVictim(first)
        : this.stage.resumeCut(first, victimLives === 'quick');
    for (let n = 0; n < cut.victim && !victim.over; n++) if (!this.tryStep(victim, cut)) return;
    if (victimLives !== undefined) {
      this.goOnLiving(victim, cut);
      return;
    }
    if (cut.victimThrows) {
      if (!this.tryThrow(victim, cut)) return;
      const steps = cut.later ?? STEPS_MAX;
      for (let n = 0; n < steps && !victim.over; n++) if (!this.tryStep(victim, cut)) return;
    }
    if (!victim.over) this.log(`   KILL ${victim.own} before ${victim.last}`);
    first.end(victim.own);
    if (cut.rescuer !== undefined) {
      const rescuer = this.stage.bringRescuer(first);
      for (let n = 0; n < cut.rescuer && !rescuer.over; n++)
        if (!this.tryStep(rescuer, cut)) return;
      if (cut.rescuerThrows) {
        if (!this.tryThrow(rescuer, cut) || !this.tryRun(rescuer, cut)) return;
      }
      if (!rescuer.over) this.log(`   KILL ${rescuer.own} before ${rescuer.last}`);
      first.end(rescuer.own);
    }
    this.finish(first, cut);
  }

  /** Recovers and checks, in a copy of the state if it is still needed. */
  private finish(world: World, cut: Cut, mayChange = false): void {
    this.result.states++;
    if (!mayChange) this.third.copyFrom(world);
    this.tryRun(this.stage.resumeMain(this.third), cut);
  }

  // ---- Steps that may show a violation

  private tryStep(thread: Thread, cut: Cut): boolean {
    return this.attempt(thread, cut, () => {
      if (!thread.enabled) thread.world.fail(`DEADLOCK: thread ${thread.own} at ${thread.last}`);
      this.log(`${thread.own}:${thread.last}`);
      thread.step();
    });
  }

  private tryThrow(thread: Thread, cut: Cut): boolean {
    return this.attempt(thread, cut, () => {
      this.log(`   ERROR in ${thread.own} at ${thread.last}`);
      thread.throwInto();
    });
  }

  private tryRun(thread: Thread, cut: Cut): boolean {
    return this.attempt(thread, cut, () => {
      for (let steps = 0; !thread.over; steps++) {
        if (!thread.enabled) thread.world.fail(`DEADLOCK: thread ${thread.own} at ${thread.last}`);
        if (steps > STEPS_MAX) thread.world.fail('LIVELOCK');
        this.log(`${thread.own}:${thread.last}`);
        thread.step();
      }
    });
  }

  private attempt(thread: Thread, cut: Cut, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      const { message } = error;
      const kind = message.replace(/\d+/g, '#');
      const known = this.result.found.get(kind);
      const { scenario } = this.stage;
      const state = describe(thread.world);
      if (known === undefined) {
        this.result.found.set(kind, { scenario, cut, message, state, count: 1 });
      } else known.count++;
      return false;
    }
  }

  private isNew(world: World): boolean {
    const print = world.fingerprint();
    if (this.seen.has(print)) return false;
    this.seen.add(print);
    return true;
  }

  private log(line: string): void {
    this.trace?.push(line);
  }
}
