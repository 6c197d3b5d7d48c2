/**
 * Error classes by name: the class that an error from another thread gets here.
 *
 * Main thread. Knows the classes of the language and of this package; for another class the nearest
 * known class above it is used.
 */

import {
  BlockDamagedError,
  HeapCorruptionError,
  HeapError,
  HeapExhaustedError,
  InvalidAddressError,
} from '../base/index.js';

type ErrorClass = { readonly name: string; readonly prototype: Error };

const byName = (classes: readonly ErrorClass[]): ReadonlyMap<string, Error> =>
  new Map(classes.map(({ name, prototype }) => [name, prototype]));

const OURS = byName([
  InvalidAddressError,
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
 * @param classes names of the error's class and of the classes above
 * @param code the error's code: our classes are used only for a code of ours
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
 * Gives an error its class again that came in Node's own way, as an error that ends a worker does:
 * Node makes an object of it that only looks like an error.
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
