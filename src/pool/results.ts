/**
 * Results that cannot go to another thread, found in the worker: sent as they are they would end it,
 * or arrive as nothing that the main thread can read.
 *
 * Used by load-task.ts. Looks at all that structured clone would, and makes a clone only where that
 * leaves it unclear.
 */

import { typeError } from '../base/index.js';
import { LEVELS_MAX, nestingOf } from './nesting.js';

/** What piscina's move() makes: the value, and what of it is moved and not cloned. */
const MOVED = Symbol.for('Piscina.transferable');
const VALUE = Symbol.for('Piscina.valueOf');

/**
 * The result as it may be sent: itself, or a clone of it whose getters have been called.
 * @throws TypeError ERR_SHMALLOC_NOT_CLONEABLE
 */
export function checkResult(result: unknown): unknown {
  if (isMoved(result)) {
    // A clone would leave behind what is to be moved.
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
    `more than ${LEVELS_MAX} objects lie inside each other (a linked list?): ` +
      'return an array of its parts',
  );

const notCloneable = (finding: string): TypeError =>
  typeError(
    'ERR_SHMALLOC_NOT_CLONEABLE',
    `HeapPool: the result of the task cannot go to another thread: ${finding}`,
  );
