/**
 * How deep objects lie in objects: what structured clone takes in a worker may be too deep for the
 * thread that receives it, whose stack is smaller. Node tells nobody there but a listener of
 * `messageerror`, which piscina has not: the task would never be settled.
 *
 * Used by carried-errors.ts and results.ts, in the worker.
 */

import { types } from 'node:util';

/** Maximum objects inside each other that cross a pool: a stack of 984 KiB ends at 1,200 to 2,000. */
export const LEVELS_MAX = 1000;

/**
 * Do objects lie too deep in this one? In the order in which structured clone goes through them: it
 * goes into each where it first meets it.
 * @param visitsMax of so many objects, and no more, it is known
 */
export function isTooDeep(value: unknown, visitsMax = Number.POSITIVE_INFINITY): boolean {
  const seen = new Set<object>();
  // No recursion: the stack would end before the objects do.
  const path: Iterator<unknown>[] = [[value].values()];
  for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
    const next = at.next();
    if (next.done === true) {
      path.pop();
      continue;
    }
    const inner: unknown = next.value;
    if (typeof inner !== 'object' || inner === null || seen.has(inner)) continue;
    if (path.length > LEVELS_MAX) return true;
    if (seen.add(inner).size > visitsMax) return false;
    path.push(partsOf(inner));
  }
  return false;
}

/** What is in an object; no getter is called. */
function* partsOf(object: object): Generator<unknown> {
  // Elements of typed arrays and the like are numbers.
  if (ArrayBuffer.isView(object)) return;
  if (types.isMap(object)) for (const pair of object) yield* pair;
  else if (types.isSet(object)) yield* object;
  for (const key of Object.keys(object)) {
    yield Object.getOwnPropertyDescriptor(object, key)?.value;
  }
}
