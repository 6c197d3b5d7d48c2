/**
 * Options of a pool: what a program may give, checked before piscina sees it.
 *
 * Used by heap-pool.ts. The types are written out here, since piscina's own do not compile in every
 * program (exactOptionalPropertyTypes), and so that its next version changes nothing in silence.
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

/** Options of a HeapPool. Those without a word here are piscina's, and do what it says. */
export interface HeapPoolOptions {
  /** The worker's module, as URL or path: its default export is the task. */
  filename: string | URL;
  /** The export that is the task, where it is not the default one. */
  name?: string | undefined;
  /**
   * Workers, from the start to the end. Default: as many as there are
   * processors, and as the heap has free slots for threads. More than it has slots are refused.
   */
  threads?: number | undefined;
  /** In place of `threads`: fewest workers, at least 1; more are started while tasks wait. */
  minThreads?: number | undefined;
  /** In place of `threads`: most workers. */
  maxThreads?: number | undefined;
  /** Milliseconds that a worker above `minThreads` may have nothing to do. Default: 0. */
  idleTimeout?: number | undefined;
  /** Most tasks that wait; `run` refuses more. Default: no limit; `'auto'`: maxThreads squared. */
  maxQueue?: number | 'auto' | undefined;
  /** Tasks that a worker has at a time, of asynchronous tasks. Default: 1. */
  concurrentTasksPerWorker?: number | undefined;
  /** How a worker waits for its next task: blocked in Atomics.wait (the default), or not. */
  atomics?: 'sync' | 'async' | 'disabled' | undefined;
  /** As of `new Worker`. A worker over its limit ends; its task rejects. */
  resourceLimits?: ResourceLimits | undefined;
  /** As of `new Worker`. */
  argv?: readonly string[] | undefined;
  /** As of `new Worker`. */
  execArgv?: readonly string[] | undefined;
  /** As of `new Worker`. */
  env?: NodeJS.ProcessEnv | typeof SHARE_ENV | undefined;
  /** Plain data for the workers; the heap's handle is added to it. */
  workerData?: Record<string, unknown> | undefined;
  taskQueue?: PoolTaskQueue | undefined;
  /** Raises workers' nice value (on Windows their priority), where `@napi-rs/nice` is installed. */
  niceIncrement?: number | undefined;
  /** As of `new Worker`. */
  trackUnmanagedFds?: boolean | undefined;
  /** false: tasks are not timed, and `stats()` has null for what that gives. Default: true. */
  recordTiming?: boolean | undefined;
  stricterFIFO?: boolean | undefined;
  loadBalancer?: PoolLoadBalancer | undefined;
  /** Times each worker's tasks, for `loadBalancer`. Default: false. */
  workerHistogram?: boolean | undefined;
}

/** Where tasks wait: piscina's `FixedQueue` and `ArrayTaskQueue` are some. */
export interface PoolTaskQueue {
  readonly size: number;
  shift(): object | null;
  push(task: object): void;
  unshift?(task: object): void;
  remove(task: object): void;
}

/** Which worker gets a task; null: it waits. */
export type PoolLoadBalancer = (task: PoolTask, workers: PoolWorker[]) => PoolWorker | null;

/** A task, as a load balancer sees it. */
export interface PoolTask {
  taskId: number;
  filename: string;
  name: string;
  /** When it was given, as performance.now() says. */
  created: number;
  /** It has a signal. */
  isAbortable: boolean;
}

/** A worker, as a load balancer sees it. */
export interface PoolWorker {
  /** Its threadId. */
  readonly id: number;
  /** Tasks that it has; Infinity where one of them has a signal. */
  readonly currentUsage: number;
  readonly isRunningAbortableTask: boolean;
  /** Milliseconds; with `workerHistogram: true`. */
  readonly histogram: Readonly<Record<string, number>> | null;
  readonly terminating: boolean;
  readonly destroyed: boolean;
}

/** Options of HeapPool.run. */
export interface HeapPoolRunOptions {
  /** Ends the task: its worker is terminated, and another one started. */
  signal?: AbortSignal | undefined;
  /** Another module than the pool's. */
  filename?: string | URL | undefined;
  /** Another export than the pool's. */
  name?: string | undefined;
  /** What goes over to the worker, in place of a copy. */
  transferList?: readonly object[] | undefined;
}

/** Values of an option that are used as they are. */
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
  // hrefOf says what is wrong with it.
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

/** Options of piscina's, or of older versions of it, that a HeapPool cannot have: what to do. */
const REFUSED: Readonly<Record<string, string>> = {
  closeTimeout: 'a HeapPool has no close(), and destroy() waits for no task',
  useAtomics: "it is called atomics now: 'sync', 'async' or 'disabled'",
};

/** What a pool is made of: the options, with all that it must know. */
export type PoolPlan = Omit<HeapPoolOptions, 'filename' | 'threads'> & {
  readonly href: string;
  readonly name: string;
  readonly minThreads: number;
  readonly maxThreads: number;
};

/** Is it a URL, of any realm? */
const isUrl = (given: unknown): boolean => builtinTag(given) === '[object URL]';

/** How many threads the pool's heap has room for. */
export interface Room {
  readonly slots: number;
  /** Slots of threads that are attached now, the pool's owner too. */
  readonly taken: number;
}

/**
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_NO_SLOT
 */
export function readPoolOptions(given: unknown, room: Room): PoolPlan {
  if (given === undefined || typeof given === 'string' || isUrl(given)) {
    throw invalid(
      'HeapPool: the second argument is an object with the filename of the workers: ' +
        "new HeapPool(heap, { filename: new URL('./worker.js', import.meta.url) })",
    );
  }
  for (const [name, why] of Object.entries(REFUSED)) {
    if (isObject(given) && Object.hasOwn(given, name)) {
      throw invalid(`HeapPool: it takes no option ${name}: ${why}`);
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
    'one): SharedHeap.create({ threads }) says how many';
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
  // As many as fit, where nobody has said how many.
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
