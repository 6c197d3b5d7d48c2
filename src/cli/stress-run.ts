/**
 * A stress run from its start to its audit: when workers are killed, how long the others stand
 * still after a kill, which workers are stuck, and what is left.
 *
 * Used by stress.ts, on the main thread, which reads shared counters every millisecond. The next
 * kill follows as soon as all survivors of the last one have made progress. That time is the
 * recovery time: from the victim's 'exit' event to the next completed operation of the last
 * survivor.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { AuditMessage, AuditReport, AuditTask } from '../../workers/stress-auditor.js';
import type { Plant } from '../../workers/stress-plants.js';
import { SharedHeap } from '../api/index.js';
import type { HeapStats } from '../stats/index.js';
import { remark } from './output.js';
import type { Problem } from './problems.js';
import { describeMemory, describeSpeed, startProgress } from './progress.js';
import { randomFrom } from './random.js';
import { Crew, type Member, type Mistake } from './stress-crew.js';

const AUDITOR = new URL('../../workers/stress-auditor.js', import.meta.url);
const POLL_MS = 1;
/** Milliseconds between two verifications of the heap in use. */
const VERIFY_PERIOD_MS = 1000;
/** Percent of kills that may hit any worker, however young. */
const EARLY_PERCENT = 5;
const AUDIT_MS_MAX = 120_000;
/** Number of slots besides those of the workers: the main thread's, and a few for dead threads. */
const SLOTS_MORE = 4;

export interface StressPlan {
  readonly threads: number;
  /** Minimum length of the run, in seconds; null = until all kills are done. */
  readonly seconds: number | null;
  readonly operations: number | null;
  readonly kills: number;
  readonly seed: number;
  readonly size: string;
  /** Milliseconds without a step after which a worker counts as stuck. */
  readonly patienceMs: number;
  /** A mistake to make on purpose, for a test that it is found. */
  readonly plant: Plant | Mistake;
  /** Show progress. */
  readonly progress: boolean;
}

export interface StressOutcome {
  readonly operations: number;
  readonly kills: number;
  readonly seconds: number;
  readonly worstRecoveryMs: number;
  /** Regions of the workers that were stuck, and the place of each worker at the end. */
  readonly stuck: readonly number[];
  readonly where: readonly string[];
  /** Errors of workers and of the main thread. */
  readonly errors: readonly string[];
  /** Wrong blocks, in words; the first few. */
  readonly findings: readonly string[];
  /** Broken invariants that were found while the heap was in use. */
  readonly problems: readonly Problem[];
  /** Null if no audit was possible. */
  readonly audit: AuditReport | null;
  readonly stats: HeapStats | null;
}

export async function runStress(plan: StressPlan): Promise<StressOutcome> {
  using heap = SharedHeap.create({ size: plan.size, threads: plan.threads + SLOTS_MORE });
  // Printed before the run: the seed is known even if everything else fails.
  if (plan.progress) remark(`seed ${plan.seed}`);
  return await new StressRun(heap, plan).run();
}

/** True for a mistake that a worker makes. Others are planted in the auditor's input. */
function isMistake(plant: StressPlan['plant']): plant is Mistake {
  return plant === 'hang' || plant === 'throw';
}

/** A kill whose consequences are not over: the survivors, with their beats at that moment. */
interface Mourning {
  readonly since: number;
  readonly survivors: Map<Member, number>;
}

class StressRun {
  readonly #heap: SharedHeap;
  readonly #plan: StressPlan;
  readonly #random: (limit: number) => number;
  readonly #crew: Crew;
  readonly #started = performance.now();
  #verified = performance.now();
  #mourning: Mourning[] = [];
  #worstRecoveryMs = 0;
  #ordered = 0;
  readonly #problems: Problem[] = [];
  readonly #errors: string[] = [];

