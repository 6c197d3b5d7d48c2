/**
 * Proves vectors in one thread: every call with every kind of element, shared and not, growth from
 * nothing to far beyond, a full heap, and what is said of every mistake.
 */

import test, { type ExecutionContext } from 'ava';
import {
  type Address,
  type ElementType,
  HeapError,
  HeapExhaustedError,
  InvalidAddressError,
  SharedHeap,
  type Vector,
  type VectorHandle,
  type VectorOptions,
  type ViewConstructor,
} from 'shmalloc';
import { assertIdentity, BIGINT_ARRAYS, NUMBER_ARRAYS } from '../helpers.js';

const CODED = { code: 'ERR_SHMALLOC_VECTOR' };

/** The heap is whole, and nothing is left in it. */
function assertEmpty(t: ExecutionContext, heap: SharedHeap): void {
  const report = heap.verify({ quiet: true });
  t.deepEqual(report.problems, []);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
}

function both(title: string, run: (t: ExecutionContext, shared: boolean) => void): void {
  for (const shared of [false, true]) {
    test(`${title}${shared ? ', shared' : ''}`, (t) => run(t, shared));
  }
}

/** A vector of a kind that the compiler need not know. */
const make = (heap: SharedHeap, type: ElementType, options: VectorOptions): Vector<never> =>
  heap.vectors.create(type, options) as unknown as Vector<never>;

/** n as an element of the kind. */
function elementOf(type: ElementType, n: number): number | bigint | Uint8Array {
  if (type === 'address') return n * 16;
  if (typeof type === 'object') return new Uint8Array(type.bytes).fill(n);
  return type === BigInt64Array || type === BigUint64Array ? BigInt(n) : n;
}

const KINDS: ElementType[] = [
  ...NUMBER_ARRAYS,
  ...BIGINT_ARRAYS,
  'address',
  { bytes: 1 },
  { bytes: 24 },
  { bytes: 1001 },
];
const nameOf = (type: ElementType): string =>
  typeof type === 'function' ? type.name : JSON.stringify(type);

for (const type of KINDS) {
  both(`Vector of ${nameOf(type)}: every call does what it does to an array`, (t, shared) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const vector = make(heap, type, { shared, capacity: 2 });
    const value = (n: number) => elementOf(type, n) as never;
    const values = (...numbers: number[]) => numbers.map(value) as never[];
    t.is(vector.length, 0);
    t.true(vector.capacity >= 2);
    t.is(vector.pop(), undefined);
    t.deepEqual([...vector], []);
    for (let n = 0; n < 100; n++) t.is(vector.push(value(n)), n + 1);
    t.is(vector.length, 100);
    t.true(vector.capacity >= 100 && vector.capacity < 300, `${vector.capacity}`);
    for (let n = 0; n < 100; n++) t.deepEqual(vector.get(n), value(n));
    t.deepEqual(vector.at(-1), value(99));
    t.deepEqual(vector.at(-100), value(0));
    t.deepEqual(vector.at(7), value(7));
    vector.set(7, value(107));
    t.deepEqual(vector.get(7), value(107));
    t.deepEqual(vector.get(6), value(6));
    t.deepEqual(vector.get(8), value(8));
    t.deepEqual(vector.pop(), value(99));
    while (vector.length > 4) vector.pop();
    vector.shrink();
    t.deepEqual(vector.toArray(), values(0, 1, 2, 3));
    t.is(vector.insert(0, value(10)), 5);
    t.is(vector.insert(5, value(11)), 6);
    t.is(vector.insert(3, value(12)), 7);
    t.deepEqual(vector.toArray(), values(10, 0, 1, 12, 2, 3, 11));
    t.deepEqual(vector.remove(3), value(12));
    t.deepEqual(vector.remove(0), value(10));
    t.deepEqual(vector.remove(4), value(11));
    t.deepEqual([...vector], values(0, 1, 2, 3));
    const visited: unknown[] = [];
    vector.forEach((element, index, of) => {
      visited.push([element, index, of === vector]);
    });
    t.deepEqual(
      visited,
      [0, 1, 2, 3].map((n) => [value(n), n, true]),
    );
    const { capacity } = vector;
    vector.reserve(capacity);
    t.is(vector.capacity, capacity);
    vector.reserve(1000);
    t.true(vector.capacity >= 1000);
    t.deepEqual(vector.toArray(), values(0, 1, 2, 3));
    vector.clear();
    t.is(vector.length, 0);
    t.true(vector.capacity >= 1000);
    vector.delete();
    assertEmpty(t, heap);
  });

  both(`Vector of ${nameOf(type)}: a view is of the elements`, (t, shared) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    using vector = make(heap, type, { shared });
    for (let n = 1; n < 20; n++) vector.push(elementOf(type, n) as never);
    const view = vector.view() as Uint8Array;
    const ViewType =
      typeof type === 'function' ? type : type === 'address' ? Uint32Array : Uint8Array;
    t.true(view instanceof (ViewType as ViewConstructor));
    t.is(view.buffer as unknown, heap.handle.buffer);
    const expected: unknown[] = [];
    for (const element of vector as Iterable<unknown>) {
      if (element instanceof Uint8Array) expected.push(...element);
      else expected.push(element);
    }
    t.deepEqual([...view] as unknown[], expected);
    view[0] = view[1];
    const first = vector.get(0) as unknown;
    t.deepEqual(first instanceof Uint8Array ? first[0] : first, view[1]);
  });
}

