/**
 * Hand-over: records that go from the main thread to a worker and back, by the ways of today's Node
 * programs and by addresses in the heap. handover-ways.ts describes each way.
 *
 * Models a job that is handed to a worker as a whole: the sender writes every field of every
 * record, the worker reads and changes it, the sender reads it again. Both do this work in every
 * way, so that the ratios are of whole trips, not of postMessage alone. Does not show small
 * messages, whose trip is mostly the wake-up of the other thread, nor threads that work on the
 * records at the same time, which only addresses in shared memory allow.
 *
 * Ways take turns, each time in a process of its own, and the medians of all rounds are kept.
 */

import type { TripResult } from './handover-run.js';
import { WAYS, type WayName } from './handover-ways.js';
import { runNode } from './native.js';
import { median } from './statistics.js';

const RUN = new URL('./handover-run.js', import.meta.url);
const TRIPS = 9;

export interface HandOverOptions {
  readonly rounds: number;
  /** Number of records: 100,000, or 2,000 for a quick look. */
  readonly records: number;
}

export interface HandOver {
  readonly records: number;
  /** Milliseconds of a round trip of all records, by way: the median of each round. */
  readonly milliseconds: Record<WayName, number[]>;
}

export function measureHandOver({ rounds, records }: HandOverOptions): HandOver {
  const milliseconds: HandOver['milliseconds'] = {
    clone: [],
    transfer: [],
    heap: [],
    'transfer-strings': [],
    'heap-strings': [],
  };
  const checksums = new Set<number>();
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) {
      const args = [way, String(records), String(TRIPS)];
      const result = runNode<TripResult>(RUN, args);
      milliseconds[way].push(median(result.milliseconds));
      checksums.add(result.checksum);
    }
  }
  if (checksums.size > 1) throw new Error(`not all ways read the same: ${[...checksums]}`);
  return { records, milliseconds };
}
