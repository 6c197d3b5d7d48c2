/** Proves that values of another realm do what those of this one do, in every public call that looks. */

import { runInNewContext } from 'node:vm';
import test from 'ava';
import { Context, type HeapHandle, SharedHeap, type ViewConstructor } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';

const there = <T>(code: string, names: object = {}): T => runInNewContext(code, { ...names }) as T;

test('SharedHeap.create: in buffers of another realm, of a WebAssembly.Memory too', (t) => {
  for (const code of [
    'new SharedArrayBuffer(4194304)',
    'new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true }).buffer',
  ]) {
    using heap = there<(create: typeof SharedHeap.create) => SharedHeap>(
      `(create) => create({ buffer: ${code}, threads: 2 })`,
    )(SharedHeap.create);
    t.true(heap.malloc_ts(100) > 0);
    t.true(heap.verify({ quiet: true }).ok);
  }
});

test('SharedHeap.create: what only says that it is a SharedArrayBuffer is refused', (t) => {
  const fakes = [
    { [Symbol.toStringTag]: 'SharedArrayBuffer', byteLength: 4 << 20 },
    Object.create(SharedArrayBuffer.prototype),
    there('new SharedArrayBuffer(4194304, { maxByteLength: 8388608 })'),
  ];
  for (const buffer of fakes as SharedArrayBuffer[]) {
    t.throws(() => SharedHeap.create({ buffer }), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  }
});

test('SharedHeap.attach, view, watch: handles, arrays and workers of another realm', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const copy = there<(handle: HeapHandle) => HeapHandle>('(handle) => ({ ...handle })');
  t.is(SharedHeap.attach(copy(heap.handle)), heap);
  const address = heap.malloc_ts(64);
  const view = heap.view(there<Float64ArrayConstructor>('Float64Array'), address, 8);
  view.fill(2.5);
  t.is(heap.f64[address >>> 3], 2.5);
  // A library may have a class of its own around a worker.
  const wrapped = { threadId: 77, once: () => wrapped, terminate: () => undefined };
  t.notThrows(() => heap.watch(wrapped as never));
  for (const other of [{}, { threadId: 77 }, null, 77]) {
    t.throws(() => heap.watch(other as never), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  }
});

test('Vector: element types and records of another realm', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  for (const name of ['Uint8Array', 'Float64Array', 'Uint8ClampedArray']) {
    using vector = heap.vectors.create(there<ViewConstructor>(name));
    t.is(vector.handle.elements, name);
    vector.push(7 as never);
    t.is(vector.get(0), 7 as never);
  }
  using records = heap.vectors.create(there<{ bytes: number }>('({ bytes: 3 })'));
  records.push(there<Uint8Array>('Uint8Array.of(1, 2, 3)'));
  t.deepEqual([...(records.get(0) ?? [])], [1, 2, 3]);
  t.throws(() => records.push(there<Uint8Array>('Int8Array.of(1, 2, 3)')), {
    code: 'ERR_SHMALLOC_VECTOR',
  });
});

test('Context: options, callbacks, promises and errors of another realm', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const context = heap.contexts.create(
    'there',
    there<{ kind: 'set' }>("({ kind: 'set', ident: 'x' })"),
  );
  t.true(context instanceof Context);
  const result = heap.contexts.run(
    'late',
    there<() => Promise<number>>('async (context) => context.malloc(8)'),
  );
  t.true((await result) > 0);
  const two = there<() => void>(
    "() => { throw new AggregateError([new Error('a'), new Error('b')]) }",
  );
  const error = t.throws(() =>
    heap.contexts.run('thrown', (of) => {
      of.onReset(() => undefined);
      two();
    }),
  ) as AggregateError;
  t.is(error.errors.length, 2);
});

test('HeapPool: workerData of another realm is a plain object', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const filename = new URL('../pool/settings.worker.js', import.meta.url);
  const workerData = there<Record<string, unknown>>("({ colour: 'blue' })");
  await using pool = new HeapPool(heap, { filename, threads: 1, workerData });
  t.is((await pool.run<{ colour: string }>({})).colour, 'blue');
});
