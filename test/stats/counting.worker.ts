/**
 * Thread of the statistics tests: allocates and frees by order, and stays attached.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';

/** One order; the answer to it is the addresses allocated. */
export interface Order {
  readonly allocate?: readonly number[];
  readonly free?: readonly number[];
  /** Acquire and release the page lock repeatedly until this word is not 0. */
  readonly contendUntil?: Int32Array<SharedArrayBuffer>;
}

const heap = SharedHeap.attach(workerData as HeapHandle);

parentPort?.on('message', ({ allocate = [], free = [], contendUntil }: Order) => {
  if (contendUntil !== undefined) {
    parentPort?.postMessage([]);
    while (Atomics.load(contendUntil, 0) === 0) heap.free_ts(heap.malloc_ts(100_000));
    return;
  }
  const addresses = allocate.map((size) => heap.malloc_ts(size));
  for (const address of free) heap.free_ts(address as Address);
  parentPort?.postMessage(addresses);
});
parentPort?.postMessage('attached');
