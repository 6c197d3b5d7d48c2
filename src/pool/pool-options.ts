/**
 * Options of a pool: what a program may give, checked before piscina sees it.
 *
 * Used by heap-pool.ts. The types are written out here, since piscina's own do not compile in every
 * program (exactOptionalPropertyTypes), and so that its next version changes nothing in silence.
 */

import { availableParallelism } from 'node:os';
import { type ResourceLimits, SHARE_ENV } from 'node:worker_threads';
import { checkOptions, rangeError, show, typeError } from '../base/index.js';
import { hrefOf } from './task-name.js';

/** Options of a HeapPool. Those without a word here are piscina's, and do what it says. */
export interface HeapPoolOptions {
  /** The worker's module, as URL or path: its default export is the task. */
  filename: string | URL;
  /** The export that is the task, where it is not the default one. */
  name?: string | undefined;
  /** Workers, from the start to the end. Default: as many as there are processors. */
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

/** An option's values: what an error says is allowed, and which are. */
interface Rule {
  readonly allowed: string;
  readonly allows: (value: unknown) => boolean;
}

const whole = (allowed: string, least: number): Rule => ({
  allowed,
  allows: (value) => Number.isInteger(value) && (value as number) >= least,
});
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const has = (value: unknown, method: string): boolean =>
  isObject(value) && typeof (value as Record<string, unknown>)[method] === 'function';

const TEXT: Rule = { allowed: 'a text', allows: (value) => typeof value === 'string' };
const TEXTS: Rule = {
  allowed: 'an array of texts',
  allows: (value) => Array.isArray(value) && value.every((text) => typeof text === 'string'),
};
const FLAG: Rule = { allowed: 'true or false', allows: (value) => typeof value === 'boolean' };
const THREADS = whole('a whole number of workers, 1 at least', 1);
const ANY: Rule = { allowed: 'anything', allows: () => true };

const RULES: { readonly [Name in keyof HeapPoolOptions]-?: Rule } = {
  // hrefOf says what is wrong with it.
  filename: ANY,
  name: TEXT,
  threads: THREADS,
  minThreads: THREADS,
  maxThreads: THREADS,
  idleTimeout: {
    allowed: 'a number of milliseconds, or Infinity',
    allows: (value) => typeof value === 'number' && value >= 0,
  },
  maxQueue: {
    allowed: "a whole number of tasks, Infinity or 'auto'",
    allows: (value) =>
      value === 'auto' || value === Infinity || (Number.isInteger(value) && (value as number) >= 0),
  },
  concurrentTasksPerWorker: whole('a whole number of tasks, 1 at least', 1),
  atomics: {
    allowed: "'sync', 'async' or 'disabled'",
    allows: (value) => ['sync', 'async', 'disabled'].includes(value as string),
  },
  resourceLimits: { allowed: "an object of a Worker's resource limits", allows: isObject },
  argv: TEXTS,
  execArgv: TEXTS,
  env: {
    allowed: 'an object of variables, or SHARE_ENV',
    allows: (value) => isObject(value) || value === SHARE_ENV,
  },
  workerData: {
    allowed: "a plain object: the heap's handle is added to it",
    allows: (value) => isObject(value) && isPlain(value),
  },
  taskQueue: {
    allowed: 'an object with size, push(), shift() and remove()',
    allows: (value) =>
      ['push', 'shift', 'remove'].every((method) => has(value, method)) &&
      'size' in (value as object),
  },
  niceIncrement: whole('a whole number', process.platform === 'win32' ? -Infinity : 0),
  trackUnmanagedFds: FLAG,
  recordTiming: FLAG,
  stricterFIFO: FLAG,
  loadBalancer: {
    allowed: 'a function of a task and the workers',
    allows: (value) => typeof value === 'function',
  },
  workerHistogram: FLAG,
};

const RUN_RULES: { readonly [Name in keyof HeapPoolRunOptions]-?: Rule } = {
  signal: {
    allowed: 'an AbortSignal',
    allows: (value) => has(value, 'addEventListener') || has(value, 'once'),
  },
  filename: ANY,
  name: TEXT,
  transferList: { allowed: 'an array of what is transferred', allows: Array.isArray },
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

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION */
export function readPoolOptions(given: unknown): PoolPlan {
  if (given === undefined || typeof given === 'string' || given instanceof URL) {
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
  const { filename, threads, ...options } = read<HeapPoolOptions>('HeapPool', given, RULES);
  if (filename === undefined || filename === null) {
    throw invalid(
      'HeapPool: filename, the module of its workers, is missing: ' +
        "{ filename: new URL('./worker.js', import.meta.url) }",
    );
  }
  const href = hrefOf('HeapPool', filename);
  return { ...options, href, name: options.name ?? 'default', ...readThreads(threads, options) };
}

/** @throws TypeError ERR_SHMALLOC_INVALID_OPTION */
export const readRunOptions = (given: unknown): Partial<HeapPoolRunOptions> =>
  read<HeapPoolRunOptions>('HeapPool.run', given, RUN_RULES);

function readThreads(
  threads: number | undefined,
  options: Partial<HeapPoolOptions>,
): { minThreads: number; maxThreads: number } {
  const { minThreads, maxThreads } = options;
  if (threads !== undefined) {
    if (minThreads === undefined && maxThreads === undefined) {
      return { minThreads: threads, maxThreads: threads };
    }
    throw invalid('HeapPool: give threads, or minThreads and maxThreads, not both');
  }
  const usual = availableParallelism();
  const most = maxThreads ?? Math.max(usual, minThreads ?? 1);
  const least = minThreads ?? Math.min(usual, most);
  if (least <= most) return { minThreads: least, maxThreads: most };
  throw rangeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    `HeapPool: minThreads must not be more than maxThreads, got ${least} and ${most}`,
  );
}

/** The options that were given, each read once. */
function read<Options>(
  call: string,
  given: unknown,
  rules: { readonly [Name in keyof Options]-?: Rule },
): Partial<Options> {
  const names = Object.keys(rules) as (keyof Options & string)[];
  checkOptions(call, given, names);
  const options: Partial<Options> = {};
  for (const name of names) {
    const value = (given as Options | undefined)?.[name];
    if (value === undefined) continue;
    const { allowed, allows } = rules[name];
    if (!allows(value)) {
      const make = typeof value === 'number' && allowed.includes('number') ? rangeError : typeError;
      const message = `${call}: ${name} must be ${allowed}, got ${show(value)}`;
      throw make('ERR_SHMALLOC_INVALID_OPTION', message);
    }
    options[name] = value;
  }
  return options;
}

const invalid = (message: string): TypeError => typeError('ERR_SHMALLOC_INVALID_OPTION', message);

/** An object of no class, of this realm or another. */
function isPlain(value: object): boolean {
  const proto = Object.getPrototypeOf(value);
  return proto === null || (Object.getPrototypeOf(proto) === null && !Array.isArray(value));
}
