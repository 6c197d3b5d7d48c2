/**
 * Random schedules: a few threads with random programs, switched, killed and given errors at
 * random.
 *
 * Everything follows from the seed: the world's size, the programs, the schedule. Weights change
 * sometimes, so that a thread may stop for long while the others go on.
 */

import { checkQuiet, describe } from './checks.js';
import { guarded } from './cuts.js';
import { callObjects } from './object-calls.js';
import type { PointName, Step } from './points.js';
import {
  blocksOf,
  doDetach,
  doFree,
  doLarge,
  doMalloc,
  doRealloc,
  doVerify,
  emptyHeap,
  NOBODY,
} from './programs.js';
import { complete, type Options, Random } from './random.js';
import { attach, createWorld, recover } from './recovery.js';
import type { Rules } from './rules.js';
import { section } from './section.js';
import { Thread, waitUntil } from './thread.js';
import { CLASS_COUNT, idOf } from './words.js';
import { type Stats, Violation, type World } from './world.js';
export interface Failure {
  readonly seed: number;
  readonly message: string;
  readonly steps: number;
  readonly state: string;
}

export interface RunTools {
  readonly trace?: string[];
  readonly totals?: Stats & { runs: number; steps: number };
  readonly coverage?: Set<PointName>;
}

const STEPS_MAX = 60_000;
const LATE_STEPS_MAX = 400;
const KILL_CHANCE = 0.012;

/** Runs one seed; null = no violation. */
export function runSeed(
  rules: Rules,
  seed: number,
  options: Options = {},
  tools: RunTools = {},
): Failure | null {
  const run = new Schedule(rules, seed, options, tools);
  try {
    run.play();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const { steps } = run;
    return { seed, message: error.message, steps, state: describe(run.world) };
  }
  run.addTo(tools.totals);
  return null;
}

class Schedule {
  readonly world: World;
  steps = 0;
  private readonly random: Random;
  private readonly options: Required<Options>;
  private readonly tools: RunTools;
  private readonly threads: Thread[] = [];
  private readonly main: Thread;
  /** Thread ids of dead threads, to be used again. */
  private readonly freeIds: number[] = [];
  private nextId = 1;
  private spawned = 0;
  private killsLeft: number;
  /** Workers that stay attached until the main thread has checked. */
  private readonly stayers = new Set<Thread>();
  private mayEnd = false;
  private quiet = false;
  private readonly turns: 'even' | 'weighted' | 'long';
  private weights = new Map<Thread, number>();
  private weightsLeft = 0;

  constructor(rules: Rules, seed: number, options: Options, tools: RunTools) {
    this.random = new Random(seed);
    this.options = complete(this.random, options);
    this.tools = tools;
    const { pages, slots, limitStart, limitMax, kills, lateMain, workers } = this.options;
    const quarantine = this.options.quarantine < 0 ? undefined : this.options.quarantine;
    const objects = this.options.objects ? { contexts: 5, chunks: 6 } : {};
    const shape = { pages, slots, limitStart, limitMax, quarantine, ...objects };
    this.world = createWorld(rules, shape);
    this.world.coverage = tools.coverage ?? null;
    this.killsLeft = kills;
    this.main = new Thread(this.world, this.nextId++, (t) => this.mainProgram(t));
    this.main.mayBeCut = this.options.cuts > 0;
    this.threads.push(this.main);
    if (!lateMain) while (!this.main.attached) this.main.step();
    for (let n = 0; n < workers; n++) this.spawn();
    this.turns = this.random.pick(['even', 'weighted', 'long']);
  }

