/** What the tests of object locks have in common: an object with a lock, and threads that change it. */

import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import { SharedHeap } from 'shmalloc';
import type { ThreadHeap } from '../../src/heap/index.js';
import { heldIn } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import { attachTo, type CountAnswer, type ObjectOrder } from './object-lock.parts.js';

const WORKER = new URL('./object-lock.worker.js', import.meta.url);
export interface Scene {
  readonly heap: SharedHeap;
  /** Main's second attachment, with object locks. */
  readonly core: ThreadHeap;
  /** Index of the lock word; two more words of the object follow it. */
  readonly word: number;
}

export function makeScene(): Scene {
  const heap = SharedHeap.create({ size: '8MiB', threads: 8 });
  return { heap, core: attachTo(heap.handle), word: heap.calloc_ts(1, 64) >>> 2 };
}

export function assertWhole(t: ExecutionContext, { heap, core, word }: Scene): void {
  t.is(heap.i32[word], 0, 'the lock is free');
  core.detach();
  t.deepEqual(heldIn(heap), []);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  heap.detach();
}

export type Order = Pick<ObjectOrder, 'act' | 'rounds'>;

export const NO_ANSWER: CountAnswer = { takenOver: 0, wrong: [] };

export interface Guest<T> {
  readonly worker: Worker;
  /** The thread's message at its end. */
  readonly answer: Promise<T>;
  readonly end: Promise<number>;
}

/** Starts a thread, and returns when it is at work. */
export async function start<T>({ heap, word }: Pick<Scene, 'heap' | 'word'>, order: Order) {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const workerData: ObjectOrder = { handle: heap.handle, word, words, ...order };
  const worker = new Worker(WORKER, { workerData });
  // Created now, and not when the test waits for it: the thread may end before that.
  const guest: Guest<T> = { worker, answer: nextMessage<T>(worker), end: ended(worker) };
  // A killed thread does not answer.
  guest.answer.catch(() => {});
  while (Atomics.load(words, 0) === 0) await setTimeout(1);
  return guest;
}

export async function kill({ worker, end }: Guest<unknown>): Promise<void> {
  await worker.terminate();
  await end;
}
