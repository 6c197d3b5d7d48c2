/** Thread of the race test: frees each block it is given, at the same instant as another thread. */

import { parentPort, workerData } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';

export interface RaceTask {
  readonly handle: HeapHandle;
  /**
   * Words: the round that may begin, the address of its block, the number of threads that are done.
   */
  readonly control: Int32Array;
  readonly rounds: number;
}

const SPINS = 100_000;

const { handle, control, rounds } = workerData as RaceTask;
const heap = SharedHeap.attach(handle);
let refused = 0;
for (let round = 1; round <= rounds; round++) {
  // The threads spin, so that both begin at once; with fewer processors than threads they take
  // turns.
  for (let spins = 0; Atomics.load(control, 0) !== round; spins++) {
    if (spins > SPINS) Atomics.wait(control, 0, round - 1, 1);
  }
  try {
    heap.free_ts(Atomics.load(control, 1) as Address);
  } catch (error) {
    if ((error as { reason?: string }).reason !== 'freed') throw error;
    refused++;
  }
  Atomics.add(control, 2, 1);
  Atomics.notify(control, 2);
}
heap.detach();
parentPort?.postMessage(refused);
