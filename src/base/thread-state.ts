/**
 * What all copies of this package in one thread share. A thread may have several: two in
 * `node_modules`, a module that a test runner or a hot reload evaluates anew, one in each realm. They
 * must know of each other, since to a heap they are one thread: it has one slot, and one name that
 * its locks bear.
 *
 * Used by contexts/ and api/. Any thread: nothing of it is shared between threads.
 *
 * I1  State is shared between copies of one version only, which agree on what is in it. What
 *     versions tell each other (`ANY_VERSION`) keeps its shape.
 */

/** As in package.json. */
export const VERSION = '0.1.0';
export const ANY_VERSION = '*';

const KEY = Symbol.for('shmalloc');
const kindKey = (kind: string): symbol => Symbol.for(`shmalloc ${kind}`);

/**
 * The object of this thread that all its realms see. Each realm has a `globalThis` of its own, and
 * jest a `process` of its own, but a built-in module is one object to all of them; and a registered
 * symbol is one to all realms of a thread. Not a static import: in a browser there is no such module.
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

/** State of this thread: what the first copy that asked for it made. */
export function threadState<T>(name: string, make: () => T, version = VERSION): T {
  const known = states();
  const key = `${version} ${name}`;
  if (!known.has(key)) known.set(key, make());
  return known.get(key) as T;
}

/**
 * From now on instances of a class are known to every copy as things of this kind.
 * @param isOne is it an instance? What has its prototype only is none: `#field in value`
 */
export function markKind(
  kind: string,
  { prototype }: { readonly prototype: object },
  isOne: (value: object) => boolean,
): void {
  Object.defineProperty(prototype, kindKey(kind), {
    get(this: object) {
      return isOne(this) ? VERSION : undefined;
    },
  });
}

/** The version of the copy that has made a thing of this kind; undefined where it is none. */
export function kindVersion(kind: string, value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return (value as Record<symbol, string | undefined>)[kindKey(kind)];
  } catch {
    // A proxy that throws is none.
    return undefined;
  }
}

/** Is it a thing of this kind that this version has made? */
export const isKindOf = (kind: string, value: unknown): boolean =>
  kindVersion(kind, value) === VERSION;

/** What to do about two versions. */
export const otherVersion = (version: string): string =>
  `it is of another copy of this package: shmalloc ${version}, and this one is ${VERSION}; ` +
  'have one version of it (`npm ls shmalloc` lists them)';
