/**
 * The other side of bench/handover-run.ts: reads and changes all records that come, and sends them
 * back.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { type WayName, wayNamed } from './handover-ways.js';

export interface HandOverSetup {
  readonly way: WayName;
  readonly records: number;
  readonly heap: HeapHandle;
}

/** What goes back: the records, and the sum of what was in them. */
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
