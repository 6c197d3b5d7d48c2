/**
 * Thread of the attach tests: gets a handle, by workerData or by message, does what it is told, and
 * tells what came of it.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';

export interface GuestTask {
  readonly handle?: HeapHandle;
  /** Allocate and free so many blocks, to have them cached; then keep `keep` of them. */
  readonly blocks?: number;
  readonly keep?: number;
  readonly end: 'return' | 'exit' | 'throw' | 'detach' | 'stay';
}

export interface GuestReport {
  /** Code of the error of attach, if it failed. */
  readonly code?: string;
  readonly message?: string;
  readonly addresses: number[];
  readonly sameTwice: boolean;
}

function visit(task: GuestTask & { handle: HeapHandle }): void {
  const { blocks = 0, keep = 0, end } = task;
  try {
    const heap = SharedHeap.attach(task.handle);
    const sameTwice = SharedHeap.attach(task.handle) === heap;
    const addresses = Array.from({ length: blocks }, () => heap.malloc_ts(64));
    for (const address of addresses) heap.u32[address >>> 2] = address;
    for (const address of addresses.splice(keep)) heap.free_ts(address);
    parentPort?.postMessage({ addresses, sameTwice } satisfies GuestReport);
    if (end === 'detach') heap.detach();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    parentPort?.postMessage({ code, message, addresses: [], sameTwice: false });
  }
  if (end === 'exit') process.exit(3);
  if (end === 'throw') throw new Error('on purpose');
  if (end === 'stay') parentPort?.on('message', () => {});
}

const task = workerData as GuestTask;
if (task.handle !== undefined) visit({ ...task, handle: task.handle });
else parentPort?.once('message', (handle: HeapHandle) => visit({ ...task, handle }));
