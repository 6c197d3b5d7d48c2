/**
 * Proves vectors in contexts: they go with the context, by reset, deletion, or the death of its
 * owner, and are an error after; and that a shared vector lives in the heap alone.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { HeapError, SharedHeap, type Vector, type VectorHandle } from 'shmalloc';
import { assertIdentity, heldIn } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';

const ENDED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT_ENDED' };
const CODED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_VECTOR' };

function assertEmpty(t: ExecutionContext, heap: SharedHeap): void {
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
  t.deepEqual(heldIn(heap), []);
}

for (const kind of ['bump', 'set'] as const) {
  test(`Vector in a ${kind}: grows, and goes with a reset and with the context`, (t) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const context = heap.contexts.create('vectors', { kind });
    const vector = heap.vectors.create(Float64Array, { context });
    for (let n = 0; n < 10_000; n++) vector.push(n);
    vector.insert(5, -1);
    t.is(vector.remove(5), -1);
    t.is(vector.length, 10_000);
    t.true(vector.toArray().every((value, n) => value === n));
    if (kind === 'set') t.true(context.stats().objects <= 2, 'old storages are given back');
    {
      using same = vector;
      t.is(same.at(-1), 9999);
    }
    t.is(vector.at(-1), 9999, 'the end of a using is not its end');
    const attached = heap.vectors.attach(vector.handle);
    while (attached.length < attached.capacity) attached.push(5);
    t.is(attached.push(6), vector.length, 'it grows here too');
    context.reset();
    for (const gone of [vector, attached]) {
      t.throws(() => gone.length, ENDED);
      t.throws(() => gone.push(1), ENDED);
      t.throws(() => gone.get(0), ENDED);
      t.throws(() => gone.set(0, 1), ENDED);
      t.throws(() => gone.delete(), ENDED);
    }
    t.throws(() => heap.vectors.attach(vector.handle));
    t.throws(() => heap.vectors.attach(vector.address));
    const next = heap.vectors.create(Float64Array, { context });
    next.push(7);
    t.throws(() => vector.get(0), ENDED);
    context.delete();
    t.throws(() => next.get(0), ENDED);
    assertEmpty(t, heap);
  });

  test(`Vector in a ${kind}: delete ends it at once`, (t) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const context = heap.contexts.create('vectors', { kind });
    const vector = heap.vectors.create({ bytes: 10 }, { context });
    const other = heap.vectors.attach<{ bytes: number }>(vector.handle);
    vector.push(new Uint8Array(10));
    vector.delete();
    t.throws(() => vector.get(0), ENDED);
    t.throws(() => other.get(0), ENDED);
    t.throws(() => other.push(new Uint8Array(10)), ENDED);
    context.delete();
    assertEmpty(t, heap);
  });

  test(`Vector in a ${kind}: grows in the thread that adopts its context, and in no other`, (t) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const released = heap.contexts.create('vectors', { kind });
    const vector = heap.vectors.create(Int32Array, { context: released, capacity: 4 });
    const handle = released.release();
    while (vector.length < vector.capacity) vector.push(vector.length);
    const { length } = vector;
    t.throws(() => vector.push(1), { ...CODED, message: /only that thread can make it longer/ });
    t.is(vector.length, length);
    const adopted = heap.contexts.adopt(handle);
    t.is(vector.push(1), length + 1);
    adopted.delete();
    assertEmpty(t, heap);
  });
}

test('shared Vector in a context: is refused, and nothing is made', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const context = heap.contexts.create('phase', { ident: '7' });
  t.throws(() => heap.vectors.create(Float64Array, { context, shared: true }), {
    ...CODED,
    message:
      /lives in the heap, not in context 'phase' \(7\).*onReset\(\(\) => vector\.delete\(\)\)/,
  });
  t.deepEqual(heap.vectors.list(), []);
  t.is(context.stats().objects, 0);
  // What the message says to do.
  const vector = heap.vectors.create(Float64Array, { shared: true });
  context.onReset(() => vector.delete());
  vector.push(1);
  context.delete();
  t.throws(() => vector.get(0), { code: 'ERR_SHMALLOC_VECTOR' });
  assertEmpty(t, heap);
});

test('vectors.create: refuses what is no context of this thread and heap', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  using other = SharedHeap.create({ size: '16MiB' });
  const make = (context: never) => () => heap.vectors.create(Float64Array, { context });
  t.throws(make(other.contexts.create('other') as never), {
    code: 'ERR_SHMALLOC_CONTEXT',
    message: /belongs to another heap/,
  });
  t.throws(make({} as never), { instanceOf: TypeError, code: 'ERR_SHMALLOC_INVALID_OPTION' });
  const context = heap.contexts.create('gone');
  context.delete();
  t.throws(make(context as never), ENDED);
  t.deepEqual(heap.vectors.list(), []);
});

for (const deleter of ['its maker', 'another thread'] as const) {
  test(`shared Vector: ${deleter} deletes many, and the heap stays as it is`, async (t) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const words = new Int32Array(new SharedArrayBuffer(64));
    const other = new Worker(new URL('./vector.worker.js', import.meta.url), {
      workerData: { heap: heap.handle, task: { act: 'delete-all', seed: 0, words } },
    });
    // Each message that is waited for leaves listeners.
    other.setMaxListeners(0);
    t.teardown(() => other.terminate());
    const kept = heap.vectors.create(Float64Array, { shared: true });
    kept.push(5);
    for (let round = 0; round < 300; round++) {
      const vectors: Vector[] = [];
      for (let n = 0; n < 100; n++) {
        const vector = heap.vectors.create(Float64Array, { shared: true });
        vector.push(n);
        vectors.push(vector);
      }
      const handles: VectorHandle[] = vectors.map((vector) => vector.handle);
      if (deleter === 'its maker') for (const vector of vectors) vector.delete();
      else {
        other.postMessage(handles);
        t.is(await nextMessage(other), handles.length);
      }
      const gone = vectors[round % 100] as Vector;
      t.throws(() => gone.push(1), CODED);
      t.throws(() => gone.get(0), CODED);
      t.throws(() => heap.vectors.attach(gone.handle), CODED);
    }
    t.deepEqual(kept.toArray(), [5]);
    t.is(heap.vectors.list().length, 1);
    kept.delete();
    const over = ended(other);
    other.postMessage([]);
    await over;
    assertEmpty(t, heap);
  });
}

test('Vector: what a thread has in contexts and was making ends when it detaches', (t) => {
  const keeper = SharedHeap.create({ size: '16MiB' });
  const { handle } = keeper;
  const inContext = keeper.vectors.create(Int8Array, {
    context: keeper.contexts.create('vectors'),
  });
  const inHeap = keeper.vectors.create(Int8Array);
  inHeap.push(5);
  keeper.detach();
  using heap = SharedHeap.attach(handle);
  t.throws(() => heap.vectors.attach(inContext.handle));
  const found = heap.vectors.attach(inHeap.handle);
  t.is(found.get(0), 5);
  found.delete();
  assertEmpty(t, heap);
});
