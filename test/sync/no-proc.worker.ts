/**
 * Thread of the tests without /proc, started directly or as a task of a pool: holds a lock until it
 * is terminated, or does work that needs locks.
 */

import { parentPort, threadId, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import type { LockIndex } from '../../src/layout/index.js';
import { numberedWord } from '../../src/sync/index.js';
import { lockWordOf } from '../helpers.js';

export interface NoProcTask {
  /** The lock to hold for ever. */
  readonly hold?: LockIndex;
  /** Size of blocks to allocate and free, more of them than a cache holds. */
  readonly work?: number;
  /** Word 0 counts the threads that are at work. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

const BLOCKS = 300;

export default function task(given: NoProcTask): string {
  return act(SharedHeap.current(), given);
}

function act(heap: SharedHeap, { hold, work = 0, words }: NoProcTask): string {
  if (hold !== undefined) heap.i32[lockWordOf(heap, hold)] = numberedWord(threadId);
  Atomics.add(words, 0, 1);
  if (hold !== undefined) Atomics.wait(words, 1, 0);
  const blocks = Array.from({ length: work > 0 ? BLOCKS : 0 }, () => heap.malloc_ts(work));
  for (const address of blocks) heap.free_ts(address);
  return 'done';
}

const { handle, task: alone } = (workerData ?? {}) as { handle?: HeapHandle; task?: NoProcTask };
if (handle !== undefined && alone !== undefined) {
  parentPort?.postMessage(act(SharedHeap.attach(handle), alone));
}
