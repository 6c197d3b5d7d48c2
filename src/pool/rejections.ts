/**
 * Rejections: the errors of HeapPool.run() in place of piscina's and Node's.
 *
 * Used by heap-pool.ts. An error that a task threw is not replaced.
 */

import { types } from 'node:util';
import { HeapError, typeError } from '../base/index.js';
import { isError, isPacked, unpack } from './carried-errors.js';
import { restoreError } from './error-classes.js';
import { isTooDeep } from './nesting.js';

/** Messages of piscina's own errors, which have no code, and the errors in their place. */
const PISCINA: readonly [RegExp, (found: RegExpExecArray) => Error][] = [
  [
    /^worker exited with code: (.*)$/,
    ([, code]) =>
      new HeapError(
        'ERR_SHMALLOC_WORKER_ENDED',
        `HeapPool: the worker ended in the middle of the task, with exit code ${code}. ` +
          'Was process.exit() called?',
      ),
  ],
  [
    /^Task queue is at limit$|^No task queue available/,
    () =>
      new HeapError(
        'ERR_SHMALLOC_POOL_FULL',
        'HeapPool.run: as many tasks wait as the option maxQueue allows',
      ),
  ],
];

/** For a call of run() after destroy(), and for tasks that destroy() leaves undone. */
export const poolEnded = (): HeapError =>
  new HeapError(
    'ERR_SHMALLOC_POOL_ENDED',
    'HeapPool: destroy() was called, so the pool runs no more tasks',
  );

/** For workers that end before they have run a task. */
export const cannotStart = (file: string, cause: Error | null): HeapError =>
  withCause(
    new HeapError(
      'ERR_SHMALLOC_WORKER_ENDED',
      `HeapPool: its workers end while they load ${file}` +
        (cause === null ? '. Does it call process.exit()?' : `: ${cause.message}`),
    ),
    cause,
  );

/** The error of a task that was not done. */
export function explainRejection(thrown: unknown, isPoolEnded: boolean, task: unknown): unknown {
  if (isPacked(thrown)) return unpack(thrown);
  if (isPoolEnded) return poolEnded();
  if (isNothing(thrown)) return uncaught(thrown);
  if (!isError(thrown)) return thrown;
  if (thrown.name === 'AbortError') return Object.assign(thrown, { code: 'ABORT_ERR' });
  // The error is about the task: a result that cannot be cloned ends the worker.
  if (thrown.name === 'DataCloneError') return notCloneable('the task', thrown);
  if (thrown.name === 'RangeError' && isTooDeepToPost(task))
    return notCloneable('the task', thrown);
  for (const [pattern, make] of PISCINA) {
    const found = pattern.exec(thrown.message);
    if (found !== null) return make(found);
  }
  return types.isNativeError(thrown) ? thrown : restoreError(thrown);
}

/** The error if no worker could be started. */
export const explainStart = (thrown: unknown): unknown =>
  isError(thrown) && thrown.name === 'DataCloneError' ? notCloneable('workerData', thrown) : thrown;

/** For a message of a worker that cannot be read; its task is unknown. */
export const unreadable = (cause: Error): TypeError =>
  withCause(
    typeError(
      'ERR_SHMALLOC_NOT_CLONEABLE',
      `HeapPool: what a task returned or threw cannot be read in this thread: ${cause.message}`,
    ),
    cause,
  );

function isTooDeepToPost(task: unknown): boolean {
  if (isTooDeep(task)) return true;
  try {
    // The task may have getters, which only a clone calls.
    structuredClone(task);
    return false;
  } catch (error) {
    return isError(error) && error.name === 'RangeError';
  }
}

const notCloneable = (what: string, cause: Error): TypeError =>
  withCause(
    typeError(
      'ERR_SHMALLOC_NOT_CLONEABLE',
      `HeapPool: ${what} cannot go to another thread: ${cause.message}`,
    ),
    cause,
  );

/**
 * True for the form that Node gives to a DOMException that ends a worker: on Node 20 an empty
 * object, later an error with only a stack.
 */
const isNothing = (thrown: unknown): boolean =>
  typeof thrown === 'object' &&
  thrown !== null &&
  // A DOMException of this thread has a name too, but not as its own property.
  ['Error', undefined].includes((thrown as { name?: string }).name) &&
  Object.getOwnPropertyNames(thrown).every((name) => name === 'stack');

const uncaught = (thrown: unknown): HeapError =>
  withCause(
    new HeapError(
      'ERR_SHMALLOC_WORKER_ENDED',
      'HeapPool: an exception ended the worker, and cannot be sent to this thread: a DOMException, or a ' +
        'result that cannot be cloned',
    ),
    isError(thrown) ? thrown : null,
  );

/** The error, with a cause if it is not null. */
export const withCause = <E extends Error>(error: E, cause: unknown): E =>
  cause === null
    ? error
    : Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
