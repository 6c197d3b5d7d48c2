/**
 * Depth of nested objects: a value that structured clone accepts in a worker may be nested too deep
 * for the receiving thread, whose stack is smaller. There Node reports this only to a listener of
 * `messageerror`, which piscina does not have; heap-pool.ts has one for values that pass this
 * check.
 *
 * I1  Objects are visited in the order of structured clone, which enters each object where it first
 *     meets it, and through the same edges: an additional edge would hide a longer path.
 */

import { types } from 'node:util';
import { isPlainObject } from '../base/index.js';

/**
 * Maximum levels of nested objects that cross a pool: a stack of 984 KiB ends at 1,200 to 2,000.
 */
export const LEVELS_MAX = 1000;
/** Maximum length of an array whose named properties (`groups`, for example) are checked. */
const NAMED_LENGTH_MAX = 64;
/** Maximum length of a dense array in V8; longer arrays have no element at most indices. */
const DENSE_LENGTH_MAX = 2 ** 25;

/**
 * Result of the check before a clone. 'unclear': the value has a getter, which only a clone would
 * call, or a part that cannot be cloned (a function, a proxy, a promise).
 */
export type Nesting = 'fine' | 'deep' | 'unclear';

/** Checks everything that structured clone would visit. Calls no getter of an object. */
export function nestingOf(value: unknown, levelsMax = LEVELS_MAX): Nesting {
  try {
    return look(value, levelsMax, new Set());
  } catch {
    return 'unclear';
  }
}

/** True if more than `levelsMax` levels of nesting are visible. */
export const isTooDeep = (value: unknown, levelsMax = LEVELS_MAX): boolean =>
  nestingOf(value, levelsMax) === 'deep';

/** @param levels the levels of nesting that are still allowed */
function look(value: unknown, levels: number, seen: Set<object>): Nesting {
  if (typeof value === 'function' || typeof value === 'symbol') return 'unclear';
  if (typeof value !== 'object' || value === null || seen.has(value)) return 'fine';
  if (levels === 0) return 'deep';
  if (types.isProxy(value)) return 'unclear';
  seen.add(value);
  if (Array.isArray(value)) return lookInArray(value, levels - 1, seen);
  // An object with a special type has its own prototype, too.
  if (!isPlainObject(value)) {
    // Elements of typed arrays are numbers; dates have no elements.
    if (ArrayBuffer.isView(value) || types.isDate(value)) return 'fine';
    // Named properties of maps and sets are not cloned.
    if (types.isMap(value)) return lookInAll(pairsOf(value), levels - 1, seen);
    if (types.isSet(value)) return lookInAll(value, levels - 1, seen);
    if (types.isNativeError(value)) return lookInKeys(value, ['cause'], levels - 1, seen);
    if (types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value)) {
      return 'unclear';
    }
  }
  return lookInKeys(value, Object.keys(value), levels - 1, seen);
}

function lookInArray(array: readonly unknown[], levels: number, seen: Set<object>): Nesting {
  const { length } = array;
  if (length <= NAMED_LENGTH_MAX || length > DENSE_LENGTH_MAX) {
    return lookInKeys(array, Object.keys(array), levels, seen);
  }
  return lookInAll(array, levels, seen);
}

function lookInAll(values: Iterable<unknown>, levels: number, seen: Set<object>): Nesting {
  for (const value of values) {
    if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
      continue;
    const found = look(value, levels, seen);
    if (found !== 'fine') return found;
  }
  return 'fine';
}

function* pairsOf(map: Map<unknown, unknown>): Generator<unknown> {
  for (const pair of map) yield* pair;
}

function lookInKeys(
  object: object,
  keys: readonly string[],
  levels: number,
  seen: Set<object>,
): Nesting {
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(object, key);
    if (property === undefined) continue;
    if (property.get !== undefined) return 'unclear';
    const found = look(property.value, levels, seen);
    if (found !== 'fine') return found;
  }
  return 'fine';
}
