/**
 * Process of the tests with the permission model: one thread may not read /proc, the other one may.
 * One thread acquires a lock and is terminated, the other one waits for that lock. Prints the
 * outcome as JSON.
 *
 * Arguments: the waiting thread, main or worker; whether the terminated thread is watched.
 */

import { Worker } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import * as LockTable from '../../src/layout/lock-table.js';
import { ended, nextMessage } from '../workers.js';
import type { NoProcTask } from './no-proc.worker.js';

const [, , waits = 'main', watched = '', bare = ''] = process.argv;
const WORKER = new URL('./no-proc.worker.js', import.meta.url);
/** A size of which the worker needs more blocks than a cache holds. */
const BYTES = 100_000;

/** Starts a worker with the permissions' limits of this process, or without them. */
function start(handle: HeapHandle, task: NoProcTask, isFree: boolean): Worker {
  const workerData = { handle, task };
  return new Worker(WORKER, isFree ? { workerData, execArgv: [] } : { workerData });
}

const words = new Int32Array(new SharedArrayBuffer(8));
const heap = SharedHeap.create({ size: '64MiB', threads: 4, lockTimeoutMs: 300 });
// The terminated thread may read /proc if main may not, and the other way round.
const victim = start(heap.handle, { hold: LockTable.PAGE, words }, bare === 'free');
const end = ended(victim);
while (Atomics.load(words, 0) < 1) await new Promise((done) => setTimeout(done, 2));
if (watched === 'watched') heap.watch(victim);

let outcome: unknown;
if (waits === 'main') {
  await victim.terminate();
  await end;
  try {
    heap.free_ts(heap.malloc_ts(BYTES));
    outcome = 'went on';
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    outcome = { code, message };
  }
} else {
  const waiter = start(heap.handle, { work: BYTES, words }, bare !== 'free');
  const said = nextMessage<string>(waiter);
  const gone = ended(waiter);
  while (Atomics.load(words, 0) < 2) await new Promise((done) => setTimeout(done, 2));
  await victim.terminate();
  await end;
  outcome = await said;
  await gone;
}
const { threads } = heap.stats();
console.log(
  JSON.stringify({
    outcome,
    mayRead: process.permission?.has('fs.read', '/proc') ?? true,
    attached: threads.filter((thread) => thread.attached).length,
  }),
);
process.exit();