  play(): void {
    const { world, random, options, main } = this;
    for (;;) {
      const ready = this.threads.filter((t) => t.enabled);
      if (ready.length === 0) {
        if (this.threads.every((t) => t.over)) return;
        world.fail(`DEADLOCK: ${this.describeWaits()}`);
      }
      if (++this.steps > STEPS_MAX) world.fail('LIVELOCK');
      const thread = this.choose(ready);
      const strikes = !this.quiet && options.throws > 0;
      if (!this.quiet && thread !== main && this.killsLeft > 0 && random.chance(KILL_CHANCE)) {
        this.kill(thread);
      } else if (strikes && thread.canThrow(options.anywhere) && random.chance(options.throws)) {
        this.log(`   ERROR in ${thread.own} at ${thread.last}`);
        thread.throwInto();
      } else if (!this.quiet && options.cuts > 0 && thread.canCut && random.chance(options.cuts)) {
        this.log(`   CUT of ${thread.own} at ${thread.last}`);
        thread.cut();
      } else {
        this.log(`${thread.own}:${thread.last}`);
        thread.step();
        if (thread.done) this.freeIds.push(idOf(thread.own));
      }
    }
  }

  addTo(totals?: Stats & { runs: number; steps: number }): void {
    if (totals === undefined) return;
    const { stats } = this.world;
    totals.runs++;
    totals.steps += this.steps;
    totals.operations += stats.operations;
    totals.kills += stats.kills;
    totals.throws += stats.throws;
    totals.cuts += stats.cuts;
    totals.takeovers += stats.takeovers;
    totals.recovered += stats.recovered;
    totals.unfreed += stats.unfreed;
  }

  private log(line: string): void {
    this.tools.trace?.push(line);
  }

  private kill(thread: Thread): void {
    this.log(`   KILL ${thread.own} before ${thread.last}`);
    this.killsLeft--;
    thread.kill();
    this.freeIds.push(idOf(thread.own));
    if (this.spawned < this.options.workers + 3 && this.random.chance(0.8)) this.spawn();
  }

  private choose(ready: readonly Thread[]): Thread {
    if (this.turns === 'even') return this.random.pick(ready);
    if (this.weightsLeft-- <= 0) {
      this.weights = new Map();
      this.weightsLeft = 1 + this.random.below(this.turns === 'weighted' ? 30 : 200);
    }
    let chosen = ready[0];
    let heaviest = -1;
    for (const thread of ready) {
      const weight = this.weights.get(thread) ?? this.random.word();
      this.weights.set(thread, weight);
      if (weight <= heaviest) continue;
      chosen = thread;
      heaviest = weight;
    }
    return chosen;
  }

  private describeWaits(): string {
    return this.threads
      .filter((t) => !t.over)
      .map((t) => {
        if (t.wait === null || !('lock' in t.wait)) return `${t.own} waits at ${t.last}`;
        const owner = this.world.lockOwner[t.wait.lock];
        const state = this.world.isRunning(owner) ? 'living' : 'dead';
        return `${t.own} waits for lock ${t.wait.lock} of ${state} ${owner}`;
      })
      .join('; ');
  }

  // ---- Programs

  private spawn(): void {
    const { random, options, world } = this;
    this.spawned++;
    const staying = [...this.stayers].filter((t) => !t.dead).length;
    const isStable = random.chance(0.5) && staying < world.shape.slots - 2;
    const reuse = (options.reuseIds || random.chance(0.2)) && this.freeIds.length > 0;
    const id = reuse ? this.freeIds.splice(random.below(this.freeIds.length), 1)[0] : this.nextId++;
    const thread = new Thread(world, id, (t) => this.workerProgram(t, isStable));
    thread.mayBeCut = options.cuts > 0;
    if (isStable) this.stayers.add(thread);
    this.threads.push(thread);
  }

  private *workerProgram(t: Thread, isStable: boolean): Step<void> {
    const { world, options, random } = this;
    while (!t.attached) yield* guarded(world, t, attach(world, t));
    for (let n = 0; n < options.calls; n++) yield* this.callCaught(t);
    yield* this.repairAll(t);
    if (isStable) yield* waitUntil(t, 'program.wait', () => this.mayEnd);
    // The others end without detaching: recovery will find them.
    if (isStable || random.chance(0.5)) yield* doDetach(world, t);
  }

