/**
 * Thread of the thread-safety tests: stays attached until told to go, or comes and goes all the
 * time until told to stop.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';

export interface Visit {
  readonly heap: HeapHandle;
  /** Word 0: 1 = leave. Word 1: how often this thread came and went. Word 2: 1 = this one is done. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Attach and detach in a loop, with some calls in between. */
  readonly again: boolean;
}

const { heap: handle, words, again } = workerData as Visit;

if (again) {
  parentPort?.postMessage('here');
  Atomics.wait(words, 0, -1);
  try {
    while (Atomics.load(words, 0) === 0) visit();
  } finally {
    Atomics.store(words, 2, 1);
  }
} else {
  const heap = SharedHeap.attach(handle);
  parentPort?.postMessage('here');
  Atomics.wait(words, 0, 0);
  heap.detach();
  parentPort?.postMessage('gone');
}

function visit(): void {
  const heap = SharedHeap.attach(handle);
  const small = Array.from({ length: 40 }, () => heap.malloc_ts(48));
  const large = heap.malloc_ts(100_000);
  for (const address of small) heap.free_ts(address);
  heap.free_ts(large);
  heap.detach();
  Atomics.add(words, 1, 1);
}
