/**
 * How deep objects lie in objects: what structured clone takes in a worker may be too deep for the
 * thread that receives it, whose stack is smaller. Node tells nobody there but a listener of
 * `messageerror`, which piscina has not; heap-pool.ts has one for what passes unseen here.
 *
 * I1  Objects are visited in the order in which structured clone visits them, which goes into each
 *     where it first meets it, and through the same edges: one edge too many would hide a longer way.
 */

import { types } from 'node:util';
import { isPlainObject } from '../base/index.js';

/** Maximum objects inside each other that cross a pool: a stack of 984 KiB ends at 1,200 to 2,000. */
export const LEVELS_MAX = 1000;
/** Maximum length of arrays whose properties are looked at beside their elements (`groups`, say). */
const NAMED_LENGTH_MAX = 64;
/** Longer arrays are sparse as V8 stores them: most of their indices have no element. */
const DENSE_LENGTH_MAX = 2 ** 25;

/**
 * What is known of a value before it is cloned. 'unclear': it has a getter, which only a clone would
 * call, or what cannot be cloned at all (a function, a proxy, a promise).
 */
export type Nesting = 'fine' | 'deep' | 'unclear';

/** Looks at all that structured clone would. No getter of an object is called. */
export function nestingOf(value: unknown, levelsMax = LEVELS_MAX): Nesting {
  try {
    return look(value, levelsMax, new Set());
  } catch {
    return 'unclear';
  }
}

/** Do more than `levelsMax` objects lie inside each other, as far as can be seen? */
export const isTooDeep = (value: unknown, levelsMax = LEVELS_MAX): boolean =>
  nestingOf(value, levelsMax) === 'deep';

/** @param levels so many objects may lie inside each other from here */
function look(value: unknown, levels: number, seen: Set<object>): Nesting {
  if (typeof value === 'function' || typeof value === 'symbol') return 'unclear';
  if (typeof value !== 'object' || value === null || seen.has(value)) return 'fine';
  if (levels === 0) return 'deep';
  if (types.isProxy(value)) return 'unclear';
  seen.add(value);
  if (Array.isArray(value)) return lookInArray(value, levels - 1, seen);
  // What has a type of its own has its own prototype, too.
  if (!isPlainObject(value)) {
    // Elements of typed arrays and the like are numbers.
    if (ArrayBuffer.isView(value) || types.isDate(value)) return 'fine';
    // Their own properties are not cloned.
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
