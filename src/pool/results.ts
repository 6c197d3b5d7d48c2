/**
 * Results that cannot be sent to another thread, detected in the worker: sent unchecked they would
 * end the worker, or arrive as a message that the main thread cannot read.
 *
 * Used by load-task.ts. Checks everything that structured clone would visit, and makes a clone only
 * if the check is unclear.
 */

import { typeError } from '../base/index.js';
import { LEVELS_MAX, nestingOf } from './nesting.js';

/** The symbols of piscina's move(): the objects to transfer, and the value. */
const MOVED = Symbol.for('Piscina.transferable');
const VALUE = Symbol.for('Piscina.valueOf');

/**
 * The result in a form that can be sent: itself, or a clone of it whose getters have been called.
 * @throws TypeError ERR_SHMALLOC_NOT_CLONEABLE
 */
export function checkResult(result: unknown): unknown {
  if (isMoved(result)) {
    // A clone would leave behind the objects to transfer.
    if (nestingOf(result[VALUE]) === 'deep') throw tooDeep();
    return result;
  }
  const nesting = nestingOf(result);
  if (nesting === 'fine') return result;
  if (nesting === 'deep') throw tooDeep();
  const clone = cloneOf(result);
  if (nestingOf(clone) === 'deep') throw tooDeep();
  return clone;
}

function isMoved(result: unknown): result is { [VALUE]: unknown } {
  return typeof result === 'object' && result !== null && MOVED in result && VALUE in result;
}

function cloneOf(result: unknown): unknown {
  try {
    return structuredClone(result);
  } catch (error) {
    const { message } = Object(error) as { message?: unknown };
    throw notCloneable(String(message));
  }
}

const tooDeep = (): TypeError =>
  notCloneable(
    `more than ${LEVELS_MAX} objects are nested (a linked list?): ` +
      'return an array of its parts',
  );

const notCloneable = (finding: string): TypeError =>
  typeError(
    'ERR_SHMALLOC_NOT_CLONEABLE',
    `HeapPool: the result of the task cannot go to another thread: ${finding}`,
  );
