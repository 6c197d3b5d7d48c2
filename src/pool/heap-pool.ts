/**
 * HeapPool: a pool of worker threads over one heap. Entry `shmalloc/pool`.
 *
 * A piscina pool whose workers find the heap with `SharedHeap.current()`. Main thread (or any other
 * that owns the pool).
 *
 * I1  Every task that was given is settled once the pool has ended, or no worker can start.
 * I2  What run() rejects with has a code, unless the task itself threw it, or its signal's reason.
 */

import { fileURLToPath } from 'node:url';
import type { MessagePort, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type SharedHeap, slotsOf, workerDataWith } from '../api/index.js';
import { laterThisTurn, show, showAsJson, typeError } from '../base/index.js';
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

/** What a pool did so far. */
export interface HeapPoolStats {
  threads: number;
  /** Tasks done, or failed. */
  completed: number;
  /** Tasks that wait for a worker. */
  queued: number;
  /**
   * Mean time of a task in its worker, in milliseconds; 0 before the first is done, null with
   * `recordTiming: false`.
   */
  meanRunMs: number | null;
  /** Part of the workers' time that tasks took, 0 to 1; null with `recordTiming: false`. */
  utilization: number | null;
}

/** What piscina loads in a worker. */
const ENTRY = fileURLToPath(new URL('./worker-entry.cjs', import.meta.url));
/** Workers that may end in a row with no task settled in between, before the pool gives up. */
const FRUITLESS_MAX = 3;
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

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
  /** What keeps workers from starting. */
  #failure: Error | null = null;
  /** How to reject the tasks that are under way. */
  readonly #waiting = new Set<(error: unknown) => void>();
  readonly #watched = new WeakSet<Worker>();
  /** Workers that ended since a task was last settled. */
  #fruitless = 0;
  #settledBefore = 0;
  /** What the last worker that failed outside of a task failed with. */
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
      filename: ENTRY,
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
      // It may end before it is known to be ready, too.
      this.#watchWorkers();
      // Piscina starts another one, or not, right after this.
      laterThisTurn(() => this.#onWorkerEnd());
    });
    // A worker that fails while it has no task rejects nothing: piscina emits it, and an error that
    // nobody listens to would end the process.
    this.#piscina.on('error', (error: Error) => {
      this.#lastError = error;
      if (this.#piscina.threads.length > 0) warnOfWorker(error);
    });
  }

  /**
   * Runs a task in a worker. Rejects with what the task threw, its class, code and properties as they
   * were; with what ended its worker; with an AbortError when `signal` was aborted.
   *
   * Rejects with ERR_SHMALLOC_INVALID_OPTION; ERR_SHMALLOC_NOT_CLONEABLE: the task or its result
   * cannot go to another thread; ERR_SHMALLOC_WORKER_MODULE: the workers' module cannot be loaded, or
   * exports no function; ERR_SHMALLOC_WORKER_ENDED: the worker ended, by process.exit() say;
   * ERR_SHMALLOC_POOL_FULL: `maxQueue` tasks wait; ERR_SHMALLOC_POOL_ENDED: destroy() was called.
   */
  async run<Result = unknown>(task?: unknown, options?: HeapPoolRunOptions): Promise<Result> {
    const { filename, name, ...rest } = readRunOptions(options);
    if (this.#end !== null) throw poolEnded();
    if (this.#failure !== null) throw this.#failure;
    const href = filename === undefined ? this.#plan.href : hrefOf('HeapPool.run', filename);
    const taskName = writeTaskName({ href, exported: name ?? this.#plan.name });
    const running = this.#piscina.run(task, { ...rest, name: taskName } as RunOptions);
    // It may have started a worker.
    this.#watchWorkers();
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.add(reject);
      running
        .then(resolve, (thrown) => reject(explainRejection(thrown, this.#end !== null, task)))
        .finally(() => this.#waiting.delete(reject));
    });
  }

  /** The heap recovers each worker as it ends: by an aborted task, process.exit(), a failure. */
  #watchWorkers(): void {
    for (const worker of this.#piscina.threads) {
      if (this.#watched.has(worker) || worker.threadId < 0) continue;
      this.#watched.add(worker);
      this.heap.watch(worker);
    }
  }

  /**
   * Piscina starts no worker in place of one that ended before it was ready, and none ever again for
   * those that end later: tasks that wait would wait for ever.
   */
  #onWorkerEnd(): void {
    if (this.#end !== null || this.#failure !== null) return;
    if (this.#waiting.size === 0 || this.#piscina.threads.length > 0) return;
    const { completed } = this.#piscina;
    this.#fruitless = completed === this.#settledBefore ? this.#fruitless + 1 : 1;
    this.#settledBefore = completed;
    if (this.#fruitless > FRUITLESS_MAX) this.#fail();
    // Piscina starts a worker for a task that no worker can take.
    else this.#piscina.run(undefined, { name: WAKE_UP }).catch(() => this.#fail());
  }

  /** No worker can start: no task will ever be done. */
  #fail(): void {
    if (this.#end !== null || this.#failure !== null) return;
    this.#failure = cannotStart(fileOf(this.#plan.href), this.#lastError);
    for (const reject of this.#waiting) reject(this.#failure);
    void this.#piscina.destroy();
  }

  stats(): HeapPoolStats {
    const pool = this.#piscina;
    const isTimed = pool.options.recordTiming;
    return {
      threads: pool.threads.length,
      completed: pool.completed,
      queued: pool.queueSize,
      // The mean of no task at all is NaN.
      meanRunMs: isTimed ? pool.histogram.runTime.mean || 0 : null,
      utilization: isTimed ? pool.utilization : null,
    };
  }

  /**
   * Ends all workers, at once, and takes back the slots and caches that they had in the heap. Tasks
   * that are not done reject with ERR_SHMALLOC_POOL_ENDED. A second call waits for the same end.
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
      // There is nothing to take back in a broken heap, and its next call says so; nor for a thread
      // that has detached.
      if (!isHeapGone(error)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  /** What JSON.stringify shows. */
  toJSON(): Omit<HeapPoolStats, 'meanRunMs' | 'utilization'> & { filename: string } {
    const { threads, completed, queued } = this.stats();
    return { filename: fileOf(this.#plan.href), threads, completed, queued };
  }

  /** What a text shows that it is put into. */
  toString(): string {
    return this[INSPECT]();
  }

  /** What console.log shows. */
  [INSPECT](): string {
    const { filename, threads, completed, queued } = this.toJSON();
    const state = this.#end === null ? '' : ', destroyed';
    const workers = `${threads} ${threads === 1 ? 'worker' : 'workers'}`;
    const tasks = `${completed} ${completed === 1 ? 'task' : 'tasks'} done`;
    return `HeapPool of ${filename}: ${workers}, ${tasks}, ${queued} wait${state}`;
  }
}

showAsJson(HeapPool.prototype);

/** @throws TypeError ERR_SHMALLOC_NOT_CLONEABLE; what Node says of arguments for a worker */
function start(options: object): Piscina {
  try {
    return new Piscina(options as PiscinaOptions);
  } catch (error) {
    throw explainStart(error);
  }
}

/** The user's balancer sees tasks as the user named them. */
function balancerOver(balance: PoolLoadBalancer): PoolLoadBalancer {
  return (task, workers) => {
    const { href, exported } = readTaskName(task.name);
    return balance({ ...task, filename: fileOf(href), name: exported }, workers);
  };
}

function checkHeap(heap: unknown): void {
  if (isHeap(heap)) {
    // Refuses to, where this thread has detached.
    heap.releasedContexts();
    // Slots of dead threads are for the workers.
    heap.recover();
    return;
  }
  const isHandle = typeof heap === 'object' && heap !== null && 'buffer' in heap && 'id' in heap;
  throw typeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    isHandle
      ? 'HeapPool: the first argument is a heap, got a handle: SharedHeap.attach(handle) is its heap'
      : `HeapPool: the first argument is a heap, SharedHeap.create() say, got ${show(heap)}`,
  );
}

/** Slots of threads that have ended are free again: checkHeap. */
const roomIn = (heap: SharedHeap): Room => ({
  slots: slotsOf(heap.handle),
  taken: heap.toJSON().threads,
});

/** Told by what it can do: it may come from another copy of this package. */
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
 * A result that cannot be read here settles its worker's tasks: nothing else would. Piscina rejects
 * them as those of a worker that fails, and starts another.
 * @param created what piscina says of a worker; the port of its results is behind a symbol
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
