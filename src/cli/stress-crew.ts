/**
 * The workers of a stress run: starts them, ends them at random moments, and replaces them.
 *
 * Used by stress-run.ts, on the main thread. Workers send no messages while they work: their
 * progress is read from shared counters (beats), one per region of the ledger.
 *
 * I1  A region has one worker at a time: its next worker starts after the 'exit' event of the last.
 * I2  About half of the workers are watched by the heap; it must find the ends of the others by
 *     itself.
 */

import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { StressJob, StressSetting } from '../../workers/stress-worker.js';
import type { SharedHeap } from '../api/index.js';
import type { Below } from './random.js';

const WORKER = new URL('../../workers/stress-worker.js', import.meta.url);
/** Number of workers that are started ahead of the kills. */
const STANDBYS = 4;
/** Maximum stores to its books before a worker ends itself: it may end in any operation. */
const EXIT_AFTER_MAX = 40;
const EXIT_PERCENT = 20;
/**
 * Number of powers of two for a worker's operations before its kill: 1 to 2,048, equally likely.
 */
const LIFE_STEPS = 12;
const GRANULE_BYTES = 16;
/**
 * Bytes of a cache line: each beat and each exit word has its own, so that workers do not share
 * one.
 */
const LINE_BYTES = 64;
/** Bytes of a region's entries, and of a doubt per kill: see workers/stress-ledger.ts. */
const LEDGER_BYTES_PER_WORKER = 64 * 1024;
const LEDGER_BYTES_PER_KILL = 32;

/** Maximum milliseconds for terminate() to end a thread; usually under a tenth of a second. */
const TERMINATE_MS_MAX = 10_000;
/**
 * True if threads can find out whether another one is alive. Otherwise the heap must be told of
 * every end.
 */
const KNOWS_THE_DEAD = existsSync('/proc/thread-self/stat');

/** A worker that has a region. */
export interface Member {
  readonly region: number;
  readonly worker: Worker;
  /** The region's beat when the worker got it, and the beat from which on it may be killed. */
  readonly firstBeat: number;
  readonly ripeBeat: number;
  /** The last beat that was read, and the time when it was first read. */
  beat: number;
  beatAt: number;
  /** True if the worker is being killed. */
  condemned: boolean;
}

/** A mistake that the workers of region 0 make on purpose. */
export type Mistake = StressJob['mistake'];

export interface CrewOptions {
  readonly threads: number;
  readonly kills: number;
  readonly mistake: Mistake;
  readonly random: Below;
  /** Called when a killed worker has ended, before any other code can know it. */
  onEnd(now: number): void;
}

export class Crew {
  readonly setting: StressSetting;
  /** By region; null if the region has no worker. */
  readonly members: (Member | null)[];
  kills = 0;
  /** Errors of workers that were not killed, and wrong blocks that workers found. */
  readonly errors: string[] = [];
  readonly findings: string[] = [];
  readonly #heap: SharedHeap;
  readonly #random: Below;
  readonly #onEnd: (now: number) => void;
  readonly #beats: Float64Array<SharedArrayBuffer>[];
  readonly #exits: Int32Array<SharedArrayBuffer>[];
  readonly #standbys: Worker[] = [];
  /** All workers that have not ended, standbys included. */
  readonly #alive = new Set<Worker>();
  /** Number of kills that are still to be ordered. */
  #killsLeft: number;
  readonly #mistake: Mistake;
  #stopping = false;

  constructor(heap: SharedHeap, { threads, kills, mistake, random, onEnd }: CrewOptions) {
    const { reservedBytes } = heap.stats();
    const regionBytes = LEDGER_BYTES_PER_WORKER + kills * LEDGER_BYTES_PER_KILL;
    const lines = () => new SharedArrayBuffer(threads * LINE_BYTES);
    const [beats, exits] = [lines(), lines()];
    const regions = Array.from({ length: threads }, (_, region) => region);
    this.#heap = heap;
    this.#random = random;
    this.#onEnd = onEnd;
    this.#killsLeft = kills;
    this.#mistake = mistake;
    this.#beats = regions.map((region) => new Float64Array(beats, region * LINE_BYTES, 1));
    this.#exits = regions.map((region) => new Int32Array(exits, region * LINE_BYTES, 1));
    this.members = regions.map(() => null);
    this.setting = {
      heap: heap.handle,
      ledger: new SharedArrayBuffer(threads * regionBytes),
      threads,
      claims: new Uint8Array(new SharedArrayBuffer(reservedBytes / GRANULE_BYTES)),
      stop: new Int32Array(new SharedArrayBuffer(4)),
    };
  }