both('Vector: numbers are converted as typed arrays do, to the bit', (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const all = [0, -0, 1.5, -1, 255.5, 256, 70_000, -(2 ** 31), 2 ** 32, 1e300, Infinity, NaN];
  for (const ArrayType of NUMBER_ARRAYS) {
    using vector = heap.vectors.create(ArrayType, { shared });
    for (const n of all) vector.push(n);
    t.deepEqual(vector.toArray(), [...new ArrayType(all)], ArrayType.name);
  }
  for (const ArrayType of BIGINT_ARRAYS) {
    using vector = heap.vectors.create(ArrayType, { shared });
    const bigs = [0n, -1n, 2n ** 63n, 2n ** 64n + 5n];
    for (const n of bigs) vector.push(n);
    t.deepEqual(vector.toArray(), [...new ArrayType(bigs)], ArrayType.name);
  }
});

both(
  'Vector.push: grows from the first element far beyond, and gives every old storage back',
  (t, shared) => {
    using heap = SharedHeap.create({ size: '64MiB' });
    const vector = heap.vectors.create(Float64Array, { shared, capacity: 0 });
    const capacities = new Set<number>();
    for (let n = 0; n < 500_000; n++) {
      vector.push(n + 0.5);
      if ((n & (n + 1)) === 0) capacities.add(vector.capacity);
    }
    let wrong = 0;
    for (let n = 0; n < 500_000; n++) if (vector.get(n) !== n + 0.5) wrong++;
    t.is(wrong, 0);
    t.true(capacities.size > 12, `${[...capacities]}`);
    const { inUseBytes } = assertIdentity(t, heap);
    t.true(inUseBytes < 3 * 8 * 500_000, `${inUseBytes} bytes in use`);
    while (vector.length > 3) vector.pop();
    vector.shrink();
    t.true(heap.stats().inUseBytes < 300);
    t.deepEqual(vector.toArray(), [0.5, 1.5, 2.5]);
    vector.delete();
    assertEmpty(t, heap);
  },
);

both('Vector: pushes and pops use the same places again', (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  using vector = heap.vectors.create(Int32Array, { shared });
  for (let n = 0; n < 6; n++) vector.push(n);
  const { capacity } = vector;
  const { threads } = heap.stats();
  for (let n = 0; n < 10_000; n++) {
    vector.push(n);
    vector.pop();
  }
  t.is(vector.capacity, capacity);
  t.deepEqual(heap.stats().threads, threads);
});

