/**
 * Error classes by name: what an error that came from another thread is an instance of here.
 *
 * Main thread. Classes of the language, and those of this package; of another one the nearest class
 * above that is known.
 */

import * as base from '../base/index.js';

const { InvalidAddressError, ThreadSafetyError, HeapCorruptionError } = base;
const { BlockDamagedError, HeapError, HeapExhaustedError } = base;

type ErrorClass = { readonly name: string; readonly prototype: Error };

const byName = (classes: readonly ErrorClass[]): ReadonlyMap<string, Error> =>
  new Map(classes.map(({ name, prototype }) => [name, prototype]));

const OURS = byName([
  InvalidAddressError,
  ThreadSafetyError,
  HeapCorruptionError,
  BlockDamagedError,
  HeapError,
  HeapExhaustedError,
]);

const LANGUAGE = byName([
  Error,
  AggregateError,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
]);

/**
 * @param classes names of the error's class and of those above
 * @param code the error's: a class of ours is only meant where the code is one of ours
 */
export function prototypeFor(classes: readonly string[], code: unknown): Error {
  const isOurs = String(code).startsWith('ERR_SHMALLOC_');
  for (const name of classes) {
    const known = LANGUAGE.get(name) ?? (isOurs ? OURS.get(name) : undefined);
    if (known !== undefined) return known;
  }
  return Error.prototype;
}

/**
 * An error that came in Node's own way, as those do that end a worker: its class again. Node makes
 * an object of it that only looks like an error.
 */
export function restoreError(error: Error): Error {
  const { name, message, code } = error as Error & { code?: unknown };
  const restored = Object.setPrototypeOf(new Error(message), prototypeFor([name], code));
  const { [Symbol.toStringTag]: _, ...own } = Object.getOwnPropertyDescriptors(error) as never as {
    [Symbol.toStringTag]?: unknown;
  } & PropertyDescriptorMap;
  Object.defineProperties(restored, own);
  return restored;
}
