/**
 * Thread of the poison tests: is in the middle of a call when the heap is poisoned, and reports the
 * calls that were not refused. Follows orders one after the other, then ends.
 */

import { parentPort } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { everyCall, notRefused, warmUp } from './refusals.js';

export interface PoisonOrder {
  readonly handle: HeapHandle;
  /**
   * try: every call, with warm caches. loop: malloc and free from its cache all the time. wait: for
   * the lock of a class. attach: makes another attachment.
   */
  readonly act: 'try' | 'loop' | 'wait' | 'attach';
  /** Word 0: the thread is at work. Word 1: the heap is poisoned. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly size: number;
  /** A text that every refusal must contain. */
  readonly reason: string;
}

export interface PoisonAnswer {
  /** The calls that were not refused. */
  readonly wrong: readonly string[];
}

/** Milliseconds after which a loop that was not refused counts as never refused. */
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
