/**
 * The worker of bench/handover-run.ts: reads and changes all records that it receives, and sends
 * them back.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { type WayName, wayNamed } from './handover-ways.js';

export interface HandOverSetup {
  readonly way: WayName;
  readonly records: number;
  readonly heap: HeapHandle;
}

/** The answer: the records, and the sum of their values. */
export interface HandedBack {
  readonly data: unknown;
  readonly sum: number;
}

const setup = workerData as HandOverSetup;
const way = wayNamed(setup.way, SharedHeap.attach(setup.heap));

parentPort?.on('message', (posted: unknown) => {
  const { data, transfer, sum } = way.change(posted, setup.records);
  const back: HandedBack = { data, sum };
  parentPort?.postMessage(back, transfer);
});
