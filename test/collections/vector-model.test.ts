/**
 * Proves vectors against arrays: random calls on a few vectors of all kinds and homes in one heap,
 * each compared with an array in full, and an empty heap at the end.
 *
 * A failure prints its seed and the shortest sequence of calls that fails.
 */

import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import {
  type AnyElement,
  type ElementType,
  SharedHeap,
  type Vector,
  type VectorOptions,
} from 'shmalloc';
import { checkIdentity, seedOf } from '../helpers.js';

type Call =
  | { readonly call: 'push' | 'set' | 'insert'; readonly at: number; readonly n: number }
  | { readonly call: 'remove' | 'reserve'; readonly at: number }
  | { readonly call: 'pop' | 'clear' | 'shrink' | 'attach' }
  | { readonly call: 'fill'; readonly n: number };

const index = fc.nat(200);
const anyCall: fc.Arbitrary<Call> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ call: fc.constant('push' as const), at: index, n: index }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('set' as const), at: index, n: index }) },
  {
    weight: 3,
    arbitrary: fc.record({ call: fc.constant('insert' as const), at: index, n: index }),
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('remove' as const), at: index }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('pop' as const) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('fill' as const), n: index }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('reserve' as const), at: index }) },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constantFrom('clear', 'shrink', 'attach'),
    }) as fc.Arbitrary<Call>,
  },
);

const KINDS: [ElementType, (n: number) => AnyElement][] = [
  [Float64Array, (n) => n / 3],
  [Uint8Array, (n) => n],
  [BigInt64Array, (n) => BigInt(-n)],
  ['address', (n) => n * 16],
  [{ bytes: 7 }, (n) => new Uint8Array(7).fill(n)],
  [{ bytes: 300 }, (n) => Uint8Array.from({ length: 300 }, (_, i) => n ^ i)],
];

/** A vector and the array that it ought to be. */
class Pair {
  vector: Vector<never>;
  readonly array: AnyElement[] = [];
  readonly heap: SharedHeap;
  readonly value: (n: number) => never;

  constructor(
    heap: SharedHeap,
    options: VectorOptions,
    type: ElementType,
    value: (n: number) => AnyElement,
  ) {
    this.heap = heap;
    this.value = value as (n: number) => never;
    this.vector = heap.vectors.create(type, {
      ...options,
      capacity: 1,
    }) as unknown as Vector<never>;
  }

  run(call: Call): void {
    const { vector, array } = this;
    const inside = (at: number): number => at % array.length;
    switch (call.call) {
      case 'push':
        assert.equal(vector.push(this.value(call.n)), array.push(this.value(call.n)));
        break;
      case 'fill':
        for (let n = 0; n < call.n; n++) vector.push(this.value(n));
        for (let n = 0; n < call.n; n++) array.push(this.value(n));
        break;
      case 'set':
        if (array.length === 0) assert.throws(() => vector.set(0, this.value(0)), RangeError);
        else {
          vector.set(inside(call.at), this.value(call.n));
          array[inside(call.at)] = this.value(call.n);
        }
        break;
      case 'insert': {
        const at = call.at % (array.length + 1);
        array.splice(at, 0, this.value(call.n));
        assert.equal(vector.insert(at, this.value(call.n)), array.length);
        break;
      }
      case 'remove':
        if (array.length === 0) assert.throws(() => vector.remove(0), RangeError);
        else {
          const at = inside(call.at);
          assert.deepEqual(vector.remove(at), array[at]);
          array.splice(at, 1);
        }
        break;
      case 'pop':
        assert.deepEqual(vector.pop(), array.pop());
        break;
      case 'clear':
        vector.clear();
        array.length = 0;
        break;
      case 'reserve':
        vector.reserve(call.at);
        assert.ok(vector.capacity >= call.at);
        break;
      case 'shrink':
        vector.shrink();
        break;
      case 'attach':
        this.vector = this.heap.vectors.attach<never>(vector.handle);
        break;
    }
  }

  check(): void {
    const { vector, array } = this;
    assert.equal(vector.length, array.length);
    assert.ok(vector.capacity >= array.length);
    assert.deepEqual(vector.toArray(), array);
    assert.deepEqual([...vector], array);
    if (array.length > 0) assert.deepEqual(vector.at(-1), array.at(-1));
  }
}

test('Vector: as an array does, in all homes and with all kinds of elements', (t) => {
  const heap = SharedHeap.create({ size: '32MiB', threads: 2 });
  const calls = fc.array(fc.tuple(fc.nat(5), anyCall), { maxLength: 60, size: 'max' });
  const homes = fc.constantFrom('heap', 'shared', 'bump', 'set');
  const property = fc.property(homes, calls, (home, steps) => {
    const context =
      home === 'bump' || home === 'set'
        ? heap.contexts.create('vectors', { kind: home })
        : undefined;
    const options = { shared: home === 'shared', context };
    const pairs = KINDS.map(([type, value]) => new Pair(heap, options, type, value));
    try {
      for (const [which, call] of steps) {
        const pair = pairs[which] as Pair;
        pair.run(call);
        pair.check();
      }
      for (const pair of pairs) pair.check();
    } finally {
      if (context === undefined) for (const { vector } of pairs) vector.delete();
      else context.delete();
    }
    assert.deepEqual(heap.verify({ quiet: true }).problems, []);
    assert.equal(heap.stats().inUseBytes, 0);
    checkIdentity(heap.stats());
  });
  t.notThrows(() => fc.assert(property, { seed: seedOf(t), numRuns: 120 }));
  heap.detach();
});
