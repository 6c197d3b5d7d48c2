/**
 * Thread of the map tests: allocates and frees blocks of all sizes until told to stop.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { Random } from '../helpers.js';

export interface Churn {
  readonly handle: HeapHandle;
  readonly seed: number;
  /** Word 0: not 0 = stop. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

const { handle, seed, words } = workerData as Churn;
const heap = SharedHeap.attach(handle);
const random = new Random(seed);
const blocks = new Uint32Array(500);
parentPort?.postMessage('here');
while (Atomics.load(words, 0) === 0) {
  for (let n = 0; n < 1000; n++) {
    const i = random.below(blocks.length);
    heap.free_ts(blocks[i] as Address);
    const size = random.below(40) === 0 ? random.below(200_000) : random.below(3000);
    blocks[i] = random.below(3) === 0 ? 0 : heap.malloc_ts(size);
  }
}
for (const address of blocks) heap.free_ts(address as Address);
heap.detach();
parentPort?.postMessage('done');
