/**
 * Proves that a heap is made over another one only where nobody uses that one, or the caller asks for
 * it; and that handles of what was overwritten say so.
 */

import { runInThisContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { headerWord } from '../../src/layout/index.js';
import { poison } from '../../src/sync/index.js';
import { memoryOf } from '../helpers.js';
import { nextMessage } from '../workers.js';
import type { GuestTask } from './guest.worker.js';

const MIB = 2 ** 20;
const PAGE = 8192;
const IN_USE = { code: 'ERR_SHMALLOC_BUFFER_IN_USE' };
const small = { size: 2 * MIB, threads: 1 };

test('SharedHeap.create: over a heap that this thread uses it is refused, and nothing is changed', (t) => {
  const buffer = new SharedArrayBuffer(8 * MIB);
  using heap = SharedHeap.create({ buffer, byteOffset: PAGE, size: 4 * MIB });
  const block = heap.malloc_ts(1000);
  const places = [
    ['the same place', { byteOffset: PAGE }],
    ['from below', { size: 3 * MIB }],
    ['from below, all of it', {}],
    ['inside', { byteOffset: 2 * MIB, size: 2 * MIB }],
    ['over its end', { byteOffset: 4 * MIB }],
    ['over its last page', { byteOffset: 4 * MIB }],
  ] as const;
  for (const [what, options] of places) {
    const error = t.throws(
      () => SharedHeap.create({ buffer, threads: 1, ...options }),
      IN_USE,
      what,
    );
    t.regex(error?.message ?? '', /begins at byte 8192, with 1 thread attached, this one too/);
  }
  heap.free_ts(block);
  t.true(heap.verify({ quiet: true }).ok);
  SharedHeap.create({ buffer, byteOffset: 4 * MIB + PAGE, ...small }).detach();
});

test('SharedHeap.create: beside heaps of a thread, wherever they begin', (t) => {
  const buffer = new SharedArrayBuffer(64 * MIB);
  // Not on the grid that is looked at: this thread knows of it.
  using odd = SharedHeap.create({ buffer, byteOffset: 33 * MIB + 3 * PAGE, ...small });
  t.throws(() => SharedHeap.create({ buffer, byteOffset: 20 * MIB, size: 20 * MIB }), IN_USE);
  using below = SharedHeap.create({ buffer, byteOffset: 31 * MIB, ...small });
  t.true(odd.verify({ quiet: true }).ok && below.verify({ quiet: true }).ok);
});

test('SharedHeap.create: over a heap of another thread it is refused as long as that lives', async (t) => {
  const buffer = new SharedArrayBuffer(8 * MIB);
  const made = SharedHeap.create({ buffer, byteOffset: 5 * PAGE, size: 2 * MIB, threads: 2 });
  const { handle } = made;
  const url = new URL('guest.worker.js', import.meta.url);
  const worker = new Worker(url, { workerData: { handle, end: 'stay' } satisfies GuestTask });
  await nextMessage(worker);
  made.detach();
  t.throws(() => SharedHeap.create({ buffer }), { ...IN_USE, message: /with 1 thread attached;/ });
  await worker.terminate();
  using after = SharedHeap.create({ buffer });
  t.true(after.verify({ quiet: true }).ok);
  t.throws(() => SharedHeap.attach(handle), { code: 'ERR_SHMALLOC_NOT_A_HEAP' });
});

test('SharedHeap.create: over a heap that all threads have left', (t) => {
  const buffer = new SharedArrayBuffer(4 * MIB);
  const first = SharedHeap.create({ buffer });
  const { handle } = first;
  first.detach();
  using second = SharedHeap.create({ buffer });
  t.true(second.verify({ quiet: true }).ok);
  const error = t.throws(() => SharedHeap.attach(handle), { code: 'ERR_SHMALLOC_NOT_A_HEAP' });
  t.regex(error?.message ?? '', /is gone: another one/);
});

test('SharedHeap.create({ overwrite }): detaches this thread, and makes the new heap', (t) => {
  const buffer = new SharedArrayBuffer(8 * MIB);
  const low = SharedHeap.create({ buffer, ...small });
  const high = SharedHeap.create({ buffer, byteOffset: 4 * MIB, ...small });
  const { handle } = high;
  using heap = SharedHeap.create({ buffer, overwrite: true });
  for (const old of [low, high]) {
    t.throws(() => old.verify(), { code: 'ERR_SHMALLOC_DETACHED' });
  }
  t.true(heap.verify({ quiet: true }).ok);
  t.throws(() => SharedHeap.attach(handle), { code: 'ERR_SHMALLOC_NOT_A_HEAP' });
});

test('SharedHeap.create: overwrite is true or false, and goes with a buffer', (t) => {
  const wrong = { code: 'ERR_SHMALLOC_INVALID_OPTION', message: /overwrite/ };
  t.throws(() => SharedHeap.create({ overwrite: true }), wrong);
  const buffer = new SharedArrayBuffer(4 * MIB);
  t.throws(() => SharedHeap.create({ buffer, overwrite: 1 as never }), wrong);
});

test('SharedHeap.create: a poisoned heap that threads are attached to is in use, too', (t) => {
  const buffer = new SharedArrayBuffer(4 * MIB);
  const heap = SharedHeap.create({ buffer });
  poison(memoryOf(heap), 'a reason (page-heap I1)');
  t.throws(() => heap.recover(), { code: 'ERR_SHMALLOC_CORRUPTION' });
  t.throws(() => SharedHeap.create({ buffer }), IN_USE);
  heap.detach();
  using next = SharedHeap.create({ buffer });
  t.true(next.verify({ quiet: true }).ok);
});

test('SharedHeap.create: what only looks like a header is none', (t) => {
  const buffer = new SharedArrayBuffer(8 * MIB);
  const heap = SharedHeap.create({ buffer, ...small });
  // A copy of a heap's memory at another place, and one whose numbers cannot be.
  heap.u8.copyWithin(4 * MIB, 0, 2 * MIB);
  t.notThrows(() => SharedHeap.create({ buffer, byteOffset: 4 * MIB, ...small }).detach());
  const h = headerWord(0);
  for (const [word, value] of [
    [5, 0xfffff000],
    [5, 0],
    [6, 100_000],
    [10, 0xffffffff],
  ] as const) {
    const was = heap.u32[h + word];
    heap.u32[h + word] = value;
    t.notThrows(() => SharedHeap.create({ buffer, byteOffset: MIB, ...small }).detach(), `${word}`);
    heap.u32[h + word] = was;
  }
});

test('SharedHeap.create: a heap of another memory layout is not overwritten unasked', (t) => {
  const buffer = new SharedArrayBuffer(4 * MIB);
  const heap = SharedHeap.create({ buffer });
  heap.u32[headerWord(0) + 2] += 1;
  const message = /of another version of shmalloc/;
  t.throws(() => SharedHeap.create({ buffer, byteOffset: 2 * MIB }), { ...IN_USE, message });
  using next = SharedHeap.create({ buffer, overwrite: true });
  t.true(next.verify({ quiet: true }).ok);
});

test('SharedHeap.create: a memory in place of its buffer is refused, and the message says what is meant', (t) => {
  const make = (options: string): { buffer: object } =>
    runInThisContext(`new WebAssembly.Memory(${options})`);
  const memory = make('{ initial: 64, maximum: 64, shared: true }');
  const own = make('{ initial: 64 }');
  for (const buffer of [memory, own]) {
    t.throws(() => SharedHeap.create({ buffer: buffer as never }), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /got an object \(Memory\): pass memory\.buffer of .*shared: true/,
    });
  }
  t.throws(() => SharedHeap.create({ buffer: own.buffer as never }), {
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /got an object \(ArrayBuffer\).*shared: true/,
  });
});