both('Vector: a full heap is a HeapExhaustedError, and nothing has changed', (t, shared) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  const vector = heap.vectors.create(Float64Array, { shared });
  const error = t.throws(
    () => {
      for (let n = 0; ; n++) vector.push(n);
    },
    { instanceOf: HeapExhaustedError, code: 'ERR_SHMALLOC_HEAP_EXHAUSTED' },
  );
  const { length, capacity } = vector;
  t.is(length, capacity);
  t.regex(error?.message ?? '', new RegExp(`for ${length + 1} elements`));
  t.true((error?.bytes ?? 0) >= (length + 1) * 8);
  t.throws(() => vector.insert(5, 5), { instanceOf: HeapExhaustedError });
  t.throws(() => vector.reserve(10_000_000), { instanceOf: HeapExhaustedError });
  if (shared) t.throws(() => vector.remove(5), { instanceOf: HeapExhaustedError });
  t.is(vector.length, length);
  t.is(vector.capacity, capacity);
  t.true(vector.toArray().every((value, n) => value === n));
  t.throws(() => heap.vectors.create(Float64Array, { shared, capacity: 1e6 }), {
    instanceOf: HeapExhaustedError,
  });
  vector.delete();
  assertEmpty(t, heap);
});

both('Vector.push: in a heap that cannot give twice as much it grows by less', (t, shared) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const vector = heap.vectors.create(Float64Array, { shared, capacity: 400_000 });
  vector.push(1);
  while (vector.length < vector.capacity) vector.push(2);
  const before = vector.capacity;
  vector.push(3);
  t.true(vector.capacity > before && vector.capacity < 2 * before, `${vector.capacity}`);
  t.is(vector.at(-1), 3);
  vector.delete();
  assertEmpty(t, heap);
});

both('Vector: an index out of bounds is a RangeError with the numbers', (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  using vector = heap.vectors.create(Float64Array, { shared });
  for (let n = 0; n < 3; n++) vector.push(n);
  const range = (message: RegExp) => ({ instanceOf: RangeError, message, ...CODED });
  t.throws(() => vector.get(3), range(/Vector\.get: index 3 is not below the length 3/));
  t.throws(() => vector.get(-1), range(/index -1 is below 0/));
  t.throws(() => vector.get(1.5), range(/index 1\.5 is no whole number/));
  t.throws(() => vector.get(NaN), range(/index NaN/));
  t.throws(() => vector.get(2 ** 32), range(/index 4294967296 is not below the length 3/));
  t.throws(() => vector.at(3), range(/index 3 is not below the length 3/));
  t.throws(() => vector.at(-4), range(/index -4 is before the first of 3 elements/));
  t.throws(() => vector.at(NaN), range(/index NaN/));
  t.throws(() => vector.set(3, 1), range(/Vector\.set: index 3 is not below the length 3/));
  t.throws(() => vector.insert(4, 1), range(/Vector\.insert: index 4 is above the length 3/));
  t.throws(() => vector.remove(3), range(/Vector\.remove: index 3 is not below the length 3/));
  const type = { instanceOf: TypeError, message: /an index is a number, got '1'/, ...CODED };
  t.throws(() => vector.get('1' as never), type);
  t.throws(() => vector.at('1' as never), type);
  t.throws(() => vector.set('1' as never, 1), type);
  t.throws(() => vector.insert('1' as never, 1), type);
  t.throws(() => vector.remove('1' as never), type);
  for (const capacity of [-1, 1.5, NaN, 2 ** 32, '5']) {
    t.throws(() => vector.reserve(capacity as number), range(/a capacity is a whole number/));
  }
  t.deepEqual(vector.toArray(), [0, 1, 2]);
});

both(
  'Vector: a value that is no such element is a TypeError, and nothing has changed',
  (t, shared) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const wrong: [ElementType, unknown[]][] = [
      [Float64Array, ['1', 1n, undefined, null, {}]],
      [Uint8Array, [true, new Date()]],
      [BigInt64Array, [1, '1', undefined]],
      ['address', [-1, 1.5, NaN, 2 ** 32, '16', 16n, undefined]],
      [
        { bytes: 4 },
        [1, new Uint8Array(3), new Uint8Array(5), new Int8Array(4), [1, 2, 3, 4], null],
      ],
    ];
    for (const [type, values] of wrong) {
      using vector = make(heap, type, { shared });
      vector.push(elementOf(type, 1) as never);
      for (const value of values as never[]) {
        const message = /an element of this vector/;
        t.throws(() => vector.push(value), { instanceOf: TypeError, message, ...CODED });
        t.throws(() => vector.set(0, value), { instanceOf: TypeError, message, ...CODED });
        t.throws(() => vector.insert(0, value), { instanceOf: TypeError, message, ...CODED });
      }
      t.deepEqual(vector.toArray(), [elementOf(type, 1)] as never);
    }
  },
);

