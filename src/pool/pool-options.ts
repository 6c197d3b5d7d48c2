/**
 * Options of a pool, checked before piscina gets them.
 *
 * Used by heap-pool.ts. The types are written out here, since piscina's own types do not compile in
 * every program (exactOptionalPropertyTypes), and so that its next version cannot change them
 * silently.
 */

import { availableParallelism } from 'node:os';
import { type ResourceLimits, SHARE_ENV } from 'node:worker_threads';
import {
  ANYTHING,
  builtinTag,
  callback,
  FLAG,
  HeapError,
  isPlainObject,
  type OptionValue,
  type OptionValues,
  oneOf,
  rangeError,
  readOptions,
  TEXT,
  typeError,
  wholeFrom,
} from '../base/index.js';
import { hrefOf } from './task-name.js';

/** Options of a HeapPool. Those without a comment are piscina's, and have its meaning. */
export interface HeapPoolOptions {
  /** The worker's module, as URL or path. Its default export runs the tasks. */
  filename: string | URL;
  /** Name of the export that runs the tasks, if it is not the default export. */
  name?: string | undefined;
  /**
   * Number of workers. Default: the number of processors, or of free thread slots in the heap if
   * that is less. More workers than free slots are refused.
   */
  threads?: number | undefined;
  /** In place of `threads`: minimum workers, at least 1; more are started while tasks wait. */
  minThreads?: number | undefined;
  /** In place of `threads`: maximum workers. */
  maxThreads?: number | undefined;
  /** Milliseconds that a worker above `minThreads` may be idle. Default: 0. */
  idleTimeout?: number | undefined;
  /** Maximum waiting tasks; `run` refuses more. Default: no limit; `'auto'`: maxThreads squared. */
  maxQueue?: number | 'auto' | undefined;
  /** Maximum tasks in a worker at a time, for asynchronous tasks. Default: 1. */
  concurrentTasksPerWorker?: number | undefined;
  /**
   * How a worker waits for its next task: blocked in Atomics.wait (the default), or not blocked.
   */
  atomics?: 'sync' | 'async' | 'disabled' | undefined;
  /** As in `new Worker`. A worker over its limit ends, and its task rejects. */
  resourceLimits?: ResourceLimits | undefined;
  /** As in `new Worker`. */
  argv?: readonly string[] | undefined;
  /** As in `new Worker`. */
  execArgv?: readonly string[] | undefined;
  /** As in `new Worker`. */
  env?: NodeJS.ProcessEnv | typeof SHARE_ENV | undefined;
  /** Plain data for the workers; the heap's handle is added to it. */
  workerData?: Record<string, unknown> | undefined;
  taskQueue?: PoolTaskQueue | undefined;
  /**
   * Raises the workers' nice value (on Windows their priority), if `@napi-rs/nice` is installed.
   */
  niceIncrement?: number | undefined;
  /** As in `new Worker`. */
  trackUnmanagedFds?: boolean | undefined;
  /** If false, tasks are not timed, and the times in `stats()` are null. Default: true. */
  recordTiming?: boolean | undefined;
  stricterFIFO?: boolean | undefined;
  loadBalancer?: PoolLoadBalancer | undefined;
  /** Record times of each worker's tasks for `loadBalancer`. Default: false. */
  workerHistogram?: boolean | undefined;
}

/** The queue of waiting tasks, such as piscina's `FixedQueue` and `ArrayTaskQueue`. */
export interface PoolTaskQueue {
  readonly size: number;
  shift(): object | null;
  push(task: object): void;
  unshift?(task: object): void;
  remove(task: object): void;
}

/** Chooses the worker of a task; null lets the task wait. */
export type PoolLoadBalancer = (task: PoolTask, workers: PoolWorker[]) => PoolWorker | null;

/** A task, as a load balancer sees it. */
export interface PoolTask {
  taskId: number;
  filename: string;
  name: string;
  /** Time of the call of run(), by performance.now(). */
  created: number;
  /** True if the task has a signal. */
  isAbortable: boolean;
}

/** A worker, as a load balancer sees it. */
export interface PoolWorker {
  /** The worker's threadId. */
  readonly id: number;
  /** Number of tasks in the worker; Infinity if one of them has a signal. */
  readonly currentUsage: number;
  readonly isRunningAbortableTask: boolean;
  /** Milliseconds; with `workerHistogram: true`. */
  readonly histogram: Readonly<Record<string, number>> | null;
  readonly terminating: boolean;
  readonly destroyed: boolean;
}

/** Options of HeapPool.run. */
export interface HeapPoolRunOptions {
  /** Ends the task: its worker is terminated and replaced. */
  signal?: AbortSignal | undefined;
  /** Another module in place of the pool's. */
  filename?: string | URL | undefined;
  /** Another export in place of the pool's. */
  name?: string | undefined;
  /** Objects that are transferred to the worker and not copied. */
  transferList?: readonly object[] | undefined;
}

/** An option whose value is used as it is. */
const value = (
  allowed: string,
  allows: (given: unknown) => boolean,
  types: readonly string[] = [],
): OptionValue<never> => ({
  allowed,
  types,
  fromCode: (given) => (allows(given) ? (given as never) : undefined),
});

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const has = (value: unknown, method: string): boolean =>
  isObject(value) && typeof (value as Record<string, unknown>)[method] === 'function';

const TEXTS = value(
  'an array of texts',
  (given) => Array.isArray(given) && given.every((text) => typeof text === 'string'),
);
const THREADS = wholeFrom('a whole number of workers, 1 at least', 1);
const isNotNegative = (given: unknown): boolean => typeof given === 'number' && given >= 0;