  constructor(heap: SharedHeap, plan: StressPlan) {
    const { threads, kills, plant } = plan;
    this.#heap = heap;
    this.#plan = plan;
    this.#random = randomFrom(plan.seed);
    const mistake = isMistake(plant) ? plant : null;
    this.#crew = new Crew(heap, {
      threads,
      kills,
      mistake,
      random: this.#random,
      onEnd: (now) => this.#mourn(now),
    });
  }

  async run(): Promise<StressOutcome> {
    const crew = this.#crew;
    const bar = this.#plan.progress ? this.#showProgress() : null;
    let stuck: Member[];
    try {
      crew.start();
      stuck = await this.#drive();
    } finally {
      bar?.stop();
    }
    const seconds = (performance.now() - this.#started) / 1e3;
    const left = await crew.stop(stuck.length > 0 ? POLL_MS : this.#plan.patienceMs);
    if (stuck.length === 0) stuck = left;
    this.#attempt(() => this.#heap.recover());
    const { where, report } = await this.#audit();
    return {
      operations: crew.operations,
      kills: crew.kills,
      seconds,
      worstRecoveryMs: this.#worstRecoveryMs,
      stuck: stuck.map(({ region }) => region),
      where,
      errors: [...new Set([...crew.errors, ...this.#errors])],
      findings: [...crew.findings, ...(report?.findings ?? [])],
      problems: this.#problems,
      audit: report,
      stats: this.#attempt(() => this.#heap.stats()) ?? null,
    };
  }

  /**
   * Kills and watches workers until all is done, one is stuck, or an error makes going on
   * pointless.
   */
  async #drive(): Promise<Member[]> {
    const { kills, patienceMs } = this.#plan;
    const crew = this.#crew;
    for (;;) {
      await sleep(POLL_MS);
      const now = performance.now();
      this.#look(now);
      const stuck = crew.stuck(now, patienceMs);
      if (stuck.length > 0 || this.#failed()) return stuck;
      if (this.#mourning.length > 0 || crew.killing) continue;
      if (now - this.#verified > VERIFY_PERIOD_MS) this.#verify();
      if (this.#ordered < kills) this.#killSome();
      else if (this.#part() >= 1) return [];
    }
  }

  /** True after an error that makes going on pointless. */
  #failed(): boolean {
    return this.#crew.errors.length + this.#errors.length + this.#problems.length > 0;
  }

  /** Part of the run that is over, 0 to 1. */
  #part(): number {
    const { seconds, operations } = this.#plan;
    if (operations !== null) return this.#crew.operations / operations;
    if (seconds !== null) return (performance.now() - this.#started) / 1e3 / seconds;
    return 1;
  }

  // ---- kills

  /** Orders the next kills if they are due: mostly one, sometimes several at once, rarely all. */
  #killSome(): void {
    const { kills, threads } = this.#plan;
    // In a run of a given length, the kills are spread over it.
    if (this.#ordered >= this.#part() * kills) return;
    const running = this.#crew.running();
    // Without survivors there would be little to see.
    if (running.length < Math.min(threads, Math.max(2, threads - 1))) return;
    // A few kills hit a worker that is attaching, or resolving what the last one left.
    const ripe = this.#random(100) < EARLY_PERCENT ? this.#crew.all() : this.#crew.ripe();
    if (ripe.length === 0) return;
    const what = this.#random(100);
    const wanted = what < 75 ? 1 : what < 95 ? 2 : threads;
    const count = Math.min(wanted, ripe.length, kills - this.#ordered);
    for (let n = 0; n < count; n++) {
      const [victim] = ripe.splice(this.#random(ripe.length), 1);
      this.#ordered++;
      this.#crew.kill(victim);
    }
  }

  #mourn(now: number): void {
    const survivors = this.#crew.running();
    if (survivors.length === 0) return;
    this.#mourning.push({
      since: now,
      survivors: new Map(survivors.map((member) => [member, this.#crew.beatOf(member)])),
    });
  }

  /**
   * Checks whether every survivor has made progress. One that was itself killed since is not waited
   * for.
   */
  #look(now: number): void {
    const crew = this.#crew;
    this.#mourning = this.#mourning.filter(({ since, survivors }) => {
      for (const [member, beat] of survivors) {
        const gone = member.condemned || crew.members[member.region] !== member;
        if (gone || crew.beatOf(member) > beat) survivors.delete(member);
      }
      if (survivors.size > 0) return true;
      this.#worstRecoveryMs = Math.max(this.#worstRecoveryMs, now - since);
      return false;
    });
  }

  // ---- the heap

  #verify(): void {
    this.#problems.push(...(this.#attempt(() => this.#heap.verify().problems) ?? []));
    this.#verified = performance.now();
  }

  /** Does something with the heap; an error is reported at the end. */
  #attempt<T>(what: () => T): T | undefined {
    try {
      return what();
    } catch (error) {
      this.#errors.push(`main thread: ${error}`);
      return undefined;
    }
  }

  #audit(): Promise<{ where: readonly string[]; report: AuditReport | null }> {
    const { plant } = this.#plan;
    const task: AuditTask = { ...this.#crew.setting, plant: isMistake(plant) ? null : plant };
    const auditor = new Worker(AUDITOR, { workerData: task });
    let where: readonly string[] = [];
    let report: AuditReport | null = null;
    const timer = setTimeout(() => {
      this.#errors.push(`the audit was not done after ${AUDIT_MS_MAX / 1e3} s`);
      auditor.terminate();
    }, AUDIT_MS_MAX);
    auditor.on('message', (message: AuditMessage) => {
      if (message.kind === 'where') where = message.where;
      else report = message.report;
    });
    auditor.on('error', (error) => this.#errors.push(`audit: ${error}`));
    return new Promise((resolve) => {
      auditor.on('exit', () => {
        clearTimeout(timer);
        resolve({ where, report });
      });
    });
  }

  #showProgress() {
    const { kills } = this.#plan;
    return startProgress((seconds) => {
      const crew = this.#crew;
      const stats = this.#attempt(() => this.#heap.stats());
      const killed = `${crew.kills} of ${kills} kills`;
      return {
        part: Math.min(this.#part(), kills === 0 ? 1 : crew.kills / kills),
        speed: `${killed}, ${describeSpeed(crew.operations, seconds)}`,
        memory: describeMemory(stats?.inUseBytes ?? 0, stats?.footprintBytes ?? 0),
        details: [`  worst recovery ${this.#worstRecoveryMs.toFixed(1)} ms`],
      };
    });
  }
}
