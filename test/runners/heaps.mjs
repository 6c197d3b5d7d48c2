/**
 * A user's test file, run by jest and by vitest in all their pools (runners.test.ts): two heaps,
 * and everything that passes between the test's realm and that of the package, or another copy of
 * it.
 */

import { Worker } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';

const { expect, test } = globalThis;
/** Exists in both runners; jest's evaluates packages again, vitest's those that it inlines. */
const resetModules = () => (globalThis.vi ?? import.meta.jest).resetModules();
const { SHMALLOC_TEST_URL: url, SHMALLOC_TEST_ANEW: anew } = process.env;

const MIB = 2 ** 20;
const heap = SharedHeap.create({ buffer: new SharedArrayBuffer(8 * MIB) });
const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
const other = SharedHeap.create({ buffer: memory.buffer, threads: 3, debug: { history: 10 } });

const attached = ({ threads }) => threads.filter((thread) => thread.attached).length;

test('two heaps, each in a buffer of the test', () => {
  for (const one of [heap, other]) {
    const address = one.malloc_ts(100);
    one.view(Float64Array, address, 12).fill(1.5);
    expect(one.f64[address >>> 3]).toBe(1.5);
    one.free_ts(address);
    expect(one.verify().problems).toEqual([]);
  }
});

test('a failed comparison is reported, without a copy of the memory', () => {
  const [one, two] = [heap.contexts.create('one'), heap.contexts.create('two')];
  expect(() => expect(heap).toBe(other)).toThrow();
  expect(() => expect(one).toEqual(two)).toThrow();
  one.delete();
  two.delete();
});

test('a cloned handle gives the same heap, a handle from JSON gives an error', () => {
  expect(SharedHeap.attach(structuredClone(heap.handle))).toBe(heap);
  expect(() => SharedHeap.attach(JSON.parse(JSON.stringify(heap.handle)))).toThrow(/process/);
});

test('vectors of all kinds', () => {
  for (const Kind of [Int8Array, Uint8Array, Float32Array, Float64Array, Uint8ClampedArray]) {
    const vector = heap.vectors.create(Kind);
    vector.push(7);
    expect(vector.get(0)).toBe(7);
    vector.delete();
  }
  const big = heap.vectors.create(BigInt64Array);
  big.push(7n);
  const records = heap.vectors.create({ bytes: 4 });
  records.push(Uint8Array.of(1, 2, 3, 4));
  records.push(Buffer.from([5, 6, 7, 8]));
  expect([...records.get(1)]).toEqual([5, 6, 7, 8]);
  big.delete();
  records.delete();
});

test('contexts, with promises and errors of the test', async () => {
  const read = async (context) => heap.readString(context.allocString('x\ud800'));
  expect(await heap.contexts.run('request', read, { kind: 'set' })).toBe('x\ud800');
  const parent = heap.contexts.create('parent');
  const child = heap.contexts.create('child', { parent });
  heap.vectors.create(Uint32Array, { context: child }).push(1);
  parent.onReset(() => {
    throw new AggregateError([new Error('a'), new Error('b')]);
  });
  expect(() => parent.delete()).toThrow();
});

test('errors have codes, and are errors', () => {
  expect(() => heap.free_ts(8)).toThrow(
    expect.objectContaining({ code: 'ERR_SHMALLOC_INVALID_ADDRESS' }),
  );
  expect(() => SharedHeap.create({ size: 1 })).toThrow(/size/);
});

test('a worker uses the heap, and frees its blocks at its own exit', async () => {
  const code = `const { workerData } = require('node:worker_threads');
    import(workerData.url).then(({ SharedHeap }) => {
      const heap = SharedHeap.attach(workerData.handle);
      const address = heap.malloc_ts(100_000);
      process.on('exit', () => heap.free_ts(address));
    });`;
  const options = { eval: true, execArgv: [], workerData: { url, handle: heap.handle } };
  const worker = new Worker(code, options);
  heap.watch(worker);
  const before = heap.stats().large.blocksInUse;
  const exitCode = await new Promise((done, fail) => {
    worker.once('exit', done).once('error', fail);
  });
  expect(exitCode).toBe(0);
  expect(heap.stats().large.blocksInUse).toBe(before);
  expect(attached(heap.stats())).toBe(1);
});

test('the default heap is one for all test files of a thread', async () => {
  const { mem_malloc_ts, mem_free_ts, mem_heap } = await import('shmalloc/mem');
  mem_free_ts(mem_malloc_ts(100));
  expect(SharedHeap.current()).toBe(mem_heap);
});

test('the package evaluated again and again in one thread is attached once', async () => {
  const classes = new Set([SharedHeap]);
  for (let n = 0; n < 8; n++) {
    resetModules();
    const again = await import('shmalloc');
    classes.add(again.SharedHeap);
    expect(again.SharedHeap.attach(other.handle)).toBe(other);
    again.SharedHeap.current();
    const vector = heap.vectors.create(Uint8Array);
    vector.push(n);
    vector.delete();
    const context = heap.contexts.create('again');
    heap.vectors.create(Uint8Array, { context }).push(n);
    context.delete();
  }
  expect(classes.size).toBe(anew === '1' ? 9 : 1);
  expect(attached(heap.stats())).toBe(1);
  expect(attached(other.stats())).toBe(1);
});
