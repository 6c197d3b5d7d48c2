/**
 * HeapPool: a pool of worker threads over one heap. Entry `shmalloc/pool`.
 *
 * A piscina pool whose workers find the heap with `SharedHeap.current()`. Used on the main thread,
 * or on another thread that owns the pool.
 *
 * I1  Every task is settled once the pool has ended, or no worker can start.
 * I2  An error that run() rejects with has a code, unless the task threw it or it is the signal's
 *     reason.
 */

import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { MessagePort, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type SharedHeap, slotsOf, workerDataWith } from '../api/index.js';
import { INSPECT, laterThisTurn, show, showAsJson, typeError } from '../base/index.js';
import {
  type HeapPoolOptions,
  type HeapPoolRunOptions,
  type PoolLoadBalancer,
  type PoolPlan,
  type Room,
  readPoolOptions,
  readRunOptions,
} from './pool-options.js';
import {
  cannotStart,
  explainRejection,
  explainStart,
  poolEnded,
  unreadable,
} from './rejections.js';
import { fileOf, hrefOf, readTaskName, WAKE_UP, writeTaskName } from './task-name.js';

type PiscinaOptions = ConstructorParameters<typeof Piscina>[0];
type RunOptions = Parameters<Piscina['run']>[1];

/** Counts of a pool so far. */
export interface HeapPoolStats {
  threads: number;
  /** Tasks that succeeded or failed. */
  completed: number;
  /** Tasks that wait for a worker. */
  queued: number;
  /**
   * Mean time of a task in its worker, in milliseconds; 0 before the first task is done, null with
   * `recordTiming: false`.
   */
  meanRunMs: number | null;
  /** Part of the workers' time that tasks took, 0 to 1; null with `recordTiming: false`. */
  utilization: number | null;
}

/**
 * The path of the file that piscina loads in a worker. A bundler does not copy that file: a bundle finds
 * it as the program finds piscina, in node_modules.
 */
function workerEntry(): string {
  // A CommonJS bundle has no import.meta.url.
  const here = import.meta.url ?? pathToFileURL(__filename).href;
  const beside = fileURLToPath(new URL(ENTRY, here));
  if (existsSync(beside)) return beside;
  // Not by an import: webpack would put its own resolve() in the place of an imported one.
  const { createRequire } = process.getBuiltinModule('node:module');
  return createRequire(here).resolve('shmalloc/pool/worker');
}

