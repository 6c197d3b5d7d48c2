/**
 * Proves vectors in contexts: they go with the context, by reset, deletion, or the death of its
 * owner, also while other threads are in the middle of a push; and are an error after.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { HeapError, SharedHeap, Vector, type VectorHandle } from 'shmalloc';
import { assertIdentity, heldIn } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import type { VectorTask } from './vector.worker.js';

const ENDED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT_ENDED' };

function assertEmpty(t: ExecutionContext, heap: SharedHeap): void {
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
  t.deepEqual(heldIn(heap), []);
}

for (const kind of ['bump', 'set'] as const) {
  for (const shared of [false, true]) {
    const title = `${shared ? 'shared ' : ''}Vector in a ${kind}`;

    test(`${title}: grows, and goes with a reset and with the context`, (t) => {
      using heap = SharedHeap.create({ size: '16MiB' });
      const context = heap.createContext('vectors', { kind });
      const vector = Vector.create(context, Float64Array, { shared });
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
      const attached = Vector.attach(context, vector.handle);
      t.is(attached.push(5), 10_001);
      t.is(vector.length, 10_001);
      context.reset();
      for (const gone of [vector, attached]) {
        t.throws(() => gone.length, ENDED);
        t.throws(() => gone.push(1), ENDED);
        t.throws(() => gone.get(0), ENDED);
        t.throws(() => gone.set(0, 1), ENDED);
        t.throws(() => gone.delete(), ENDED);
      }
      t.throws(() => Vector.attach(context, vector.handle));
      const next = Vector.create(context, Float64Array, { shared });
      next.push(7);
      t.throws(() => vector.get(0), ENDED);
      context.delete();
      t.throws(() => next.get(0), ENDED);
      assertEmpty(t, heap);
    });

    test(`${title}: delete ends it at once`, (t) => {
      using heap = SharedHeap.create({ size: '16MiB' });
      const context = heap.createContext('vectors', { kind });
      const vector = Vector.create(context, { bytes: 10 }, { shared });
      const other = Vector.attach<Uint8Array>(heap, vector.handle);
      vector.push(new Uint8Array(10));
      vector.delete();
      t.throws(() => vector.get(0), ENDED);
      t.throws(() => other.get(0), ENDED);
      t.throws(() => other.push(new Uint8Array(10)), ENDED);
      context.delete();
      assertEmpty(t, heap);
    });
  }
}

test('Vector in a context: attached by the heap it has all but growth', (t) => {
  using heap = SharedHeap.create({ size: '16MiB' });
  const context = heap.createContext('vectors');
  const vector = Vector.create(context, Int32Array, { capacity: 4 });
  const attached = Vector.attach(heap, vector.handle);
  while (vector.length < vector.capacity) attached.push(attached.length);
  t.throws(() => attached.push(1), { code: 'ERR_SHMALLOC_VECTOR', message: /attach\(context/ });
  t.is(attached.length, attached.capacity);
  t.is(attached.pop(), attached.capacity - 1);
  context.delete();
  assertEmpty(t, heap);
});

for (const kind of ['bump', 'set'] as const) {
  for (const deleter of ['its owner', 'another thread'] as const) {
    const title = `shared Vector in a ${kind}: ${deleter} deletes many, and the heap stays as it is`;
    test(title, async (t) => {
      using heap = SharedHeap.create({ size: '16MiB' });
      const words = new Int32Array(new SharedArrayBuffer(64));
      const other = new Worker(new URL('./vector.worker.js', import.meta.url), {
        workerData: { heap: heap.handle, task: { act: 'delete-all', seed: 0, words } },
      });
      // Each message that is waited for leaves listeners.
      other.setMaxListeners(0);
      t.teardown(() => other.terminate());
      const context = heap.createContext('vectors', { kind });
      const kept = Vector.create(context, Float64Array, { shared: true });
      kept.push(5);
      const { objects } = context.stats();
      for (let round = 0; round < 300; round++) {
        const vectors: Vector[] = [];
        for (let n = 0; n < 100; n++) {
          const vector = Vector.create(context, Float64Array, { shared: true });
          vector.push(n);
          vectors.push(vector);
        }
        const handles = vectors.map((vector) => vector.handle);
        if (deleter === 'its owner') for (const vector of vectors) vector.delete();
        else {
          const header = (handles[0] as VectorHandle).address >>> 2;
          const before = [...heap.u32.subarray(header, header + 16)];
          other.postMessage(handles);
          t.is(await nextMessage(other), handles.length);
          // The owner might have died meanwhile, and the memory be another's.
          t.deepEqual([...heap.u32.subarray(header, header + 16)], before);
        }
        const gone = vectors[round % 100] as Vector;
        t.throws(() => gone.push(1), ENDED);
        t.throws(() => gone.get(0), ENDED);
        t.throws(() => Vector.attach(heap, gone.handle));
      }
      if (kind === 'set' && deleter === 'its owner') t.is(context.stats().objects, objects);
      t.deepEqual(kept.toArray(), [5]);
      t.is(heap.createContext('another').alloc(Int8Array, 10).length, 10);
      context.reset();
      const next = Vector.create(context, Float64Array, { shared: true });
      next.push(6);
      t.throws(() => kept.get(0), ENDED);
      t.is(next.get(0), 6);
      context.delete();
      const over = ended(other);
      other.postMessage([]);
      await over;
      t.deepEqual(heap.verify({ quiet: true }).problems, []);
    });
  }
}

test('Vector: what a thread has in contexts and was making ends when it detaches', (t) => {
  const keeper = SharedHeap.create({ size: '16MiB' });
  const { handle } = keeper;
  const vectors = [false, true].map((shared) =>
    Vector.create(keeper.createContext('vectors'), Int8Array, { shared }),
  );
  const inHeap = Vector.create(keeper, Int8Array);
  inHeap.push(5);
  keeper.detach();
  using heap = SharedHeap.attach(handle);
  for (const vector of vectors) t.throws(() => Vector.attach(heap, vector.handle));
  const found = Vector.attach(heap, inHeap.handle);
  t.is(found.get(0), 5);
  found.delete();
  assertEmpty(t, heap);
});

test('shared Vector in a context: its owner dies while others push, and only the vector ends', async (t) => {
  using heap = SharedHeap.create({ size: '64MiB' });
  const words = new Int32Array(new SharedArrayBuffer(1024));
  const start = (task: Omit<VectorTask, 'words'>): Worker =>
    new Worker(new URL('./vector.worker.js', import.meta.url), {
      workerData: { heap: heap.handle, task: { ...task, words } },
    });
  let pushed = 0;
  for (let round = 0; round < 8; round++) {
    words.fill(0);
    const owner = start({ act: 'own-context', seed: round });
    const { vector } = await nextMessage<{ vector: VectorHandle }>(owner);
    const pusher = start({ act: 'push-until-ended', seed: round, vector });
    const done = nextMessage<{ pushed: number; code: string }>(pusher);
    const over = ended(pusher);
    const mine = Vector.attach(heap, vector);
    while (Atomics.load(words, 0) < 20 + round * 300) {
      mine.push(1);
      if (mine.length > 50_000) mine.clear();
    }
    const end = owner.terminate();
    const error = await (async () => {
      await end;
      for (;;) {
        try {
          // Growth is what ends in the middle: it takes and gives blocks.
          for (let n = 0; n < 100; n++) mine.push(1);
          if (mine.length > 50_000) mine.clear();
          mine.insert(0, 2);
          mine.shrink();
          heap.recover();
        } catch (thrown) {
          return thrown as HeapError;
        }
      }
    })();
    t.is(error.code, 'ERR_SHMALLOC_CONTEXT_ENDED');
    const report = await done;
    t.is(report.code, 'ERR_SHMALLOC_CONTEXT_ENDED');
    pushed += report.pushed;
    await over;
    heap.recover();
    assertEmpty(t, heap);
  }
  t.log(`${pushed} pushes`);
});
