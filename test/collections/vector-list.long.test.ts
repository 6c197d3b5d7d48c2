/** Proves heap.vectors.list() while other threads make and delete vectors, and die over it. */

import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { deleteAll, kill, start } from './vector-list.js';

test('vectors: listed while others make and delete them, and die over it; all can be ended', async (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 4 });
  let most = 0;
  for (let round = 0; round < 6; round++) {
    const workers = await Promise.all([start(heap, 'churn'), start(heap, 'churn')]);
    for (let look = 0; look < 20; look++) {
      const listed = heap.vectors.list();
      most = Math.max(most, listed.length);
      for (const { elements, length, capacity, bytes } of listed) {
        const stride = elements === 'Float64Array' ? 8 : 2;
        const isSound = length <= 100 && length <= capacity && capacity * stride <= bytes;
        if (!isSound) t.fail(`${elements}: ${length} of ${capacity}, ${bytes} bytes`);
      }
      await setImmediate();
    }
    await Promise.all(workers.map(kill));
    heap.recover();
    for (const { attached } of heap.vectors.list()) t.false(attached);
  }
  t.true(most > 0);
  deleteAll(t, heap);
});
