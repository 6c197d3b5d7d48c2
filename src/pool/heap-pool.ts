/**
 * HeapPool: a pool of worker threads over one heap. Entry `shmalloc/pool`.
 *
 * A piscina pool whose workers find the heap with `SharedHeap.current()`. Main thread (or any other
 * that owns the pool).
 */

import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { isCorruption, isPlainObject, typeError } from '../base/index.js';
import { type SharedHeap, workerDataWith } from '../face/index.js';

type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;
type RunOptions = NonNullable<Parameters<Piscina['run']>[1]>;

/** All of piscina's options, with these in place of some. */
export interface HeapPoolOptions
  extends Omit<PiscinaOptions, 'filename' | 'minThreads' | 'maxThreads' | 'workerData'> {
  /** The worker's module, as URL or path: its default export is the task. */
  filename: string | URL;
  /** Workers, from the start to the end. Default: as many as there are processors. */
  threads?: number;
  /** Plain data for the workers; the heap's handle is added to it. */
  workerData?: Record<string, unknown>;
}

/** What a pool did so far. */
export interface HeapPoolStats {
  threads: number;
  /** Tasks done. */
  completed: number;
  /** Tasks that wait for a worker. */
  queued: number;
  /** Mean time of a task in its worker, in milliseconds; 0 before the first is done. */
  meanRunMs: number;
  /** Part of the workers' time that tasks took, 0 to 1. */
  utilization: number;
}

/**
 * @example
 * ```ts
 * const pool = new HeapPool(heap, { filename: new URL('./worker.js', import.meta.url), threads: 2
 * }); await pool.run({ address: p });   // in the worker: SharedHeap.current().i32[address >>> 2]
 * await pool.destroy();
 * ```
 */
export class HeapPool {
  readonly heap: SharedHeap;
  readonly #piscina: Piscina;
  /** What keeps workers from starting. */
  #failure: Error | null = null;
  /** How to reject the tasks that are under way. */
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #watched = new WeakSet<Worker>();

  /** @throws TypeError ERR_SHMALLOC_INVALID_OPTION, and what piscina throws */
  constructor(heap: SharedHeap, options: HeapPoolOptions) {
    const { filename, threads = availableParallelism(), workerData = {}, ...rest } = options;
    if (filename === undefined) {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        'HeapPool: filename, the module of its workers, is missing',
      );
    }
    if (!isPlainObject(workerData)) {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        "HeapPool: workerData must be a plain object: the heap's handle is added to it",
      );
    }
    this.heap = heap;
    this.#piscina = new Piscina({
      ...rest,
      filename: String(filename),
      workerData: workerDataWith(heap.handle, workerData),
      minThreads: threads,
      maxThreads: threads,
    });
    this.#watchWorkers();
    this.#piscina.on('workerCreate', () => this.#watchWorkers());
    // It ends before it is known to be ready, too.
    this.#piscina.on('workerDestroy', () => this.#watchWorkers());
    // A worker that fails while it has no task rejects nothing: piscina emits it, and an error that
    // nobody listens to would end the process. Before any task is done it means that workers cannot
    // start (their module is missing, say), and no task would ever be done.
    this.#piscina.on('error', (error: Error) => {
      if (this.#piscina.completed === 0) this.#fail(error);
      else warnOfWorker(error);
    });
  }

  /**
   * Runs a task in a worker. Takes piscina's run options (signal, transferList, name, ...). Rejects
   * with what the task threw, or with what keeps workers from starting.
   */
  run<Result = unknown>(task: unknown, options: RunOptions = {}): Promise<Result> {
    this.#watchWorkers();
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#waiting.add(reject);
      (this.#piscina.run(task, options) as Promise<Result>)
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const reject of this.#waiting) reject(error);
  }

  /** The heap recovers each worker as it ends: by an aborted task, process.exit(), a failure. */
  #watchWorkers(): void {
    for (const worker of this.#piscina.threads) {
      if (this.#watched.has(worker) || worker.threadId < 0) continue;
      this.#watched.add(worker);
      this.heap.watch(worker);
    }
  }

  stats(): HeapPoolStats {
    const pool = this.#piscina;
    return {
      threads: pool.threads.length,
      completed: pool.completed,
      queued: pool.queueSize,
      // Of no task there is no mean.
      meanRunMs: pool.completed === 0 ? 0 : pool.histogram.runTime.mean,
      utilization: pool.utilization,
    };
  }

  /** Ends all workers, at once, and takes back the slots and caches that they had in the heap. */
  async destroy(): Promise<void> {
    await this.#piscina.destroy();
    try {
      this.heap.recover();
    } catch (error) {
      // There is nothing to take back in a broken heap, and its next call says so.
      if (!isCorruption(error)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }
}

function warnOfWorker(error: Error): void {
  process.emitWarning(`a worker failed outside of a task: ${error.message}`, {
    code: 'SHMALLOC_WORKER_FAILED',
  });
}
