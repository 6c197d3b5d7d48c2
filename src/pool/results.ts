/**
 * Results that cannot be cloned, found in the worker: sent as they are they would end it.
 *
 * Used by load-task.ts. Looks a little way into objects for what no structured clone takes, and only
 * where there is such a thing makes a clone to be sure; deeper in it is found too late.
 */

import { types } from 'node:util';
import { typeError } from '../base/index.js';
import { isTooDeep, LEVELS_MAX } from './nesting.js';

/** Maximum values that are looked at: more would cost more than it helps. */
const VALUES_MAX = 64;
/** The same for how deep they lie: deep ones are met first. */
const NESTED_MAX = 4096;

/** @throws TypeError ERR_SHMALLOC_NOT_CLONEABLE */
export function checkResult(result: unknown): void {
  if (isTooDeep(result, NESTED_MAX)) {
    throw typeError(
      'ERR_SHMALLOC_NOT_CLONEABLE',
      'HeapPool: the result of the task cannot go to another thread: more than ' +
        `${LEVELS_MAX} objects lie inside each other (a linked list?): return an array of its parts`,
    );
  }
  if (!isSuspect(result)) return;
  try {
    structuredClone(result);
  } catch (error) {
    const { message } = Object(error) as { message?: unknown };
    throw typeError(
      'ERR_SHMALLOC_NOT_CLONEABLE',
      `HeapPool: the result of the task cannot go to another thread: ${message}`,
    );
  }
}

function isSuspect(result: unknown): boolean {
  // No recursion: objects may be cyclic.
  const todo = [result];
  for (let n = 0; n < todo.length && n < VALUES_MAX; n++) {
    const value = todo[n];
    if (typeof value === 'function' || typeof value === 'symbol') return true;
    if (typeof value !== 'object' || value === null) continue;
    if (types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value)) return true;
    // Elements of typed arrays and the like are numbers.
    if (ArrayBuffer.isView(value)) continue;
    for (const key of Object.keys(value).slice(0, VALUES_MAX)) {
      todo.push(Object.getOwnPropertyDescriptor(value, key)?.value);
    }
  }
  return false;
}
