/**
 * Proves that what a heap without /proc has to be told is checked, on any system: how long a wait may take,
 * and which workers to watch. no-proc.long.test.ts has the heap itself.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { ended } from '../workers.js';

for (const bad of [0, -1, 0.5, NaN, Infinity, 2 ** 31, '300', null, 300n]) {
  test(`lockTimeoutMs: refuses ${String(bad)} (${typeof bad})`, (t) => {
    const options = { size: '2MiB', lockTimeoutMs: bad as number };
    t.throws(() => SharedHeap.create(options), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /lockTimeoutMs must be a whole number of milliseconds/,
    });
  });
}

test('watch: refuses a worker that has ended, with the reason', async (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 2 });
  const worker = new Worker('', { eval: true });
  await ended(worker);
  t.throws(() => heap.watch(worker), {
    instanceOf: TypeError,
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /watch: give it a running Worker/,
  });
});

for (const bad of [undefined, null, 5, 'worker', {}, { threadId: 7 }, { threadId: '7' }]) {
  test(`watch: refuses ${JSON.stringify(bad)}, which is not a worker, with the reason`, (t) => {
    using heap = SharedHeap.create({ size: '2MiB', threads: 2 });
    t.throws(() => heap.watch(bad as Worker), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /watch: give it a running Worker/,
    });
  });
}
