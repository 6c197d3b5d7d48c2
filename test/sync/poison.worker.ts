/**
 * Thread of the poison tests: is in the middle of something when the heap is poisoned, and tells
 * what it could still do afterwards. Does one order after the other, then ends.
 */

import { parentPort } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { everyCall, notRefused, warmUp } from './refusals.js';

export interface PoisonOrder {
  readonly handle: HeapHandle;
  /**
   * With warm caches try every call; malloc and free from its cache all the time; wait for the lock
   * of a class; attach.
   */
  readonly act: 'try' | 'loop' | 'wait' | 'attach';
  /** Word 0: the thread is at it. Word 1: the heap is poisoned. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly size: number;
  /** Part of what every refusal is to say. */
  readonly reason: string;
}

export interface PoisonAnswer {
  /** What did anything else than refuse. */
  readonly wrong: readonly string[];
}

/** A loop that has not been refused for so long is not going to be. */
const LOOP_MS_MAX = 1000;

const ACTS: Record<PoisonOrder['act'], (order: PoisonOrder) => string[]> = {
  try({ handle, words, reason }) {
    const heap = SharedHeap.attach(handle);
    const calls = everyCall(heap, warmUp(heap));
    arrive(words);
    Atomics.wait(words, 1, 0);
    return notRefused(calls, reason);
  },
  loop({ handle, words, size, reason }) {
    const { malloc_ts, free_ts } = SharedHeap.attach(handle);
    arrive(words);
    const loop = (): string => {
      for (let end = 0; end === 0 || performance.now() < end; ) {
        for (let n = 0; n < 10_000; n++) free_ts(malloc_ts(size));
        if (end === 0 && Atomics.load(words, 1) !== 0) end = performance.now() + LOOP_MS_MAX;
      }
      return `pairs of malloc_ts and free_ts for ${LOOP_MS_MAX} ms more`;
    };
    return notRefused({ 'a loop of calls': loop }, reason);
  },
  wait({ handle, words, size, reason }) {
    const heap = SharedHeap.attach(handle);
    arrive(words);
    return notRefused({ 'malloc_ts that waits': () => heap.malloc_ts(size) }, reason);
  },
  attach({ handle, words, reason }) {
    arrive(words);
    return notRefused({ attach: () => SharedHeap.attach(handle) }, reason);
  },
};

function arrive(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
}

parentPort?.on('message', (order: PoisonOrder | 'end') => {
  if (order === 'end') parentPort?.close();
  else parentPort?.postMessage({ wrong: ACTS[order.act](order) } satisfies PoisonAnswer);
});
