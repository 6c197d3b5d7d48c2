/**
 * Lists, maps and sets with methods of their own: as they were when this module was loaded. What a
 * program puts into the prototypes of Array, Map, Set and Object later, an own `push` or a setter of
 * index 0, reaches none of them.
 *
 * For what a wait, a call or a verdict depends on; in loops that count, as the iterators are everybody's.
 * What a program gets to see is a plain array: `[...list]`. Any thread.
 */

// Constructors that are written out: Node 20 takes the arguments of one that is left out through the
// iterator of Array.prototype.

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

/** Pushes on a plain array, whatever setters it inherits. */
export function append<T>(array: T[], value: T): void {
  const own = { __proto__: null, value, writable: true, enumerable: true, configurable: true };
  defineProperty(array, array.length, own);
}

/** An array of what `make` makes of each number from 0 on. (Array.from takes an inherited iterator.) */
export function times<T>(count: number, make: (n: number) => T): T[] {
  const list = new List<T>();
  for (let n = 0; n < count; n++) list.push(make(n));
  return [...list];
}