const VALUES: OptionValues<HeapPoolOptions> = {
  // hrefOf reports what is wrong with it.
  filename: ANYTHING,
  name: TEXT,
  threads: THREADS,
  minThreads: THREADS,
  maxThreads: THREADS,
  idleTimeout: value('a number of milliseconds, or Infinity', isNotNegative, ['number']),
  maxQueue: value(
    "a whole number of tasks, Infinity or 'auto'",
    (given) =>
      given === 'auto' || given === Infinity || (isNotNegative(given) && Number.isInteger(given)),
    ['number'],
  ),
  concurrentTasksPerWorker: wholeFrom('a whole number of tasks, 1 at least', 1),
  atomics: oneOf('sync', 'async', 'disabled'),
  resourceLimits: value("an object of a Worker's resource limits", isObject),
  argv: TEXTS,
  execArgv: TEXTS,
  env: value(
    'an object of variables, or SHARE_ENV',
    (given) => isObject(given) || given === SHARE_ENV,
  ),
  workerData: value("a plain object: the heap's handle is added to it", isPlainObject),
  taskQueue: value(
    'an object with size, push(), shift() and remove()',
    (given) =>
      ['push', 'shift', 'remove'].every((method) => has(given, method)) &&
      'size' in (given as object),
  ),
  niceIncrement: wholeFrom('a whole number', process.platform === 'win32' ? -Infinity : 0),
  trackUnmanagedFds: FLAG,
  recordTiming: FLAG,
  stricterFIFO: FLAG,
  loadBalancer: callback('a function of a task and the workers'),
  workerHistogram: FLAG,
};

const RUN_VALUES: OptionValues<HeapPoolRunOptions> = {
  signal: value('an AbortSignal', (given) => has(given, 'addEventListener') || has(given, 'once')),
  filename: ANYTHING,
  name: TEXT,
  transferList: value('an array of what is transferred', Array.isArray),
};

/** Options of piscina, or of older versions, that a HeapPool does not have, with advice. */
const REFUSED: Readonly<Record<string, string>> = {
  closeTimeout: 'a HeapPool has no close(), and destroy() waits for no task',
  useAtomics: "it is called atomics now: 'sync', 'async' or 'disabled'",
};

/** The options of a pool with every default filled in. */
export type PoolPlan = Omit<HeapPoolOptions, 'filename' | 'threads'> & {
  readonly href: string;
  readonly name: string;
  readonly minThreads: number;
  readonly maxThreads: number;
};

/** True for a URL of any realm. */
const isUrl = (given: unknown): boolean => builtinTag(given) === '[object URL]';

/** Number of thread slots in the pool's heap. */
export interface Room {
  readonly slots: number;
  /** Slots of threads that are attached now, the pool's owner included. */
  readonly taken: number;
}

/**
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_NO_SLOT
 */
export function readPoolOptions(given: unknown, room: Room): PoolPlan {
  if (given === undefined || typeof given === 'string' || isUrl(given)) {
    throw invalid(
      'HeapPool: the second argument must be an object with the filename of the workers: ' +
        "new HeapPool(heap, { filename: new URL('./worker.js', import.meta.url) })",
    );
  }
  for (const [name, why] of Object.entries(REFUSED)) {
    if (isObject(given) && Object.hasOwn(given, name)) {
      throw invalid(`HeapPool: option ${name} is not supported: ${why}`);
    }
  }
  const { filename, threads, ...options } = readOptions('HeapPool', given, VALUES);
  if (filename === undefined || filename === null) {
    throw invalid(
      'HeapPool: filename, the module of its workers, is missing: ' +
        "{ filename: new URL('./worker.js', import.meta.url) }",
    );
  }
  const href = hrefOf('HeapPool', filename);
  return {
    ...options,
    href,
    name: options.name ?? 'default',
    ...readThreads(threads, options, room),
  };
}

/** @throws TypeError ERR_SHMALLOC_INVALID_OPTION */
export const readRunOptions = (given: unknown) => readOptions('HeapPool.run', given, RUN_VALUES);

function readThreads(
  threads: number | undefined,
  options: Partial<HeapPoolOptions>,
  room: Room,
): { minThreads: number; maxThreads: number } {
  const { minThreads, maxThreads } = options;
  const free = room.slots - room.taken;
  const has =
    `the heap has ${room.slots} ${room.slots === 1 ? 'slot' : 'slots'} for threads, ${room.taken} of them taken (this thread has ` +
    'one): SharedHeap.create({ threads }) sets the number';
  if (free < 1)
    throw new HeapError('ERR_SHMALLOC_NO_SLOT', `HeapPool: no worker can attach: ${has}`);
  for (const [name, asked] of Object.entries({ threads, minThreads, maxThreads })) {
    if (asked === undefined || asked <= free) continue;
    const text = `HeapPool: ${name} must be ${free} at most, got ${asked}: ${has}`;
    throw rangeError('ERR_SHMALLOC_INVALID_OPTION', text);
  }
  if (threads !== undefined) {
    if (minThreads === undefined && maxThreads === undefined) {
      return { minThreads: threads, maxThreads: threads };
    }
    throw invalid('HeapPool: give threads, or minThreads and maxThreads, not both');
  }
  // The default is limited by the free slots.
  const usual = Math.min(availableParallelism(), free);
  const most = maxThreads ?? Math.max(usual, minThreads ?? 1);
  const least = minThreads ?? Math.min(usual, most);
  if (least <= most) return { minThreads: least, maxThreads: most };
  throw rangeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    `HeapPool: minThreads must not be more than maxThreads, got ${least} and ${most}`,
  );
}

const invalid = (message: string): TypeError => typeError('ERR_SHMALLOC_INVALID_OPTION', message);
