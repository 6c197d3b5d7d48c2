/**
 * Threads at once, in a HeapPool of two workers: how much more two do than one, and blocks that one
 * thread allocates and another frees.
 *
 * Models servers whose workers allocate independently, and pipelines that hand blocks over. Does
 * not show more than two threads, or what threads do to each other's data caches; and where the
 * machine has fewer than two cores to itself, scaling is the machine's, not the heap's.
 */

import { SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import {
  type ContentionResult,
  type ContentionTask,
  RING_BYTES,
  type Role,
} from './contention.worker.js';

const WORKER = new URL('./contention.worker.js', import.meta.url);

export interface Scaling {
  readonly scenario: string;
  /** Million rounds a second: of one thread, and of two together. */
  readonly one: number;
  readonly two: number;
  readonly scaling: number;
}

export interface Contention {
  readonly scalings: readonly Scaling[];
  /** Producer and consumer: nanoseconds from one block to the next, both threads at work. */
  readonly handOverNs: number;
  /** Locks in all scenarios: taken, and waited for. */
  readonly acquisitions: number;
  readonly contentions: number;
}

export async function measureContention(rounds: number, milliseconds: number): Promise<Contention> {
  using heap = SharedHeap.create({ size: '128MiB', threads: 3 });
  await using pool = new HeapPool(heap, { filename: WORKER, threads: 2 });

  const together = (roles: readonly Role[], ring = 0) => {
    const barrier = new Int32Array(new SharedArrayBuffer(4));
    const threads = roles.length;
    return Promise.all(
      roles.map((role) =>
        pool.run<ContentionResult>({
          role,
          milliseconds,
          barrier,
          threads,
          ring,
        } satisfies ContentionTask),
      ),
    );
  };
  const throughput = async (roles: readonly Role[]) => {
    const results = await together(roles);
    return results.reduce((sum, one) => sum + one.rounds / one.milliseconds / 1e3, 0);
  };

  const scalings: Scaling[] = [];
  for (const role of ['pairs', 'replace'] as const) {
    await throughput([role, role]); // both workers have seen it
    let one = 0;
    let two = 0;
    for (let n = 0; n < rounds; n++) {
      one = Math.max(one, await throughput([role]));
      two = Math.max(two, await throughput([role, role]));
    }
    scalings.push({ scenario: role, one, two, scaling: two / one });
  }

  let handOverNs = Number.POSITIVE_INFINITY;
  for (let n = 0; n <= rounds; n++) {
    const ring = heap.calloc_ts(1, RING_BYTES);
    const [producer] = await together(['producer', 'consumer'], ring);
    heap.free_ts(ring);
    if (producer === undefined) continue;
    handOverNs = Math.min(handOverNs, (producer.milliseconds * 1e6) / producer.rounds);
  }
  const { acquisitions, contentions } = heap.stats().locks;
  return { scalings, handOverNs, acquisitions, contentions };
}
