/** A program that needs the types of Node. Compiled by types.test.ts, and never run. */

import { Worker } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';

using heap = SharedHeap.create({ size: '64MiB' });
const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: heap.handle });
heap.watch(worker);
