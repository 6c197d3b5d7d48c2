/**
 * What a value is, whoever made it. A program may have several realms, as test runners and `vm` make
 * them, and several copies of this package: then `instanceof` says no of what is one. So nothing in
 * src/ asks that (test/house-rules.test.ts): a value is told by its internal slots, which no program
 * can fake, by its prototype chain, or by a code.
 *
 * Used by all layers. Pure functions.
 */

/** A getter of a built-in prototype: it throws for what has not the slots that it reads. */
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

/** What `Object.prototype.toString` says of a value, `[object URL]` say. */
export const builtinTag = (value: unknown): string => Object.prototype.toString.call(value);

/** Is it a SharedArrayBuffer, of any realm? */
export const isSharedBuffer = (value: unknown): value is SharedArrayBuffer =>
  sharedBytes(value) !== undefined;

/** Is it a SharedArrayBuffer that can grow? */
export const isGrowable = (value: unknown): boolean => sharedGrowable(value) === true;

/** The name of a typed array's kind, `Float64Array` say; undefined for anything else. */
export const typedArrayKind = (value: unknown): string | undefined => typedArrayTag(value);

/** Is it a Uint8Array (a Buffer, too), of any realm? */
export const isUint8Array = (value: unknown): value is Uint8Array =>
  typedArrayKind(value) === 'Uint8Array';

/** How many elements a typed array has, whatever a class of its own says. */
export const typedArrayLength = (value: Uint8Array): number => typedArrayElements(value) ?? 0;

/**
 * The name of the typed arrays that a constructor makes; undefined where it is none of the language's
 * own. That of another realm is one, a class that extends one is not.
 */
export function typedArrayMadeBy(value: unknown): string | undefined {
  if (typeof value !== 'function' || !isIntrinsic(Object.getPrototypeOf(value))) return undefined;
  try {
    return typedArrayKind(Reflect.construct(value, [0]));
  } catch {
    return undefined;
  }
}

/** Is it %TypedArray%, of any realm? It makes nothing itself, and nothing else has its getter. */
const isIntrinsic = (value: unknown): boolean =>
  typeof value === 'function' &&
  value.name === 'TypedArray' &&
  Object.getOwnPropertyDescriptor(value.prototype ?? {}, Symbol.toStringTag)?.get !== undefined;

/** Is it what `{}` makes, in any realm, or an object without a prototype? */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Object.prototype is the one prototype that has none itself.
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
  );
}

/** What an error says; what was thrown, as text, where that is none. */
export function messageOf(thrown: unknown): string {
  const message = (thrown as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(thrown);
}

/** The errors in an AggregateError, of any realm; undefined for anything else. */
export function errorsIn(thrown: unknown): unknown[] | undefined {
  const { name, errors } = (thrown ?? {}) as { name?: unknown; errors?: unknown };
  return name === 'AggregateError' && Array.isArray(errors) ? errors : undefined;
}
