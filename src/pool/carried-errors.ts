/**
 * Errors between threads: whatever a task throws, packed as plain data and unpacked as an error.
 *
 * A worker packs, the main thread unpacks. Structured cloning keeps an error's message, stack and,
 * for six classes of the language, its class; it would lose code, reason, name and all other
 * properties, and a value that cannot be cloned would end the worker.
 *
 * I1  What pack() returns can be cloned, whatever was thrown.
 * I2  Neither pack() nor unpack() throws.
 */

import { inspect, types } from 'node:util';
import { builtinTag, isPlainObject, typeError } from '../base/index.js';
import { prototypeFor } from './error-classes.js';
import { isTooDeep, LEVELS_MAX } from './nesting.js';

/**
 * Packed values: `packed` names the kind of value. Marked, since a program may throw similar
 * objects.
 */
type Packed = { readonly [MARK]: true } & (
  | { readonly packed: 'error' | 'dom'; readonly error: PackedError }
  | { readonly packed: 'array'; readonly items: readonly Packed[] }
  | { readonly packed: 'object'; readonly own: readonly Own[] }
  /** A value that can be cloned as it is. */
  | { readonly packed: 'value'; readonly value: unknown }
  /** Any other value: its text as console.log shows it. */
  | { readonly packed: 'text'; readonly text: string }
);

interface PackedError {
  /** Names of its class and of the classes above, up to Error. */
  readonly classes: readonly string[];
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly own: readonly Own[];
}

interface Own {
  readonly key: string;
  readonly enumerable: boolean;
  readonly value: Packed;
}

const MARK = 'shmalloc:thrown';
/** Maximum depth of nested objects that are searched for errors. */
const DEPTH_MAX = 6;
/** Maximum depth of nested errors (causes or members); the contents of deeper ones are left out. */
const ERRORS_DEPTH_MAX = 64;
/** Levels of nesting that packing adds per level: packed, its error, `own`, one of these. */
const LEVELS_A_PACK = 4;
/** Maximum classes in the list of an error's classes. */
const CLASSES_MAX = 20;

/** In place of the contents of an error that is nested too deep. */
const LEFT_OUT: Packed = {
  [MARK]: true,
  packed: 'text',
  text: `HeapPool: left out, because it is more than ${ERRORS_DEPTH_MAX} errors and arrays deep`,
};

/** A thrown value as plain data. */
export function pack(thrown: unknown): unknown {
  return packValue(thrown, new Map(), 0);
}

/** The value that a task threw: unpacks the result of pack(); any other value stays as it is. */
export function unpack(rejection: unknown): unknown {
  if (!isPacked(rejection)) return rejection;
  if (rejection.packed !== 'text') return unpackValue(rejection, new Map());
  const message = `HeapPool: a task threw a value that cannot be cloned: ${rejection.text}`;
  return typeError('ERR_SHMALLOC_NOT_CLONEABLE', message);
}

/**
 * True if the main thread can read the form that Node gives to an exception that ends a worker.
 * Node sends an error's properties, and its causes one by one.
 */
export function isCarriedByNode(thrown: unknown): boolean {
  let at = thrown;
  for (let n = 0; types.isNativeError(at); n++) {
    if (n > ERRORS_DEPTH_MAX) return false;
    const own = Object.entries(Object.getOwnPropertyDescriptors(at));
    const others = own.filter(([key]) => key !== 'cause').map(([, { value }]) => value);
    if (others.some((value) => isTooDeep(value))) return false;
    at = Object.getOwnPropertyDescriptor(at, 'cause')?.value;
  }
  return !isTooDeep(at);
}

export function isPacked(value: unknown): value is Packed {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, MARK);
}

function packValue(value: unknown, seen: Map<object, Packed>, depth: number): Packed {
  try {
    if (typeof value === 'object' && value !== null) {
      const known = seen.get(value);
      if (known !== undefined) return known;
      if (isError(value)) return packError(value, seen, depth);
      if (depth < DEPTH_MAX && Array.isArray(value)) {
        const items: Packed[] = [];
        const packed: Packed = { [MARK]: true, packed: 'array', items };
        seen.set(value, packed);
        for (const item of value) items.push(packValue(item, seen, depth + 1));
        return packed;
      }
      if (depth < DEPTH_MAX && isPlainObject(value)) {
        const own: Own[] = [];
        const packed: Packed = { [MARK]: true, packed: 'object', own };
        seen.set(value, packed);
        packOwn(value, own, seen, depth + 1);
        return packed;
      }
    }
    // Only a try can tell whether the value can be cloned. Shared memory stays shared.
    const clone: unknown = structuredClone(value);
    if (isTooDeep(clone, LEVELS_MAX - LEVELS_A_PACK * (depth + 1))) {
      return { [MARK]: true, packed: 'text', text: textOf(value) };
    }
    return { [MARK]: true, packed: 'value', value: clone };
  } catch {
    return { [MARK]: true, packed: 'text', text: textOf(value) };
  }
}

