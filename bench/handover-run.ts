/**
 * Sends records to a worker and back, one way, in a process of its own.
 *
 *     node dist/bench/handover-run.js WAY RECORDS TRIPS         prints JSON
 *
 * A trip is timed from before the first field is written until the last one is read again and the
 * records are freed or dropped: all work of the program, and the garbage collections during it. The
 * first trips, in which code is compiled and pages are touched, are not counted.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import type { HandedBack, HandOverSetup } from './handover.worker.js';
import { sumsOf } from './handover-record.js';
import { type WayName, wayNamed } from './handover-ways.js';

const WORKER = new URL('./handover.worker.js', import.meta.url);
const WARM_UP_TRIPS = 5;

export interface TripResult {
  /** Time of each trip. */
  readonly milliseconds: readonly number[];
  /** Sum of all values that the sender read at the end. */
  readonly checksum: number;
}

async function main([name = '', count = '', trips = '']: readonly string[]): Promise<void> {
  const records = Number(count);
  using heap = SharedHeap.create({ size: 2 ** 24 + records * 256, threads: 2 });
  const way = wayNamed(name as WayName, heap);
  const setup: HandOverSetup = { way: name as WayName, records, heap: heap.handle };
  const worker = new Worker(WORKER, { workerData: setup });
  const expected = sumsOf(records);
  let checksum = 0;

  async function trip(): Promise<number> {
    const started = performance.now();
    const { data, transfer } = way.make(records);
    worker.postMessage(data, transfer);
    const [back] = (await once(worker, 'message')) as [HandedBack];
    const sum = way.take(back.data, records);
    const took = performance.now() - started;
    if (back.sum !== expected.made || sum !== expected.changed) {
      throw new Error(`${name}: the sums are ${back.sum}, ${sum}, not ${Object.values(expected)}`);
    }
    checksum = sum;
    return took;
  }

  for (let n = 0; n < WARM_UP_TRIPS; n++) await trip();
  const milliseconds: number[] = [];
  for (let n = 0; n < Number(trips); n++) milliseconds.push(await trip());
  await worker.terminate();
  const { inUseBytes } = heap.stats();
  if (inUseBytes !== 0) throw new Error(`${name}: ${inUseBytes} bytes were not freed`);
  const result: TripResult = { milliseconds, checksum };
  console.log(JSON.stringify(result));
}

await main(process.argv.slice(2));