/** A variable: bundlers copy a file named inside `new URL()`, without the files that it loads. */
const ENTRY = './worker-entry.cjs';
/** Maximum workers that end in a row without a settled task; then the pool gives up. */
const FRUITLESS_MAX = 3;

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
  readonly #plan: PoolPlan;
  readonly #piscina: Piscina;
  /** The reason why workers cannot start. */
  #failure: Error | null = null;
  /** Functions that reject the tasks under way. */
  readonly #waiting = new Set<(error: unknown) => void>();
  readonly #watched = new WeakSet<Worker>();
  /** Workers that ended since the last settled task. */
  #fruitless = 0;
  #settledBefore = 0;
  /** Error of the last worker that failed outside of a task. */
  #lastError: Error | null = null;
  #end: Promise<void> | null = null;

  /**
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_DETACHED,
   *   ERR_SHMALLOC_NO_SLOT
   */
  constructor(heap: SharedHeap, options: HeapPoolOptions) {
    checkHeap(heap);
    this.#plan = readPoolOptions(options, roomIn(heap));
    const { href, name, workerData = {}, loadBalancer, ...rest } = this.#plan;
    this.heap = heap;
    this.#piscina = start({
      ...rest,
      filename: workerEntry(),
      name: writeTaskName({ href, exported: name }),
      workerData: workerDataWith(heap.handle, workerData),
      ...(loadBalancer && { loadBalancer: balancerOver(loadBalancer) }),
    });
    this.#watchWorkers();
    this.#piscina.on('workerCreate', (created: object) => {
      this.#watchWorkers();
      listenForUnreadable(created);
    });
    this.#piscina.on('workerDestroy', () => {
      // A worker may also end before piscina knows that it is ready.
      this.#watchWorkers();
      // Directly after this, piscina starts another worker or does not.
      laterThisTurn(() => this.#onWorkerEnd());
    });
    // A worker that fails without a task rejects no task: piscina emits the error, and an error
    // event without a listener would end the process.
    this.#piscina.on('error', (error: Error) => {
      this.#lastError = error;
      if (this.#piscina.threads.length > 0) warnOfWorker(error);
    });
  }

  /**
   * Runs a task in a worker. Rejects with the error that the task threw (class, code and properties
   * are kept); with the error that ended its worker; or with an AbortError if `signal` was aborted.
   *
   * @param task anything that structured clone takes: an address, an object of numbers, a handle
   * @param options signal, another module or export, objects to transfer
   * @returns the result of the task; its type is what the caller says: `pool.run<number>(task)`
   * @throws what the task throws, or an error with a code: ERR_SHMALLOC_INVALID_OPTION;
   *   ERR_SHMALLOC_NOT_CLONEABLE: the task or its result cannot be sent to another thread;
   *   ERR_SHMALLOC_WORKER_MODULE: the workers' module cannot be loaded, or exports no function;
   *   ERR_SHMALLOC_WORKER_ENDED: the worker ended, for example by process.exit();
   *   ERR_SHMALLOC_POOL_FULL: `maxQueue` tasks wait; ERR_SHMALLOC_POOL_ENDED: destroy() was called
   *
   * Threads: the one that made the pool.
   */
  async run<Result = unknown>(task?: unknown, options?: HeapPoolRunOptions): Promise<Result> {
    const { filename, name, ...rest } = readRunOptions(options);
    if (this.#end !== null) throw poolEnded();
    if (this.#failure !== null) throw this.#failure;
    const href = filename === undefined ? this.#plan.href : hrefOf('HeapPool.run', filename);
    const taskName = writeTaskName({ href, exported: name ?? this.#plan.name });
    const running = this.#piscina.run(task, { ...rest, name: taskName } as RunOptions);
    // The call may have started a worker.
    this.#watchWorkers();
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.add(reject);
      running
        .then(resolve, (thrown) => reject(explainRejection(thrown, this.#end !== null, task)))
        .finally(() => this.#waiting.delete(reject));
    });
  }

  /** The heap recovers each worker that ends, by an aborted task, process.exit() or a failure. */
  #watchWorkers(): void {
    for (const worker of this.#piscina.threads) {
      if (this.#watched.has(worker) || worker.threadId < 0) continue;
      this.#watched.add(worker);
      this.heap.watch(worker);
    }
  }

  /**
   * Piscina does not replace a worker that ended before it was ready, nor any that ends later:
   * waiting tasks would wait for ever.
   */
  #onWorkerEnd(): void {
    if (this.#end !== null || this.#failure !== null) return;
    if (this.#waiting.size === 0 || this.#piscina.threads.length > 0) return;
    const { completed } = this.#piscina;
    this.#fruitless = completed === this.#settledBefore ? this.#fruitless + 1 : 1;
    this.#settledBefore = completed;
    if (this.#fruitless > FRUITLESS_MAX) this.#fail();
    // For a task that no worker can take, piscina starts a worker.
    else this.#piscina.run(undefined, { name: WAKE_UP }).catch(() => this.#fail());
  }

  /** No worker can start: rejects all tasks. */
  #fail(): void {
    if (this.#end !== null || this.#failure !== null) return;
    this.#failure = cannotStart(fileOf(this.#plan.href), this.#lastError);
    for (const reject of this.#waiting) reject(this.#failure);
    void this.#piscina.destroy();
  }

  stats(): HeapPoolStats {
    const pool = this.#piscina;
    const { recordTiming: isTimed, maxThreads } = pool.options;
    const { completed } = pool;
    // The mean of no tasks is NaN.
    const meanRunMs = isTimed ? pool.histogram.runTime.mean || 0 : null;
    // Piscina's own figure divides seconds by milliseconds.
    const used = meanRunMs === null ? null : (meanRunMs * completed) / (pool.duration * maxThreads);
    return {
      threads: pool.threads.length,
      completed,
      queued: pool.queueSize,
      meanRunMs,
      utilization: used === null ? null : Math.min(used, 1),
    };
  }

  /**
   * Ends all workers at once, and takes back their slots and caches in the heap. Tasks that are not
   * done reject with ERR_SHMALLOC_POOL_ENDED. A second call waits for the same end.
   */
  destroy(): Promise<void> {
    this.#end ??= this.#destroy();
    return this.#end;
  }

  async #destroy(): Promise<void> {
    await this.#piscina.destroy();
    try {
      this.heap.recover();
    } catch (error) {
      // A broken heap has nothing to take back, and its next call reports that it is broken; a
      // thread that has detached has nothing to take back either.
      if (!isHeapGone(error)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  /** The form that JSON.stringify shows. */
  toJSON(): Omit<HeapPoolStats, 'meanRunMs' | 'utilization'> & { filename: string } {
    const { threads, completed, queued } = this.stats();
    return { filename: fileOf(this.#plan.href), threads, completed, queued };
  }

  /** The text of the pool in a template or a concatenation. */
  toString(): string {
    return this[INSPECT]();
  }

  /** The text that console.log shows. */
  [INSPECT](): string {
    const { filename, threads, completed, queued } = this.toJSON();
    const state = this.#end === null ? '' : ', destroyed';
    const workers = `${threads} ${threads === 1 ? 'worker' : 'workers'}`;
    const tasks = `${completed} ${completed === 1 ? 'task' : 'tasks'} done`;
    return `HeapPool of ${filename}: ${workers}, ${tasks}, ${queued} wait${state}`;
  }
}

showAsJson(HeapPool.prototype);

/** @throws TypeError ERR_SHMALLOC_NOT_CLONEABLE; Node's errors about a worker's arguments */
function start(options: object): Piscina {
  try {
    return new Piscina(options as PiscinaOptions);
  } catch (error) {
    throw explainStart(error);
  }
}

/** The user's balancer gets tasks with the user's names. */
function balancerOver(balance: PoolLoadBalancer): PoolLoadBalancer {
  return (task, workers) => {
    const { href, exported } = readTaskName(task.name);
    return balance({ ...task, filename: fileOf(href), name: exported }, workers);
  };
}

function checkHeap(heap: unknown): void {
  if (isHeap(heap)) {
    // Throws if this thread has detached.
    heap.contexts.released();
    // Frees the slots of dead threads for the workers.
    heap.recover();
    return;
  }
  const isHandle = typeof heap === 'object' && heap !== null && 'buffer' in heap && 'id' in heap;
  throw typeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    isHandle
      ? 'HeapPool: the first argument must be a heap, got a handle: SharedHeap.attach(handle) gives its heap'
      : `HeapPool: the first argument must be a heap, such as SharedHeap.create(), got ${show(heap)}`,
  );
}

/** Slots of ended threads are free by now: see checkHeap. */
const roomIn = (heap: SharedHeap): Room => ({
  slots: slotsOf(heap.handle),
  taken: heap.toJSON().threads,
});

/** Checks for the methods of a heap: it may come from another copy of this package. */
function isHeap(value: unknown): value is SharedHeap {
  if (typeof value !== 'object' || value === null) return false;
  const { handle, watch, recover } = value as Record<string, unknown>;
  return [typeof handle, typeof watch, typeof recover].join() === 'object,function,function';
}

function isHeapGone(error: unknown): boolean {
  const { code } = Object(error) as { code?: unknown };
  return code === 'ERR_SHMALLOC_CORRUPTION' || code === 'ERR_SHMALLOC_DETACHED';
}

/**
 * Settles a worker's tasks if its result cannot be read here; otherwise they would never be
 * settled. Piscina rejects them as tasks of a failed worker, and starts another worker.
 * @param created piscina's object for a worker; the port for results is behind a symbol
 */
function listenForUnreadable(created: object): void {
  for (const symbol of Object.getOwnPropertySymbols(created)) {
    const { port, worker } = Object((created as Record<symbol, unknown>)[symbol]) as {
      port?: MessagePort;
      worker?: Worker;
    };
    port?.on('messageerror', (error: Error) => worker?.emit('error', unreadable(error)));
  }
}

function warnOfWorker(error: Error): void {
  process.emitWarning(`a worker failed outside of a task: ${error.message}`, {
    code: 'SHMALLOC_WORKER_FAILED',
  });
}