function packError(error: Error, seen: Map<object, Packed>, depth: number): Packed {
  const own: Own[] = [];
  const packed: Packed = {
    [MARK]: true,
    packed: isDomException(error) ? 'dom' : 'error',
    error: {
      classes: classesOf(error),
      name: textIn(error, 'name') ?? 'Error',
      message: textIn(error, 'message') ?? '',
      stack: textIn(error, 'stack'),
      own,
    },
  };
  // Registered before its properties are packed: a cause may be the error itself.
  seen.set(error, packed);
  if (depth < ERRORS_DEPTH_MAX) packOwn(error, own, seen, depth + 1);
  else own.push({ key: 'cause', enumerable: false, value: LEFT_OUT });
  return packed;
}

function packOwn(object: object, own: Own[], seen: Map<object, Packed>, depth: number): void {
  for (const key of Object.getOwnPropertyNames(object)) {
    if (isError(object) && (key === 'message' || key === 'stack')) continue;
    const enumerable = Object.prototype.propertyIsEnumerable.call(object, key);
    try {
      const value = (object as Record<string, unknown>)[key];
      // Methods of the class exist there too; methods that a program put onto the error are lost.
      if (typeof value === 'function') continue;
      own.push({ key, enumerable, value: packValue(value, seen, depth) });
    } catch {
      // A getter threw: the property is left out.
    }
  }
}

function unpackValue(packed: Packed, seen: Map<Packed, unknown>): unknown {
  if (seen.has(packed)) return seen.get(packed);
  switch (packed.packed) {
    case 'value':
      return packed.value;
    case 'text':
      return packed.text;
    case 'array': {
      const items: unknown[] = [];
      seen.set(packed, items);
      for (const item of packed.items) items.push(unpackValue(item, seen));
      return items;
    }
    case 'object': {
      const object = {};
      seen.set(packed, object);
      define(object, packed.own, seen);
      return object;
    }
    default: {
      const error = makeError(packed);
      seen.set(packed, error);
      define(error, packed.error.own, seen);
      const { name, stack } = packed.error;
      if (error.name !== name) hide(error, 'name', name);
      hide(error, 'stack', stack);
      return error;
    }
  }
}

function makeError({ packed, error }: Packed & { error: PackedError }): Error {
  const { classes, name, message, own } = error;
  if (packed === 'dom') return new DOMException(message, name);
  const code = own.find(({ key }) => key === 'code')?.value;
  const known = prototypeFor(classes, code?.packed === 'value' ? code.value : undefined);
  // No constructor is called: a constructor of another class takes other arguments.
  return Object.setPrototypeOf(new Error(message), known);
}

function define(object: object, own: readonly Own[], seen: Map<Packed, unknown>): void {
  for (const { key, enumerable, value } of own) {
    const unpacked = unpackValue(value, seen);
    const descriptor = { value: unpacked, enumerable, writable: true, configurable: true };
    Reflect.defineProperty(object, key, descriptor);
  }
}

function hide(error: Error, key: string, value: unknown): void {
  const descriptor = { value, enumerable: false, writable: true, configurable: true };
  Reflect.defineProperty(error, key, descriptor);
}

/**
 * True for an error or a DOMException, of any realm, and for the object that Node makes of an error
 * that ended a worker.
 */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  if (types.isNativeError(value)) return true;
  if (isDomException(value)) return true;
  // Node's object has an error's prototype, and none of an error's internal slots.
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) {
    const isErrorPrototype = Object.hasOwn(at, 'name') && Object.hasOwn(at, 'message');
    if (isErrorPrototype && /Error$/.test(at.constructor?.name)) return true;
  }
  return false;
}

const isDomException = (value: object): boolean => builtinTag(value) === '[object DOMException]';

/** A text property; undefined if it is not a text, or if its getter throws. */
function textIn(error: Error, key: 'name' | 'message' | 'stack'): string | undefined {
  try {
    const text: unknown = error[key];
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Names of an object's class and of the classes that it extends. */
function classesOf(error: object): string[] {
  const names: string[] = [];
  let proto = Object.getPrototypeOf(error);
  for (let n = 0; proto !== null && n < CLASSES_MAX; n++) {
    const name: unknown = proto.constructor?.name;
    if (typeof name === 'string') names.push(name);
    proto = Object.getPrototypeOf(proto);
  }
  return names;
}

function textOf(value: unknown): string {
  try {
    return inspect(value);
  } catch {
    return `something of type ${typeof value}`;
  }
}