test('vectors.create: refuses what is no element, no option', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  for (const type of ['Float64Array', Array, DataView, null, undefined, 8, {}]) {
    t.throws(() => heap.vectors.create(type as never), { instanceOf: TypeError, ...CODED });
  }
  for (const bytes of [0, -1, 1.5, NaN, 2 ** 33, '8']) {
    t.throws(() => heap.vectors.create({ bytes: bytes as number }), {
      instanceOf: RangeError,
      ...CODED,
    });
  }
  const option = { code: 'ERR_SHMALLOC_INVALID_OPTION' };
  t.throws(() => heap.vectors.create(Float64Array, { size: 1 } as never), option);
  t.throws(() => heap.vectors.create(Float64Array, { shared: 1 } as never), option);
  t.throws(() => heap.vectors.create(Float64Array, { capacity: -1 }), { instanceOf: RangeError });
  t.throws(() => heap.vectors.create(Float64Array).forEach(5 as never), { instanceOf: TypeError });
  t.is(heap.stats().inUseBytes > 0, true, 'the last one is there');
});

both('Vector.delete, using: give all back, and every later call is an error', (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const vector = heap.vectors.create(Float64Array, { shared });
  vector.push(1);
  const { handle } = vector;
  const other = heap.vectors.attach(handle);
  t.is(other.get(0), 1);
  other.push(2);
  t.is(vector.length, 2);
  vector.delete();
  assertEmpty(t, heap);
  const gone = { instanceOf: HeapError, message: /vector at 0x[0-9a-f]+ was deleted/, ...CODED };
  for (const dead of [vector, other]) {
    const calls: (() => unknown)[] = [
      () => dead.length,
      () => dead.capacity,
      () => dead.get(0),
      () => dead.at(-1),
      () => dead.set(0, 1),
      () => dead.push(1),
      () => dead.pop(),
      () => dead.insert(0, 1),
      () => dead.remove(0),
      () => dead.clear(),
      () => dead.reserve(100),
      () => dead.shrink(),
      () => dead.toArray(),
      () => dead.view(),
      () => [...dead],
      () => dead.forEach(() => {}),
      () => dead.delete(),
    ];
    for (const call of calls) t.throws(call, gone, String(call));
    t.notThrows(() => dead[Symbol.dispose]());
  }
  assertEmpty(t, heap);
  t.throws(() => heap.vectors.attach(handle), { message: /it is not there any more/, ...CODED });
  const next = heap.vectors.create(Float64Array, { shared });
  t.is(next.handle.address, handle.address, 'the same place');
  t.throws(() => vector.push(1), gone);
  t.throws(() => heap.vectors.attach(handle), { message: /it is not there any more/, ...CODED });
  {
    using same = next;
    same.push(1);
  }
  assertEmpty(t, heap);
});

test('vectors.attach: refuses what is no handle of a vector of this heap', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  using foreign = SharedHeap.create({ size: '16MiB' });
  using vector = heap.vectors.create({ bytes: 24 }, { shared: true });
  const { handle } = vector;
  t.deepEqual(structuredClone(handle), handle);
  t.is(handle.elements, '24 bytes');
  t.true(handle.shared);
  for (const bad of [null, undefined, 5.5, 'x', {}, heap.handle, { ...handle, kind: 'x' }]) {
    t.throws(() => heap.vectors.attach(bad as VectorHandle), { instanceOf: TypeError, ...CODED });
  }
  t.throws(() => foreign.vectors.attach(handle), { message: /it lives in heap/, ...CODED });
  for (const address of [0, 8, -16, handle.address + 8, heap.handle.buffer.byteLength, 2 ** 40]) {
    const error = { message: /no address of a block/, ...CODED };
    t.throws(() => heap.vectors.attach({ ...handle, address }), error);
  }
  const block = heap.calloc_ts(1, 64);
  t.throws(() => heap.vectors.attach({ ...handle, address: block }), {
    message: /not there/,
    ...CODED,
  });
  // A forged header in a block of the program is none.
  heap.u8.copyWithin(block, handle.address, handle.address + 64);
  t.throws(() => heap.vectors.attach({ ...handle, address: block }), {
    message: /no vector/,
    ...CODED,
  });
  t.throws(() => heap.free_ts(handle.address as Address), { instanceOf: InvalidAddressError });
});

