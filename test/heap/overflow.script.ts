/**
 * Overflows the stack of a thread or a process of its own: with its own limits, and its own engine.
 */

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import { dive, NEAR_FRAMES_DEBUG } from './overflow.js';

export interface OverflowTask {
  readonly rounds: number;
  /** In an instrumented heap. */
  readonly debug?: boolean;
}

const { rounds, debug }: OverflowTask = isMainThread
  ? { rounds: Number(process.argv[2]), debug: process.argv[3] === 'debug' }
  : (workerData as OverflowTask);
const heap = SharedHeap.create({
  size: '64MiB',
  threads: 2,
  ...(debug === true && {
    debug: {
      guard: 16,
      scribble: true,
      strict: true,
      quarantine: '256KiB',
      history: 16,
      stacks: 4,
    },
  }),
});
const result = dive(heap, rounds, debug === true ? NEAR_FRAMES_DEBUG : undefined);
if (isMainThread) console.log(JSON.stringify(result));
else parentPort?.postMessage(result);
