/**
 * Process of the event tests: every subscriber throws. Prints what became of that.
 */

import { subscribe } from 'node:diagnostics_channel';
import { HEAP_CHANNELS, SharedHeap } from 'shmalloc';

for (const name of Object.values(HEAP_CHANNELS)) {
  subscribe(name, () => {
    throw new Error(name);
  });
}
const uncaught: string[] = [];
process.on('uncaughtException', (error) => uncaught.push(error.message));

const heap = SharedHeap.create({ size: '2MiB' });
const full = heap.malloc_ts(2 ** 22);
const blocks = Array.from({ length: 100 }, () => heap.malloc_ts(64));
for (const block of blocks) heap.free_ts(block);
const { ok } = heap.verify({ quiet: true });
heap.detach();
setImmediate(() => console.log(JSON.stringify({ full, ok, uncaught })));
