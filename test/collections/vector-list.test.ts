/**
 * Proves heap.vectors.list(): all vectors are listed with what they are, whoever made them and whether that
 * thread lives, and each can be ended; none that is being made, deleted, or is gone.
 */

import { threadId } from 'node:worker_threads';
import test from 'ava';
import { SharedHeap, type Vector, type VectorEntry } from 'shmalloc';
import * as VectorHeader from '../../src/layout/vector-header.js';
import { deleteAll, kill, start } from './vector-list.js';

const shown = ({ handle: _, ...entry }: VectorEntry) => entry;

test('vectors: what each is, and a handle to it', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  t.deepEqual(heap.vectors.list(), []);
  const block = heap.malloc_ts(64);
  t.deepEqual(heap.vectors.list(), []);
  const context = heap.contexts.create('request', { ident: '9' });
  const made = [
    heap.vectors.create('address'),
    heap.vectors.create(BigInt64Array, { capacity: 100 }),
    heap.vectors.create({ bytes: 24 }, { shared: true, capacity: 5 }),
  ];
  made[0]?.push(block as never);
  made[2]?.push(new Uint8Array(24) as never);
  heap.vectors.create(Uint8Array, { context });
  const listed = heap.vectors.list();
  t.deepEqual(
    listed.map(({ handle }) => handle),
    made.map(({ handle }) => handle),
  );
  for (const [n, entry] of listed.entries()) {
    const vector = made[n] as unknown as Vector;
    const { elements, shared } = vector.handle;
    t.like(entry, { elements, shared, threadId, attached: true });
    t.like(entry, { length: vector.length, capacity: vector.capacity });
  }
  const own = heap.inspect.blocks().filter(({ owned }) => owned === 'vector');
  const bytes = listed.reduce((sum, one) => sum + one.bytes, 0);
  t.is(
    bytes,
    own.reduce((sum, one) => sum + one.bytes, 0),
    'headers and storages',
  );
  context[Symbol.dispose]();
  t.is(heap.vectors.list().length, 3);
  made[1]?.delete();
  t.is(heap.vectors.list().length, 2);
  heap.free_ts(block);
  deleteAll(t, heap);
});

test('vectors: elements that look like a header are none', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const vector = heap.vectors.create(Uint32Array);
  const words = new Uint32Array(heap.u8.slice(vector.handle.address).buffer, 0, 16);
  t.is(words[0], VectorHeader.MAGIC);
  for (const word of words) vector.push(word);
  // Of no use as a vector's storage, which the copy says that this is.
  t.is(vector.get(3) === 0, false);
  t.deepEqual(
    heap.vectors.list().map(({ handle }) => handle),
    [vector.handle],
  );
  deleteAll(t, heap);
});

for (const [what, end] of [
  ['before it is recovered', () => {}],
  ['when it is recovered', (heap: SharedHeap) => heap.recover()],
] as const) {
  test(`vectors: those of a dead thread, ${what}, can be looked into and ended`, async (t) => {
    using heap = SharedHeap.create({ size: '8MiB' });
    const worker = await start(heap, 'make');
    const { threadId: maker } = worker;
    t.deepEqual(
      heap.vectors.list().map(({ attached }) => attached),
      [true, true],
    );
    await kill(worker);
    end(heap);
    const isAlive = { threadId: maker, attached: false };
    const inHeap = heap.vectors.list();
    t.like(inHeap.map(shown), [
      { elements: 'Float64Array', shared: false, length: 2, ...isAlive },
      { elements: '24 bytes', shared: true, length: 1, ...isAlive },
    ]);
    const [own, shared] = inHeap.map(({ handle }) => heap.vectors.attach(handle));
    t.deepEqual(own?.toArray(), [1.5, 2.5]);
    t.deepEqual(shared?.toArray() as unknown, [new Uint8Array(24).fill(7)]);
    heap.recover();
    t.is(heap.vectors.list().length, 2);
    deleteAll(t, heap);
  });
}

test('vectors: those of a thread that has detached', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const worker = await start(heap, 'leave');
  const listed = heap.vectors.list();
  t.deepEqual(
    listed.map(({ threadId: maker, attached }) => [maker, attached]),
    [
      [worker.threadId, false],
      [worker.threadId, false],
    ],
  );
  deleteAll(t, heap);
  await kill(worker);
});
