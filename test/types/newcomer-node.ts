/** A program that needs the types of Node. Compiled by types.long.test.ts, and never run. */

import { Worker } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';

using heap = SharedHeap.create({ size: '64MiB' });
const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: heap.handle });
heap.watch(worker);
// An address from a worker's message needs no cast.
worker.on('message', ({ block }: { block: number }) => heap.free_ts(block));

const pool = new HeapPool(heap, { filename: 'task.js', threads: undefined });
export const sum: number = await pool.run<number>({ block: 16 }, { signal: undefined });
export const unsaid: unknown = await pool.run();
