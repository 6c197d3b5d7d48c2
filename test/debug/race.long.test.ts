/**
 * Proves that `strict` catches two threads that free one block at the same instant, every time; and
 * that no block is lost with a worker that is killed with blocks in quarantine.
 */

import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { nextMessage } from '../workers.js';
import type { RaceTask } from './race.worker.js';

const ROUNDS = 3000;

test('strict: if two threads free one block at once, one is refused every time', async (t) => {
  using heap = SharedHeap.create({ size: '16MiB', threads: 4, debug: { strict: true } });
  const control = new Int32Array(new SharedArrayBuffer(12));
  const start = () => {
    const workerData: RaceTask = { handle: heap.handle, control, rounds: ROUNDS };
    return new Worker(new URL('./race.worker.js', import.meta.url), { workerData });
  };
  const refused = [start(), start()].map((worker) => nextMessage<number>(worker));
  for (let round = 1; round <= ROUNDS; round++) {
    Atomics.store(control, 2, 0);
    Atomics.store(control, 1, heap.malloc_ts(100));
    Atomics.store(control, 0, round);
    for (let done = 0; done !== 2; done = Atomics.load(control, 2)) {
      Atomics.wait(control, 2, done, 100);
    }
  }
  const counts = await Promise.all(refused);
  t.log(`refused: ${counts.join(' and ')}`);
  t.is((counts[0] as number) + (counts[1] as number), ROUNDS);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.is(heap.inspect.blocks().length, 0);
});

const CHURN = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.shmalloc).then(({ SharedHeap }) => {
    const heap = SharedHeap.attach(workerData.handle);
    const live = [];
    for (let n = 0; Atomics.load(workerData.stop, 0) === 0; n++) {
      // Sizes change from phase to phase: spans of one class become those of another.
      const size = (n >>> 8) % 2 === 0 ? (n * 37) % 300 : (n * 91) % 90000;
      const address = heap.malloc_ts(size);
      if (address !== 0) {
        heap.u8.fill(n, address, address + size);
        live.push(address);
      }
      if (live.length > 40) heap.free_ts(heap.realloc_ts(live.shift(), 500));
      if (n % 512 === 0) while (live.length > 0) heap.free_ts(live.pop());
      if (n === 500) parentPort.postMessage('busy');
    }
    for (const address of live) heap.free_ts(address);
    heap.detach();
    parentPort.postMessage('done');
  });
`;

for (const debug of [
  { scribble: true },
  { guard: 16 },
  { guard: 16, scribble: true, quarantine: '256KiB' },
]) {
  const name = Object.keys(debug).join(', ');
  test(`verify: finds no problem while correct threads run (${name})`, async (t) => {
    using heap = SharedHeap.create({ size: '16MiB', threads: 4, debug });
    const shmalloc = new URL('../../src/index.js', import.meta.url).href;
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { handle: heap.handle, shmalloc, stop };
    const worker = new Worker(CHURN, { eval: true, workerData });
    await nextMessage(worker);
    const until = performance.now() + 2500;
    let verified = 0;
    const found: string[] = [];
    for (; verified < 25 || performance.now() < until; verified++) {
      found.push(...heap.verify().problems.map(({ message }) => message));
      if (verified % 50 === 0) await wait(0);
    }
    Atomics.store(stop, 0, 1);
    await nextMessage(worker);
    t.deepEqual(found, [], `after ${verified}`);
    t.deepEqual(heap.verify({ quiet: true }).problems, []);
  });
}

const HOARDER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.shmalloc).then(({ SharedHeap }) => {
    const heap = SharedHeap.attach(workerData.handle);
    const live = [];
    for (let n = 0; ; n++) {
      const address = heap.malloc_ts((n * 37) % 3000 + (n % 50 === 0 ? 70_000 : 0));
      if (address !== 0) live.push(address);
      if (live.length > 100) heap.free_ts(heap.realloc_ts(live.shift(), 500));
      if (n === 500) parentPort.postMessage('busy');
    }
  });
`;

test('quarantine: no freed block is lost with a worker that is killed at any moment', async (t) => {
  const debug = { quarantine: '1MiB', scribble: true, guard: 16, strict: true, history: 50 };
  using heap = SharedHeap.create({ size: '32MiB', threads: 4, debug });
  const shmalloc = new URL('../../src/index.js', import.meta.url).href;
  for (let round = 0; round < 20; round++) {
    const workerData: { handle: HeapHandle; shmalloc: string } = { handle: heap.handle, shmalloc };
    const worker = new Worker(HOARDER, { eval: true, workerData });
    await nextMessage(worker);
    await wait(Math.random() * 5);
    const exit = once(worker, 'exit');
    await worker.terminate();
    await exit;
    heap.recover();
    // The blocks that the worker had are still live, and nothing else is allocated.
    const blocks = heap.inspect.blocks();
    t.true(blocks.length >= 99 && blocks.length <= 102, `${blocks.length} blocks`);
    for (const { address } of blocks) heap.free_ts(address);
    const report = heap.verify({ quiet: true });
    t.deepEqual(report.problems, []);
    t.is(report.liveBlocks, 0);
  }
  t.true(heap.inspect.history().length > 0);
});
