/**
 * Lists, maps and sets whose methods are copies, made when this module is loaded. If a program
 * changes the prototypes of Array, Map, Set or Object later (its own `push`, a setter for index 0),
 * they still work.
 *
 * Used where a wait, a call or a verdict depends on a list. Loops over them count indexes, since
 * the program can replace iterators. The program itself gets a plain array: `[...list]`. Any
 * thread.
 */

// The constructors are written out: Node 20 passes the arguments of an implied constructor through
// the iterator of Array.prototype, which a program may have replaced.

export class List<T> extends Array<T> {
  constructor(length = 0) {
    super(length);
  }
}
export class OwnMap<K, V> extends Map<K, V> {
  // biome-ignore lint/complexity/noUselessConstructor: see above
  constructor() {
    super();
  }
}
export class OwnSet<T> extends Set<T> {
  // biome-ignore lint/complexity/noUselessConstructor: see above
  constructor() {
    super();
  }
}

for (const [own, real] of [
  [List, Array],
  [OwnMap, Map],
  [OwnSet, Set],
] as const) {
  for (const key of Reflect.ownKeys(real.prototype)) {
    if (key === 'constructor') continue;
    const method = Reflect.getOwnPropertyDescriptor(real.prototype, key) as PropertyDescriptor;
    Object.defineProperty(own.prototype, key, method);
  }
  Object.setPrototypeOf(own.prototype, null);
}

const { defineProperty } = Object;

/** Pushes to a plain array, even if it inherits setters. */
export function append<T>(array: T[], value: T): void {
  const own = { __proto__: null, value, writable: true, enumerable: true, configurable: true };
  defineProperty(array, array.length, own);
}

/** An array of `make(0)` to `make(count - 1)`. Array.from would use an inherited iterator. */
export function times<T>(count: number, make: (n: number) => T): T[] {
  const list = new List<T>();
  for (let n = 0; n < count; n++) list.push(make(n));
  return [...list];
}
