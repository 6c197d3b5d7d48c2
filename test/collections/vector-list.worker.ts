/**
 * Thread of the tests of heap.vectors.list(): makes vectors of all kinds and stays; or makes, fills and
 * deletes them until it is terminated.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';

export interface ListTask {
  readonly heap: HeapHandle;
  readonly act: 'make' | 'churn' | 'leave';
}

const { heap: handle, act } = workerData as ListTask;
const heap = SharedHeap.attach(handle);

function make(): void {
  const own = heap.vectors.create(Float64Array);
  own.push(1.5);
  own.push(2.5);
  const shared = heap.vectors.create({ bytes: 24 }, { shared: true });
  shared.push(new Uint8Array(24).fill(7));
  const context = heap.contexts.create('job', { ident: '7' });
  heap.vectors.create(Int32Array, { context }).push(43);
}

function churn(): never {
  for (let n = 0; ; n++) {
    const shared = n % 2 === 0;
    const vector = heap.vectors.create(n % 3 === 0 ? Float64Array : Uint16Array, { shared });
    for (let k = 0; k < n % 100; k++) vector.push(k);
    if (n % 10 !== 0 || n > 500) vector.delete();
  }
}

if (act === 'make') make();
if (act === 'leave') {
  make();
  heap.detach();
}
parentPort?.postMessage('made');
if (act === 'churn') churn();
setInterval(() => {}, 1000);
