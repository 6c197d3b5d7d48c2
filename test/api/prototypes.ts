/**
 * What a careless program may put into the prototypes of the language, for the tests of what that
 * changes in the library: names or indexes that everything inherits, or methods that are wrong.
 */

/** `thrown`: every method throws; `wrong`: every method does nothing, and answers undefined. */
export type Change = 'none' | 'named' | 'indexed' | 'thrown' | 'wrong';

interface Place {
  readonly object: object;
  readonly key: PropertyKey;
  readonly descriptor: PropertyDescriptor;
  readonly before: PropertyDescriptor | undefined;
}

const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf } = Object;
const { ownKeys } = Reflect;

const REPLACED: Record<string, object> = {
  Array: Array.prototype,
  String: String.prototype,
  Map: Map.prototype,
  Set: Set.prototype,
  WeakMap: WeakMap.prototype,
  RegExp: RegExp.prototype,
  Promise: Promise.prototype,
  TypedArray: getPrototypeOf(Uint8Array.prototype) as object,
};
const NAMES = ['extra', 'value', 'enumerable', 'get', 'set', 'writable', 'configurable'];
const METHODS = ['toJSON', 'then'];
const INDEXES = 70;

/** Changes them, until what it gives is called. */
export function changePrototypes(change: Change): () => void {
  const places: Place[] = [];
  const put = (object: object, key: PropertyKey, descriptor: PropertyDescriptor): void => {
    const before = getOwnPropertyDescriptor(object, key);
    if (before !== undefined) setPrototypeOf(before, null);
    places.push({ object, key, descriptor: setPrototypeOf(descriptor, null), before });
  };
  const everywhere = [Array.prototype, Object.prototype];
  const shown = { writable: true, enumerable: true, configurable: true };
  if (change === 'indexed') {
    const trap = { get: () => 4711, set: () => {}, enumerable: true, configurable: true };
    for (const object of everywhere) for (let n = 0; n < INDEXES; n++) put(object, n, { ...trap });
  } else if (change === 'named') {
    for (const object of everywhere) {
      for (const key of NAMES) put(object, key, { value: () => 4711, ...shown });
      for (const key of METHODS) put(object, key, { value: () => 'not this', ...shown });
    }
    const value = () => ({ next: () => ({ done: true, value: 0 }) });
    put(Object.prototype, Symbol.iterator, { value, ...shown });
  } else if (change !== 'none') {
    for (const [of, object] of Object.entries(REPLACED)) {
      for (const key of ownKeys(object)) {
        const before = getOwnPropertyDescriptor(object, key) as PropertyDescriptor;
        if (key === 'constructor' || typeof before.value !== 'function') continue;
        put(object, key, { ...before, value: change === 'thrown' ? thrower(of, key) : () => {} });
      }
    }
  }
  // Without a method: what is put in place is in the way of nothing here.
  for (let n = 0; n < places.length; n++) {
    const { object, key, descriptor } = places[n] as Place;
    defineProperty(object, key, descriptor);
  }
  return () => {
    for (let n = places.length - 1; n >= 0; n--) {
      const { object, key, before } = places[n] as Place;
      if (before === undefined) Reflect.deleteProperty(object, key);
      else defineProperty(object, key, before);
    }
  };
}

function thrower(of: string, key: PropertyKey): () => never {
  return () => {
    throw new Error(`${of}.prototype.${String(key)} of a test`);
  };
}
