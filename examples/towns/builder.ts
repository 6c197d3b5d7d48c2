/**
 * A thread that builds the data set, and ends. The data set outlives it: its context is released,
 * and belongs to the thread that adopts it. If the builder died half-way, all its memory would be
 * freed.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type ContextHandle, type HeapHandle, SharedHeap } from 'shmalloc';
import { inventTowns, storeTowns } from './towns.js';

export interface BuilderData {
  readonly heap: HeapHandle;
  readonly count: number;
  readonly seed: number;
}

export interface Built {
  readonly root: number;
  readonly context: ContextHandle;
}

const { heap: handle, count, seed } = workerData as BuilderData;
const heap = SharedHeap.attach(handle);
const dataSet = heap.contexts.create('data set', { ident: `seed ${seed}` });
const root = storeTowns(dataSet, inventTowns(count, seed));
const built: Built = { root, context: dataSet.release() };
parentPort?.postMessage(built);
