/**
 * Wrong values of every kind, and the public surface that they are given to.
 *
 * Used by wrong-values.test.ts. The surface is read from the classes themselves: a new method is in
 * it without a word here.
 */

import vm from 'node:vm';
import { Context, SharedHeap } from 'shmalloc';

/** A value to give, by what it is. */
export type Named = readonly [name: string, value: unknown];

const refusing = (what: string) => (): never => {
  throw new Error(`the ${what} threw`);
};

/** All that this proxy is asked throws, and so does what it has. */
function hostile(): object {
  const handler: Record<string, () => never> = {};
  for (const trap of Reflect.ownKeys(Reflect)) {
    if (typeof trap === 'string') handler[trap] = refusing(`trap ${trap}`);
  }
  return new Proxy({}, handler);
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const textless = {
  toString: refusing('toString'),
  valueOf: refusing('valueOf'),
  [Symbol.toPrimitive]: refusing('toPrimitive'),
};

/** An object whose every property that anybody might ask for throws. */
const throwing = (...names: string[]): object =>
  Object.defineProperties(
    {},
    Object.fromEntries(
      names.map((name) => [name, { get: refusing(`getter ${name}`), enumerable: true }]),
    ),
  );

/** Where a call takes options, it says which at that. */
export const UNKNOWN_OPTION = 'an option that no call takes';

/** Values that hardly any parameter takes; whoever takes one of them has to do it whole. */
export function wrongValues(): Named[] {
  const realm = (code: string): Named => [`${code} of another realm`, vm.runInNewContext(code)];
  const gone = SharedHeap.create({ size: '2MiB', threads: 1 });
  const context = gone.contexts.create('gone');
  const vector = gone.vectors.create(Float64Array);
  const handles = { heap: gone.handle, vector: vector.handle };
  gone.detach();
  return [
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['NaN', Number.NaN],
    ['-1', -1],
    ['-0', -0],
    ['1.5', 1.5],
    ['7', 7],
    ['2 ** 31', 2 ** 31],
    ['2 ** 53', 2 ** 53],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['an empty text', ''],
    ['x', 'x'],
    ['a long text', 'x'.repeat(1e6)],
    ['5n', 5n],
    ['a symbol', Symbol('s')],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    [UNKNOWN_OPTION, { zzzzzzzzzzzz: 1 }],
    ['an empty array', []],
    ['an array', [1, 'x']],
    ['a function', () => {}],
    ['a class', class {}],
    ['a boxed number', new Number(5)],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['an error', new Error('given')],
    ['a promise', Promise.resolve(5)],
    ['an ArrayBuffer', new ArrayBuffer(64)],
    ['a SharedArrayBuffer', new SharedArrayBuffer(2 ** 21)],
    ['a typed array', new Float64Array(3)],
    ['a typed array constructor', Float64Array],
    ['a proxy that throws', hostile()],
    ['a revoked proxy', revoked()],
    ['an object that is no text', textless],
    [
      'an object with getters that throw',
      throwing('kind', 'buffer', 'byteOffset', 'size', 'bytes', 'BYTES_PER_ELEMENT', 'then'),
    ],
    ['a heap that has detached', gone],
    ['a context that has ended', context],
    ['a vector of another heap', vector],
    ["another heap's handle, frozen", Object.freeze({ ...handles.heap, byteOffset: 5n })],
    ["another heap's vector's handle", handles.vector],
    ['a handle without a buffer', { ...handles.heap, buffer: {} }],
    realm('[1, 2]'),
    realm('({ a: 1 })'),
    realm('new Float64Array(3)'),
    realm('Float64Array'),
    realm('(function f() {})'),
    realm('new Error("there")'),
  ];
}

/** Methods that TypeScript calls protected or internal: programs are not told of them. */
const INTERNAL: Readonly<Record<string, readonly string[]>> = {
  SharedHeap: [],
  Context: [...['make', 'requireLive', 'requireOpen', 'error', 'mallocSlow']],
  Contexts: ['placeOf', 'forVectors', 'close', 'isClosed'],
  Vector: [],
};
/** The same of the classes themselves. */
const INTERNAL_STATICS = ['indexOf', 'is'];

/** Everything public that can be called on an object: its own, and those of its classes. */
export function methodsOf(instance: object): (string | symbol)[] {
  const found = new Set<string | symbol>();
  const internal = INTERNAL[kindOf(instance)] as readonly string[];
  for (let at = instance; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Reflect.ownKeys(at)) {
      const { value } = Object.getOwnPropertyDescriptor(at, name) as PropertyDescriptor;
      if (name === 'constructor' || typeof value !== 'function') continue;
      if (typeof name === 'symbol' || !internal.includes(name)) found.add(name);
    }
  }
  return [...found];
}

/** Static methods that programs may call. */
export const staticsOf = (of: object): string[] =>
  Object.getOwnPropertyNames(of).filter((name) => {
    const { value } = Object.getOwnPropertyDescriptor(of, name) as PropertyDescriptor;
    return typeof value === 'function' && !INTERNAL_STATICS.includes(name);
  });

function kindOf(instance: object): string {
  if (instance instanceof SharedHeap) return 'SharedHeap';
  if (instance.constructor.name === 'Contexts') return 'Contexts';
  return instance instanceof Context ? 'Context' : 'Vector';
}