  start(): void {
    for (let region = 0; region < this.members.length; region++) this.#man(region);
  }

  get operations(): number {
    return this.#beats.reduce((sum, beat) => sum + beat[0], 0);
  }

  /** Workers that have a region and are not being killed. */
  all(): Member[] {
    return this.members.filter((member) => member !== null).filter((member) => !member.condemned);
  }

  /** Workers that have done something since they got their region. */
  running(): Member[] {
    return this.all().filter((member) => this.beatOf(member) > member.firstBeat);
  }

  /** Workers that have done enough to be killed. */
  ripe(): Member[] {
    return this.all().filter((member) => this.beatOf(member) >= member.ripeBeat);
  }

  get killing(): boolean {
    return this.members.some((member) => member?.condemned);
  }

  beatOf({ region }: Member): number {
    return this.#beats[region][0];
  }

  /** Workers that have made no step for `patienceMs` milliseconds. */
  stuck(now: number, patienceMs: number): Member[] {
    return this.members.filter((member): member is Member => {
      if (member === null) return false;
      const beat = this.beatOf(member);
      if (beat !== member.beat) {
        member.beat = beat;
        member.beatAt = now;
      }
      return now - member.beatAt > patienceMs;
    });
  }

  /**
   * Ends a worker, by terminate() or by the worker's own process.exit(). It ends some time later.
   */
  kill(member: Member): void {
    member.condemned = true;
    this.#killsLeft--;
    if (this.#random(100) < EXIT_PERCENT) {
      this.#exits[member.region][0] = 1 + this.#random(EXIT_AFTER_MAX);
    } else {
      member.worker.terminate();
    }
  }

  /** Tells all workers to stop, and waits for them; returns those that did not stop. */
  async stop(patienceMs: number): Promise<Member[]> {
    this.#stopping = true;
    this.setting.stop[0] = 1;
    for (const standby of this.#standbys) standby.postMessage(null);
    await this.#endOfAll(patienceMs);
    const left = this.members.filter((member) => member !== null);
    for (const worker of this.#alive) worker.terminate();
    await this.#endOfAll(TERMINATE_MS_MAX);
    return left;
  }

  #endOfAll(patienceMs: number): Promise<void> {
    if (this.#alive.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, patienceMs);
      for (const worker of this.#alive) {
        worker.once('exit', () => {
          if (this.#alive.size > 0) return;
          clearTimeout(timer);
          resolve();
        });
      }
    });
  }

  // ---- workers

  #man(region: number): void {
    const worker = this.#standbys.shift() ?? this.#hire();
    const beat = this.#beats[region];
    const exitAfter = this.#exits[region];
    exitAfter[0] = 0;
    this.members[region] = {
      region,
      worker,
      firstBeat: beat[0],
      ripeBeat: beat[0] + (1 << this.#random(LIFE_STEPS)),
      beat: beat[0],
      beatAt: performance.now(),
      condemned: false,
    };
    const seed = this.#random(2 ** 32);
    const mistake = region === 0 ? this.#mistake : null;
    const job: StressJob = { region, seed, beat, exitAfter, mistake };
    worker.postMessage(job);
    while (this.#standbys.length < Math.min(STANDBYS, this.#killsLeft))
      this.#standbys.push(this.#hire());
  }

  #hire(): Worker {
    const worker = new Worker(WORKER, { workerData: this.setting });
    this.#alive.add(worker);
    worker.on('message', (finding: string) => this.findings.push(finding));
    worker.on('error', (error: Error) => this.#fail(worker, String(error)));
    // Registered before the heap's own listener: the clock starts before recovery.
    worker.on('exit', (code) => this.#ended(worker, code));
    if (!KNOWS_THE_DEAD || this.#random(2) === 0) this.#heap.watch(worker);
    return worker;
  }

  #memberOf(worker: Worker): Member | undefined {
    return this.members.find((member) => member?.worker === worker) ?? undefined;
  }

  #fail(worker: Worker, why: string): void {
    const member = this.#memberOf(worker);
    this.errors.push(`worker ${member === undefined ? 'in waiting' : member.region}: ${why}`);
    // A failed worker has been reported; its end is not a further error.
    if (member !== undefined) this.members[member.region] = null;
  }

  #ended(worker: Worker, code: number): void {
    this.#alive.delete(worker);
    const member = this.#memberOf(worker);
    if (member === undefined) return;
    this.members[member.region] = null;
    if (member.condemned) {
      this.kills++;
      this.#onEnd(performance.now());
      if (!this.#stopping) this.#man(member.region);
    } else if (!this.#stopping) {
      this.errors.push(`worker ${member.region}: ended by itself, with code ${code}`);
    }
  }
}
