/**
 * Overflows the stack of a thread or a process of its own: with its own limits, and its own engine.
 */

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import { dive } from './overflow.js';

export interface OverflowTask {
  readonly rounds: number;
}

const { rounds } = isMainThread
  ? { rounds: Number(process.argv[2]) }
  : (workerData as OverflowTask);
const heap = SharedHeap.create({ size: '64MiB', threads: 2 });
const result = dive(heap, rounds, true);
if (isMainThread) console.log(JSON.stringify(result));
else parentPort?.postMessage(result);