both('Vector.freeAll: frees what the elements point to, and takes them away', (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const vector = heap.vectors.create('address', { shared });
  for (let n = 0; n < 1000; n++) vector.push(heap.malloc_ts([16, 100, 5000, 70_000][n % 40] ?? 64));
  vector.push(0 as Address);
  t.is(vector.freeAll(), 1000);
  t.is(vector.length, 0);
  const good = heap.malloc_ts(100);
  const bad = heap.malloc_ts(100);
  vector.push(good);
  vector.push(bad);
  vector.push(heap.malloc_ts(100));
  heap.free_ts(bad);
  t.throws(() => vector.freeAll(), { instanceOf: InvalidAddressError });
  t.deepEqual(vector.toArray(), [good, bad]);
  vector.pop();
  t.is(vector.freeAll(), 1);
  vector.delete();
  assertEmpty(t, heap);
  using numbers = heap.vectors.create(Uint32Array, { shared });
  t.throws(() => numbers.freeAll(), {
    instanceOf: TypeError,
    message: /Uint32Array, not addr/,
    ...CODED,
  });
});

both('Vector.freeAll: goes through the frees of debug options', (t, shared) => {
  using heap = SharedHeap.create({
    size: '16MiB',
    debug: { guard: 16, history: 1000 },
  });
  const vector = heap.vectors.create('address', { shared });
  for (let n = 0; n < 100; n++) vector.push(heap.malloc_ts(40));
  t.is(vector.freeAll(), 100);
  t.is(heap.inspect.history().filter(({ operation }) => operation === 'free').length, 100);
  const block = heap.malloc_ts(8);
  vector.push(block);
  heap.free_ts(block);
  t.throws(() => vector.freeAll());
  t.deepEqual(vector.toArray(), [block]);
  vector.delete();
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

both('Vector: callbacks may change the vector', (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  using vector = heap.vectors.create(Int32Array, { shared });
  vector.push(0);
  vector.forEach((value) => {
    if (value < 50) vector.push(value + 1);
  });
  t.is(vector.length, 51);
  vector.forEach(() => {
    vector.pop();
  });
  t.is(vector.length, 25);
});

test('Vector: the words of a header far up in the heap are found', (t) => {
  using heap = SharedHeap.create({ size: '3GiB', threads: 2 });
  const low = heap.malloc_ts(2_800_000_000);
  t.not(low, 0);
  for (const shared of [false, true]) {
    const vector = heap.vectors.create(Float64Array, { shared, capacity: 100_000 });
    for (let n = 0; n < 200_000; n++) vector.push(n);
    t.is(vector.get(199_999), 199_999);
    vector.insert(0, 5);
    t.is(vector.remove(100_000), 99_999);
    t.is(vector.length, 200_000);
    vector.delete();
  }
  heap.free_ts(low);
  assertEmpty(t, heap);
});

test('shared Vector: what is called after its end leaves the memory that it had alone', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const vector = heap.vectors.create(Float64Array, { shared: true });
  const { address } = vector.handle;
  vector.delete();
  const held: Address[] = [];
  while (held.at(-1) !== address && held.length < 1000) held.push(heap.malloc_ts(64));
  t.true(held.at(-1) === address, 'its memory is in use again');
  const words = heap.u32.subarray(address >>> 2, (address >>> 2) + 16);
  for (const garbage of [0, 6, 7, 0x1000, 0x12345678, 0xfffffff0]) {
    words.fill(garbage);
    const calls: (() => unknown)[] = [
      () => vector.push(1),
      () => vector.pop(),
      () => vector.get(0),
      () => vector.at(-1),
      () => vector.set(0, 1),
      () => vector.insert(0, 1),
      () => vector.remove(0),
      () => vector.length,
      () => vector.capacity,
      () => vector.clear(),
      () => vector.reserve(100),
      () => vector.shrink(),
      () => vector.toArray(),
      () => vector.view(),
      () => [...vector],
      () => vector.delete(),
    ];
    for (const call of calls) {
      t.throws(call, { ...CODED, message: /was deleted/ }, `${garbage}: ${call}`);
      t.true(
        words.every((word) => word === garbage),
        `${garbage}: ${call}`,
      );
    }
  }
  for (const block of held) heap.free_ts(block);
  assertEmpty(t, heap);
});

test('shared Vector: what is half done is finished, whoever has taken over the lock before', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const vector = heap.vectors.create({ bytes: 32 }, { shared: true });
  vector.push(new Uint8Array(32).fill(1));
  // As a thread that died in the middle of set(0, ...) leaves it; its lock is free again already.
  const header = vector.handle.address >>> 2;
  const data = heap.u32[header + 3];
  heap.u8.fill(2, data + 16, data + 48);
  heap.u32[(data >>> 2) + 1] = 1;
  heap.u32[header + 5]++;
  heap.u8.fill(2, data + 48, data + 64);
  vector.push(new Uint8Array(32).fill(3));
  t.deepEqual(vector.get(0), new Uint8Array(32).fill(2));
  t.is(heap.u32[(data >>> 2) + 1], 0);
  t.is(heap.u32[header + 5] & 1, 0);
  vector.delete();
  assertEmpty(t, heap);
});