  private *mainProgram(t: Thread): Step<void> {
    const { world, options } = this;
    const isOther = (x: Thread): boolean => x !== t;
    const atEnd = (x: Thread): boolean => x.over || (this.stayers.has(x) && isWaiting(x));
    if (options.lateMain) {
      const comesAt = this.random.below(LATE_STEPS_MAX);
      const isTime = (): boolean => this.steps >= comesAt || this.threads.some(atEnd);
      yield* waitUntil(t, 'program.wait', isTime);
    }
    while (!t.attached) yield* guarded(world, t, attach(world, t));
    for (let n = 0; n < options.mainCalls; n++) yield* this.callCaught(t);
    yield* this.repairAll(t);
    yield* waitUntil(t, 'program.wait', () => this.threads.filter(isOther).every(atEnd));
    this.quiet = true;
    yield* section(world, t, () => recover(world, t));
    checkQuiet(world);
    this.mayEnd = true;
    yield* waitUntil(t, 'program.wait', () => this.threads.filter(isOther).every((x) => x.over));
    yield* section(world, t, () => recover(world, t));
    yield* emptyHeap(world, t);
  }

  private *callCaught(t: Thread): Step<void> {
    const { world: w } = this;
    yield* guarded(w, t, this.call(t));
    // Detach and attach: an error may have struck between the two.
    while (!t.attached) yield* guarded(w, t, attach(w, t));
  }

  /**
   * A program that waits or ends after its calls may have been cut: other threads wait for its
   * locks.
   */
  private *repairAll(t: Thread): Step<void> {
    const { world: w } = this;
    if (!t.mayBeCut) return;
    while (
      !(yield* guarded(
        w,
        t,
        section(w, t, () => recover(w, t)),
      ))
    ) {}
    t.mayBeCut = false;
  }

  /** One random call of a program. */
  private *call(t: Thread): Step<void> {
    const { world: w, random } = this;
    w.stats.operations++;
    if (this.options.objects && random.chance(0.6)) {
      yield* callObjects(w, t, random, this.threads);
      return;
    }
    const dice = this.options.churn && random.chance(0.5) ? 19 : random.below(20);
    if (dice < 5) yield* doMalloc(w, t, this.randomClass(), random.chance(0.3));
    else if (dice < 9) yield* this.callLarge(t, dice);
    else if (dice < 17) yield* this.callWithBlock(t, dice);
    else if (dice < 19) this.trade(t, dice === 17);
    else yield* this.callHeap(t);
  }

  /** A call for the heap, not for a block. */
  private *callHeap(t: Thread): Step<void> {
    const { world: w, random } = this;
    switch (random.below(4)) {
      case 0:
        yield* doVerify(w, t);
        break;
      case 1:
        yield* doDetach(w, t);
        yield* attach(w, t);
        break;
      default:
        yield* section(w, t, () => recover(w, t));
    }
  }

  private *callLarge(t: Thread, dice: number): Step<void> {
    const zero = this.random.chance(0.3);
    const pages = 1 + this.random.below(2);
    if (dice < 7) yield* doLarge(this.world, t, pages, { zero });
    else if (dice < 8) {
      const align = this.random.chance(0.3) ? 2 : 1;
      yield* doLarge(this.world, t, 3, { place: 'top', align, zero });
    } else yield* doLarge(this.world, t, pages, { align: 2, zero });
  }

  private *callWithBlock(t: Thread, dice: number): Step<void> {
    const { world: w, random } = this;
    const own = blocksOf(w, t.own);
    if (own.length === 0) return;
    const address = random.pick(own);
    if (dice < 14) yield* doFree(w, t, address);
    else if (random.chance(0.5)) yield* doRealloc(w, t, address, { c: this.randomClass() });
    else yield* doRealloc(w, t, address, { pages: 1 + random.below(4) });
  }

  /** Leaves a block for other programs, or takes one that was left. */
  private trade(t: Thread, lay: boolean): void {
    const { world: w, random } = this;
    const blocks = blocksOf(w, lay ? t.own : NOBODY);
    if (blocks.length > 0) w.liveOwner[random.pick(blocks)] = lay ? NOBODY : t.own;
  }

  private randomClass(): number {
    return 1 + this.random.below(CLASS_COUNT);
  }
}

const isWaiting = (t: Thread): boolean => t.last === 'program.wait' && t.wait !== null;
