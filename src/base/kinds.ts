/**
 * Type checks that work across realms and across copies of this package. Test runners and `vm`
 * create realms; in such a program `instanceof` is false for a value of another realm or copy. So
 * nothing in src/ uses `instanceof` (test/house-rules.test.ts). The checks here read a value's
 * internal slots, which no program can fake, its prototype chain, or its code.
 *
 * Used by all layers. Pure functions.
 */

/**
 * Wraps a getter of a built-in prototype: undefined for a value without the slots that it reads.
 */
function slotReader<T>(prototype: object, key: PropertyKey): (value: unknown) => T | undefined {
  const read = Object.getOwnPropertyDescriptor(prototype, key)?.get;
  return (value) => {
    try {
      return read === undefined ? undefined : (Reflect.apply(read, value, []) as T);
    } catch {
      return undefined;
    }
  };
}

const sharedBytes = slotReader<number>(SharedArrayBuffer.prototype, 'byteLength');
const sharedGrowable = slotReader<boolean>(SharedArrayBuffer.prototype, 'growable');
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedArrayTag = slotReader<string>(typedArray, Symbol.toStringTag);
const typedArrayElements = slotReader<number>(typedArray, 'length');

/** The text that `Object.prototype.toString` returns for a value, such as `[object URL]`. */
export const builtinTag = (value: unknown): string => Object.prototype.toString.call(value);

/** True for a SharedArrayBuffer of any realm. */
export const isSharedBuffer = (value: unknown): value is SharedArrayBuffer =>
  sharedBytes(value) !== undefined;

/** True for a SharedArrayBuffer that can grow. */
export const isGrowable = (value: unknown): boolean => sharedGrowable(value) === true;

/** The kind of a typed array, such as `Float64Array`; undefined for any other value. */
export const typedArrayKind = (value: unknown): string | undefined => typedArrayTag(value);

/** True for a Uint8Array of any realm, a Buffer included. */
export const isUint8Array = (value: unknown): value is Uint8Array =>
  typedArrayKind(value) === 'Uint8Array';

/**
 * The number of elements of a typed array; a subclass that overrides `length` does not change it.
 */
export const typedArrayLength = (value: Uint8Array): number => typedArrayElements(value) ?? 0;

/**
 * The kind of typed array that a constructor makes; undefined unless the constructor is one of the
 * language's own. A constructor of another realm qualifies, a class that extends one does not.
 */
export function typedArrayMadeBy(value: unknown): string | undefined {
  if (typeof value !== 'function' || !isIntrinsic(Object.getPrototypeOf(value))) return undefined;
  try {
    return typedArrayKind(Reflect.construct(value, [0]));
  } catch {
    return undefined;
  }
}

/** True for %TypedArray% of any realm: the only constructor whose prototype has that getter. */
const isIntrinsic = (value: unknown): boolean =>
  typeof value === 'function' &&
  value.name === 'TypedArray' &&
  Object.getOwnPropertyDescriptor(value.prototype ?? {}, Symbol.toStringTag)?.get !== undefined;

/** True for an object literal of any realm, and for an object without a prototype. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Object.prototype is the only prototype that has no prototype itself.
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
  );
}

/** The message of an error; of any other thrown value, the value as text. */
export function messageOf(thrown: unknown): string {
  const message = (thrown as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(thrown);
}

/** The errors in an AggregateError of any realm; undefined for any other value. */
export function errorsIn(thrown: unknown): unknown[] | undefined {
  const { name, errors } = (thrown ?? {}) as { name?: unknown; errors?: unknown };
  return name === 'AggregateError' && Array.isArray(errors) ? errors : undefined;
}
