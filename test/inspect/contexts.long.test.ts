/**
 * Proves that verify finds no problem of contexts at any moment while threads change them, and that
 * whatever shows contexts has sane figures then.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { readContextTree, renderContextTree } from '../../src/contexts/index.js';
import { memoryOf, seedOf } from '../helpers.js';
import { checkMap } from '../maps.js';
import { ended, nextMessage } from '../workers.js';
import type { ContextChurn } from './contexts.worker.js';

test('contexts: no problem is found at any moment while threads change contexts', async (t) => {
  const seed = seedOf(t);
  using heap = SharedHeap.create({ size: '64MiB', threads: 4 });
  const words = new Int32Array(new SharedArrayBuffer(4));
  const workers = [1, 2].map((n) => {
    const workerData: ContextChurn = { handle: heap.handle, seed: seed + n, words };
    return new Worker(new URL('./contexts.worker.js', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => nextMessage(worker)));
  const memory = memoryOf(heap);
  let [looks, seen] = [0, 0];
  const until = performance.now() + 3000;
  while (performance.now() < until) {
    const { problems } = heap.verify();
    if (problems.length > 0) t.deepEqual(problems, [], `look ${looks}`);
    const nodes = readContextTree(memory);
    for (const { freeBytes, usedBytes, bytes, level, path } of nodes) {
      const sane = freeBytes >= 0 && usedBytes >= 0 && freeBytes + usedBytes === bytes;
      if (!sane || path.length !== level) t.fail(JSON.stringify(nodes));
    }
    t.regex(renderContextTree(nodes), /Grand total: \d+ bytes in \d+ chunks/);
    checkMap(heap.inspect.map());
    const { contexts } = heap.inspect.leaks();
    if (contexts.some((tree) => tree.bytes < 0 || tree.contexts < 1)) t.fail();
    heap.inspect.print('blocks', { write: () => {} });
    seen += nodes.length;
    looks++;
  }
  t.log(`${looks} looks, ${seen} contexts`);
  t.true(seen > 0);
  Atomics.store(words, 0, 1);
  await Promise.all(workers.map(ended));
  t.like(heap.verify({ quiet: true }), { ok: true, problems: [], contexts: 0, liveBlocks: 0 });
});
