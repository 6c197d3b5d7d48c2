/**
 * State that all copies of this package in one thread share. A thread may have several copies: two
 * in `node_modules`, a module that a test runner or a hot reload evaluates again, one in each
 * realm. They must know of each other, since a heap sees them as one thread: with one slot, and one
 * thread word in its locks.
 *
 * Used by contexts/ and api/. Any thread: no state here is shared between threads.
 *
 * I1  Only copies of the same version share state, so that they agree on its shape. State that all
 *     versions share (`ANY_VERSION`) never changes its shape.
 */

import { markPublic } from './public-calls.js';

/** The version in package.json. */
export const VERSION = '0.1.0';
export const ANY_VERSION = '*';

const KEY = Symbol.for('shmalloc');
const kindKey = (kind: string): symbol => Symbol.for(`shmalloc ${kind}`);

/**
 * The object that holds the state. All realms of the thread must see the same one. Each realm has
 * its own `globalThis`, and jest its own `process`, but a built-in module is the same object in all
 * realms, and so is a registered symbol. Not a static import: a browser has no such module.
 */
const place: object = globalThis.process?.getBuiltinModule?.('node:worker_threads') ?? globalThis;

type States = Map<string, unknown>;

function states(): States {
  const holder = place as { [KEY]?: States };
  if (holder[KEY] === undefined) {
    Object.defineProperty(place, KEY, { value: new Map(), configurable: true });
  }
  return holder[KEY] as unknown as States;
}

/** State of this thread by name; the first copy that asks for it makes it. */
export function threadState<T>(name: string, make: () => T, version = VERSION): T {
  const known = states();
  const key = `${version} ${name}`;
  if (!known.has(key)) known.set(key, make());
  return known.get(key) as T;
}

/**
 * Marks the instances of a class, so that every copy of the package recognises their kind, and the
 * functions of the class as public calls.
 * @param isOne true for an instance, by `#field in value`; false for an object with the prototype
 * only
 */
export function markKind(
  kind: string,
  Kind: { readonly prototype: object },
  isOne: (value: object) => boolean,
): void {
  markPublic(Kind);
  Object.defineProperty(Kind.prototype, kindKey(kind), {
    get(this: object) {
      return isOne(this) ? VERSION : undefined;
    },
  });
}

/** The version of the copy that made a value of this kind; undefined for any other value. */
export function kindVersion(kind: string, value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return (value as Record<symbol, string | undefined>)[kindKey(kind)];
  } catch {
    // A proxy that throws is not of this kind.
    return undefined;
  }
}

/** True for a value of this kind that a copy of this version made. */
export const isKindOf = (kind: string, value: unknown): boolean =>
  kindVersion(kind, value) === VERSION;

/** The end of a message about two versions in one program. */
export const otherVersion = (version: string): string =>
  `it is of another copy of this package: shmalloc ${version}, and this one is ${VERSION}; ` +
  'have one version of it (`npm ls shmalloc` lists them)';
