/**
 * Proves what people see of a heap, a context, a vector and an error: in a console, in a text, in
 * JSON, in a comparison; and that one that is posted to a thread is refused with a word of what to
 * post.
 */

import assert from 'node:assert';
import { fork } from 'node:child_process';
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import v8 from 'node:v8';
import { BroadcastChannel, MessageChannel, Worker } from 'node:worker_threads';
import test from 'ava';
import { Context, HeapError, SharedHeap, Vector } from 'shmalloc';
import { poison } from '../../src/sync/index.js';
import { memoryOf } from '../helpers.js';

const make = () => SharedHeap.create({ size: '4MiB', threads: 2 });

/** One of each class, of a heap of its own. */
function objects() {
  const heap = make();
  const context = heap.contexts.create('request', { ident: '17' });
  const vector = heap.vectors.create(Float64Array);
  vector.push(1.5);
  context.malloc(100);
  return { heap, context, vector };
}

test('SharedHeap: a line in a console and in a text, a few figures in JSON', (t) => {
  const { heap } = objects();
  const line = `SharedHeap ${heap.handle.id}: 4.1 KiB of 4 MiB in use, 1 thread`;
  t.is(inspect(heap), line);
  t.is(inspect({ a: { b: { c: { heap } } } }, { depth: 9 }).includes(line), true);
  t.is(String(heap), line);
  t.is(`${heap}`, line);
  const { reservedBytes, inUseBytes } = heap.stats();
  const seen = { heap: heap.handle.id, reservedBytes, inUseBytes, threads: 1 };
  t.is(JSON.stringify({ heap }), JSON.stringify({ heap: seen }));
  heap.detach();
  t.regex(inspect(heap), /, 0 threads, this thread has detached$/);
  t.is(JSON.parse(JSON.stringify(heap)).threads, 0);
});

test('SharedHeap: one that is broken can be shown, and says so', (t) => {
  const heap = make();
  poison(memoryOf(heap), 'a reason (page-heap I1)');
  t.regex(inspect(heap), /1 thread, broken$/);
  t.is(JSON.parse(JSON.stringify(heap)).heap, heap.handle.id);
});

test('Context, Vector: a line in a text, a few figures in JSON; gone ones too', (t) => {
  const { context, vector, heap } = objects();
  t.is(`${context}`, "Context 'request' (17), bump: 1 objects in 4096 bytes");
  t.is(`${vector}`, 'Vector of Float64Array: 1 elements');
  const figures = { context: 'request', ident: '17', kind: 'bump', objects: 1, bytes: 4096 };
  t.deepEqual(JSON.parse(JSON.stringify(context)), figures);
  const shown = { vector: 'Float64Array', shared: false, length: 1 };
  t.deepEqual(JSON.parse(JSON.stringify(vector)), shown);
  vector.delete();
  context.delete();
  t.deepEqual(JSON.parse(JSON.stringify(vector)), { ...shown, length: null });
  t.deepEqual(JSON.parse(JSON.stringify(context)), { ...figures, objects: 0, bytes: 0 });
  t.is(
    `${context} and ${vector}`,
    "Context 'request' (17), ended and Vector of Float64Array, gone",
  );
  heap.detach();
});

test('console.table, Object.entries: the bytes of a heap are in no listing of it', (t) => {
  const all = objects();
  let text = '';
  const stdout = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  new Console({ stdout }).table(Object.values(all));
  t.true(text.length < 10_000, text);
  t.deepEqual(Object.keys(all.heap), ['notCloned']);
  t.deepEqual(Object.keys(all.vector), ['notCloned']);
  t.is(all.heap.i32.buffer, all.heap.handle.buffer, 'and they are there');
});

test('assert.deepEqual: an object is equal to itself and to no other, and that is told at once', (t) => {
  const [one, other] = [objects(), objects()];
  for (const name of ['heap', 'context', 'vector'] as const) {
    t.notThrows(() => assert.deepStrictEqual({ a: [one[name]] }, { a: [one[name]] }));
    const { message } = t.throws<Error>(() => assert.deepEqual(one[name], other[name])) as Error;
    t.true(message.length < 5000, name);
    t.throws(() => assert.deepStrictEqual(one[name], other[name]));
  }
});

