/**
 * The threads of bench/crowd-run.ts: the main thread starts them, gives orders, reads figures and
 * kills them.
 */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { SharedHeap } from 'shmalloc';
import {
  ATTACHED,
  type CrowdJob,
  type CrowdRole,
  clockMs,
  END,
  FIGURES,
  GO,
  KILLS,
  ORDER,
  SEEN_KILL,
  SEEN_MS,
  VICTIMS,
} from './crowd-board.js';

const WORKER = new URL('./crowd.worker.js', import.meta.url);
const LOOK_EVERY_MS = 5;
const ORDER_BYTES = 1024;

export class Crowd {
  readonly #heap: SharedHeap;
  readonly #orders = new Int32Array(new SharedArrayBuffer(ORDER_BYTES));
  readonly #figures: Float64Array<SharedArrayBuffer>;
  readonly #workers: readonly Worker[];
  readonly #ends: readonly Promise<unknown>[];

  constructor(heap: SharedHeap, roles: readonly CrowdRole[]) {
    this.#heap = heap;
    const orders = this.#orders;
    const figures = new Float64Array(new SharedArrayBuffer(roles.length * FIGURES * 8));
    this.#figures = figures;
    this.#workers = roles.map((role, index) => {
      const startWord = role === 'victim' ? VICTIMS + index : ORDER;
      const job: CrowdJob = { role, heap: heap.handle, orders, figures, index, startWord };
      return new Worker(WORKER, { workerData: job });
    });
    this.#ends = this.#workers.map((worker) => once(worker, 'exit'));
  }

  async attached(): Promise<void> {
    while (Atomics.load(this.#orders, ATTACHED) < this.#workers.length) await sleep(LOOK_EVERY_MS);
  }

  /** Starts all threads except victims. */
  start(): void {
    this.#order(ORDER, GO);
  }

  startVictim(index: number): void {
    this.#order(VICTIMS + index, GO);
  }

  #order(word: number, order: number): void {
    Atomics.store(this.#orders, word, order);
    Atomics.notify(this.#orders, word);
  }

  figure(index: number, figure: number): number {
    return this.#figures[index * FIGURES + figure] as number;
  }

  /** One figure of all threads. */
  all(figure: number): number[] {
    return this.#workers.map((_, index) => this.figure(index, figure));
  }

  /** Kills a thread without a message to the heap: the other threads find out by themselves. */
  async kill(index: number): Promise<void> {
    Atomics.add(this.#orders, KILLS, 1);
    await this.#workers[index]?.terminate();
  }

  /**
   * The time, in ms, at which each of the first `threads` threads had a call return after the last
   * kill.
   */
  async allWentOn(threads: number, limitMs: number): Promise<number> {
    const kills = Atomics.load(this.#orders, KILLS);
    for (;;) {
      const seen = this.all(SEEN_KILL).slice(0, threads);
      if (seen.every((kill) => kill === kills)) break;
      if (clockMs() > limitMs) throw new Error(`no rescue: ${seen} of ${kills}`);
      await sleep(LOOK_EVERY_MS);
    }
    return Math.max(...this.all(SEEN_MS).slice(0, threads));
  }

  /** Ends all threads, and checks that the heap is not broken. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#order(ORDER, END);
    for (const [index] of this.#workers.entries()) this.#order(VICTIMS + index, GO);
    await Promise.all(this.#ends);
    const { ok, problems } = this.#heap.verify({ quiet: true });
    if (!ok) throw new Error(`the heap is broken: ${JSON.stringify(problems)}`);
  }
}