test('shared Vector.set: a record that a dead thread left to be finished is read by nobody meanwhile', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const vector = heap.vectors.create({ bytes: 32 }, { shared: true });
  vector.push(new Uint8Array(32).fill(1));
  const header = vector.handle.address >>> 2;
  const data = heap.u32[header + 3];
  // It died when it had written the scratch element and redo, and not yet told readers to wait.
  heap.u8.fill(2, data + 16, data + 48);
  heap.u32[(data >>> 2) + 1] = 1;
  const before = heap.u32[header + 5];
  const versions: number[] = [];
  heap.u8.copyWithin = function (...range) {
    versions.push(heap.u32[header + 5]);
    return Uint8Array.prototype.copyWithin.apply(this, range) as typeof heap.u8;
  };
  vector.push(new Uint8Array(32).fill(3));
  t.deepEqual(versions, [before + 1]);
  t.deepEqual(vector.get(0), new Uint8Array(32).fill(2));
  t.is(heap.u32[header + 5], before + 2);
  vector.delete();
  assertEmpty(t, heap);
});

both('Vector of bytes: a value that lies about its length is not taken', (t, shared) => {
  class Liar extends Uint8Array {
    override get length(): number {
      return 7;
    }
  }
  using heap = SharedHeap.create({ size: '16MiB' });
  const vector = heap.vectors.create({ bytes: 7 }, { shared });
  vector.push(new Uint8Array(7));
  const long = new Liar(4096);
  for (const call of [
    () => vector.push(long),
    () => vector.set(0, long),
    () => vector.insert(0, long),
  ]) {
    t.throws(call, { instanceOf: TypeError, ...CODED, message: /got one of 4096/ });
  }
  t.throws(() => vector.push(Object.create(Uint8Array.prototype)), {
    instanceOf: TypeError,
    ...CODED,
  });
  t.is(vector.push(new Liar(7)), 2);
  vector.delete();
  assertEmpty(t, heap);
});

both("Vector of bytes: a value may be a view of the vector's own elements", (t, shared) => {
  using heap = SharedHeap.create({ size: '16MiB', debug: { scribble: true } });
  const vector = heap.vectors.create({ bytes: 64 }, { shared });
  const of = (n: number): Uint8Array => new Uint8Array(64).fill(n);
  for (let n = 0; n < 4; n++) vector.push(of(n));
  const bytesOf = (index: number): Uint8Array =>
    (vector.view() as Uint8Array).subarray(index * 64, index * 64 + 64);
  vector.insert(0, bytesOf(1));
  t.deepEqual(vector.toArray(), [1, 0, 1, 2, 3].map(of));
  while (vector.length < vector.capacity) vector.push(of(9));
  vector.push(bytesOf(4));
  t.deepEqual(vector.at(-1), of(3), 'pushed when it had to grow');
  while (vector.length < vector.capacity) vector.push(of(9));
  vector.insert(1, bytesOf(4));
  t.deepEqual(vector.get(1), of(3), 'inserted when it had to grow');
  vector.delete();
  assertEmpty(t, heap);
});
