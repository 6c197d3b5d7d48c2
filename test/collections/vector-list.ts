/** Shared by the tests of heap.vectors.list(): threads that make vectors, and their end. */

import { Worker } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import type { SharedHeap } from 'shmalloc';
import { assertIdentity } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import type { ListTask } from './vector-list.worker.js';

/** Starts a thread, and returns when it is at work. */
export async function start(heap: SharedHeap, act: ListTask['act']): Promise<Worker> {
  const workerData: ListTask = { heap: heap.handle, act };
  const worker = new Worker(new URL('./vector-list.worker.js', import.meta.url), { workerData });
  await nextMessage(worker);
  return worker;
}

export async function kill(worker: Worker): Promise<void> {
  const exit = ended(worker);
  await worker.terminate();
  await exit;
}

export function deleteAll(t: ExecutionContext, heap: SharedHeap): void {
  for (const { handle } of heap.vectors.list()) heap.vectors.attach(handle).delete();
  t.deepEqual(heap.vectors.list(), []);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
}