const ADVICE = {
  heap: /a SharedHeap stays in its thread: post heap\.handle, and call SharedHeap\.attach\(/,
  context: /a context stays in its thread: post what context\.release\(\) returns/,
  vector: /a Vector stays in its thread: post vector\.handle, and call heap\.vectors\.attach\(/,
} as const;

test('structured clone: a heap, a context, a vector is refused, with what to post', (t) => {
  const all = objects();
  const { port1 } = new MessageChannel();
  const channel = new BroadcastChannel('shown');
  for (const [name, message] of Object.entries(ADVICE)) {
    const one = all[name as keyof typeof all];
    const ways: Record<string, () => unknown> = {
      structuredClone: () => structuredClone(one),
      'inside another object': () => structuredClone(new Map([[1, [one]]])),
      'MessagePort.postMessage': () => port1.postMessage(one),
      'BroadcastChannel.postMessage': () => channel.postMessage({ one }),
      workerData: () => new Worker('', { eval: true, workerData: { one } }),
      'v8.serialize': () => v8.serialize(one),
    };
    for (const [way, post] of Object.entries(ways)) {
      const error = t.throws(post, { any: true, message }, `${name} by ${way}`);
      const said = (error as Error | undefined)?.message ?? '';
      t.notRegex(said, /function|=>/, 'and no source');
    }
  }
  port1.close();
  channel.close();
  t.notThrows(() => structuredClone(all.heap.handle));
  t.notThrows(() => structuredClone(all.vector.handle));
  t.notThrows(() => structuredClone(all.context.release()));
});

test('process.send: a heap is refused as by structured clone, or told in figures as JSON', async (t) => {
  const heap = make();
  const script = new URL('./shown.script.js', import.meta.url);
  const start = (serialization: 'json' | 'advanced') => fork(script, { serialization });
  const advanced = start('advanced');
  t.throws(() => advanced.send(heap as never), { any: true, message: ADVICE.heap });
  advanced.kill();
  const json = start('json');
  json.send(heap as never);
  const [seen] = await new Promise<unknown[]>((done) =>
    json.once('message', (...all) => done(all)),
  );
  t.deepEqual(seen, heap.toJSON());
  t.throws(() => SharedHeap.attach(seen as never), { code: 'ERR_SHMALLOC_NOT_A_HEAP' });
});

test('new SharedHeap, new Vector, new Context: how one gets one', (t) => {
  const Open = SharedHeap as unknown as new () => object;
  class Mine extends Open {}
  for (const [Class, message] of [
    [SharedHeap, /^new SharedHeap: .* SharedHeap\.create\(.* SharedHeap\.attach\(handle\)$/],
    [Mine, /^new SharedHeap: /],
    [Vector, /^new Vector: .* heap\.vectors\.create\(.* heap\.vectors\.attach\(handle\)$/],
    [Context, /^new Context: .* heap\.contexts\.create\(name\)/],
  ] as const) {
    const Any = Class as unknown as new (...args: unknown[]) => unknown;
    for (const args of [[], [{ size: '64MiB' }], [make(), Float64Array]]) {
      t.throws(() => new Any(...args), { instanceOf: TypeError, message });
    }
  }
});

// ---- errors

test('errors: JSON has what they say, whatever they were given', (t) => {
  const { heap } = objects();
  const shown = (work: () => unknown) => JSON.parse(JSON.stringify(t.throws(work, { any: true })));
  const code = 'ERR_SHMALLOC_INVALID_ADDRESS';
  t.deepEqual(
    shown(() => heap.free_ts(5n as never)),
    {
      name: 'InvalidAddressError',
      code,
      message: 'cannot free 5n: 5n is no address: addresses are numbers',
      address: '5n',
      reason: 'not-a-number',
    },
  );
  t.like(
    shown(() => heap.free_ts(48 as never)),
    { code, address: 48, reason: 'metadata' },
  );
  t.deepEqual(
    shown(() => heap.malloc_ts(-1)),
    {
      name: 'RangeError',
      code: 'ERR_SHMALLOC_INVALID_SIZE',
      message: 'malloc: a size is a whole number of bytes from 0, got -1',
    },
  );
  t.like(
    shown(() => heap.contexts.create('c').malloc(2 ** 30)),
    { name: 'HeapExhaustedError', code: 'ERR_SHMALLOC_HEAP_EXHAUSTED', bytes: 2 ** 30 },
  );
  const error = new HeapError('ERR_SHMALLOC_DETACHED', 'text');
  const seen = { name: 'HeapError', code: 'ERR_SHMALLOC_DETACHED', message: 'text' };
  t.deepEqual(error.toJSON(), seen);
  t.deepEqual(
    shown(() => SharedHeap.create({ sise: 5 } as never)),
    {
      name: 'TypeError',
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: "SharedHeap.create: there is no option 'sise'; the nearest is 'size'",
    },
  );
});

test('SharedHeap, Context, Vector: test libraries compare what JSON shows, and none of the memory', (t) => {
  const NAMED = Symbol.for('@jest/serializableProperties');
  for (const object of Object.values(objects())) {
    const named = (object as unknown as Record<symbol, symbol[]>)[NAMED] as symbol[];
    t.is(named.length, 1);
    // A copy as jest makes it: the same prototype, and what the named properties give.
    const values = named.map((key) => (object as unknown as Record<symbol, unknown>)[key]);
    const copy = Object.create(Object.getPrototypeOf(object));
    named.forEach((key, n) => {
      Object.defineProperty(copy, key, { value: values[n], enumerable: false });
    });
    t.deepEqual(values, [object.toJSON()]);
    t.deepEqual(copy.toJSON(), object.toJSON());
    t.deepEqual(Object.keys(object.toJSON()), Object.keys(JSON.parse(JSON.stringify(object))));
  }
});
