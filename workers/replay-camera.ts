/**
 * Camera: takes maps of the heap at given operations of a replay.
 *
 * Used by replay-worker.ts, in its thread.
 */

import { performance } from 'node:perf_hooks';
import type { HeapMap, SharedHeap } from 'shmalloc';

/** A map to take in the first replay after a number of operations, and the reason for it. */
export interface MapWanted {
  readonly after: number;
  readonly why: 'most' | 'frame';
}

/**
 * A map, and the number of operations before it; `full`: it was taken because the heap was full.
 */
export interface MapTaken {
  readonly after: number;
  readonly why: MapWanted['why'] | 'full';
  /** Milliseconds on a clock that all threads share. */
  readonly atMs: number;
  readonly map: HeapMap;
}

/** Takes the wanted maps during the first replay, and measures the time for it. */
export class Camera {
  readonly taken: MapTaken[] = [];
  spentMs = 0;
  readonly #heap: SharedHeap;
  #wanted: readonly MapWanted[];
  readonly #isAsked: boolean;

  constructor(heap: SharedHeap, wanted: readonly MapWanted[]) {
    this.#heap = heap;
    this.#wanted = wanted;
    this.#isAsked = wanted.length > 0;
  }

  /** Number of operations after which the next map is due. */
  get next(): number {
    return this.#wanted[0]?.after ?? Number.POSITIVE_INFINITY;
  }

  takeDue(done: number): void {
    while (this.next <= done) {
      this.#take(done, this.#wanted[0].why);
      this.#wanted = this.#wanted.slice(1);
    }
  }

  /** The heap is full: no later map is taken, and this one shows why. */
  takeFull(done: number): void {
    if (this.#isAsked) this.#take(done, 'full');
  }

  /** The first replay is over. */
  stop(): void {
    this.#wanted = [];
    this.spentMs = 0;
  }

  #take(after: number, why: MapTaken['why']): void {
    const started = performance.now();
    const map = this.#heap.inspect.map();
    this.taken.push({ after, why, atMs: performance.timeOrigin + started, map });
    this.spentMs += performance.now() - started;
  }
}
