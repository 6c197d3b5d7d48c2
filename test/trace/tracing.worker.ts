/**
 * Thread of the trace tests: a random traced program. It ends when its log is full, unless the test
 * ends it before.
 */

import { parentPort, threadId, workerData } from 'node:worker_threads';
import { type Geometry, viewMemory } from '../../src/layout/index.js';
import { CallLog, TracedThread } from './traced-heap.js';

export interface TracingTask {
  readonly buffer: SharedArrayBuffer;
  readonly geometry: Geometry;
  readonly path: string;
  readonly seed: number;
  readonly log: Int32Array<SharedArrayBuffer>;
  readonly mail: Int32Array<SharedArrayBuffer>;
}

const { buffer, geometry, path, seed, log, mail } = workerData as TracingTask;
const thread = new TracedThread(viewMemory(buffer, geometry), threadId, path, new CallLog(log));
parentPort?.postMessage(thread.core.slotIndex);
thread.runAtRandom(seed, mail);
thread.detach();
