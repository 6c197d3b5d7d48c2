/**
 * Two threads at once, in a HeapPool of two workers: how much more two do than one, and blocks that
 * one thread allocates and the other frees.
 *
 * Models servers whose workers allocate independently, and pipelines that hand blocks over. Does
 * not show more than two threads, or the effect of threads on each other's data caches. If the
 * machine has fewer than two free cores, the scaling is the machine's, not the heap's.
 */

import { availableParallelism } from 'node:os';
import { SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import {
  type ContentionResult,
  type ContentionTask,
  RING_BYTES,
  type Role,
} from './contention.worker.js';
import { PAIR, REPLACE } from './measure-calls.js';
import type { Part, Setting } from './part.js';
import type { Section } from './section.js';
import { median, ratios, spread } from './statistics.js';
import { within } from './tables.js';

const WORKER = new URL('./contention.worker.js', import.meta.url);

const FULL_MS = 500;
const SMOKE_MS = 60;
/** The work of two threads, by its name in tables and targets. */
const ROLES = { pairs: PAIR, replace: REPLACE } as const;

export const contention: Part = {
  name: 'contention',
  about: 'two threads at once: scaling, and blocks that one allocates and the other frees',
  measure,
};

async function measure({ smoke, rounds, tell }: Setting): Promise<Section[]> {
  tell('two threads');
  const milliseconds = smoke ? SMOKE_MS : FULL_MS;
  using heap = SharedHeap.create({ size: '128MiB', threads: 3 });
  await using pool = new HeapPool(heap, { filename: WORKER, threads: 2 });

  const together = (roles: readonly Role[], ring = 0) => {
    const barrier = new Int32Array(new SharedArrayBuffer(4));
    const threads = roles.length;
    return Promise.all(
      roles.map((role) => {
        const task: ContentionTask = { role, milliseconds, barrier, threads, ring };
        return pool.run<ContentionResult>(task);
      }),
    );
  };
  /** Million rounds per second. */
  const throughput = async (roles: readonly Role[]) => {
    const results = await together(roles);
    return results.reduce((sum, one) => sum + one.rounds / one.milliseconds / 1e3, 0);
  };

  const rows: string[][] = [];
  const figures: Record<string, number> = {};
  for (const role of ['pairs', 'replace'] as const) {
    await throughput([role, role]); // warms both workers up
    const one: number[] = [];
    const two: number[] = [];
    for (let n = 0; n < rounds; n++) {
      one.push(await throughput([role]));
      two.push(await throughput([role, role]));
    }
    const scaling = ratios(two, one);
    figures[`scaling of ${ROLES[role]}`] = median(scaling);
    rows.push([
      ROLES[role],
      within(median(one), spread(one)),
      within(median(two), spread(two)),
      within(median(scaling), spread(scaling)),
    ]);
  }

  const handOverNs: number[] = [];
  for (let n = 0; n <= rounds; n++) {
    const ring = heap.calloc_ts(1, RING_BYTES);
    const [producer] = await together(['producer', 'consumer'], ring);
    heap.free_ts(ring);
    if (producer === undefined) continue;
    handOverNs.push((producer.milliseconds * 1e6) / producer.rounds);
  }
  const { acquisitions, contentions } = heap.stats().locks;
  return [
    {
      title: 'two threads in one heap, million rounds a second',
      columns: ['', '1 thread', '2 threads', 'scaling'],
      rows,
      notes: [
        `Producer and consumer: ${within(median(handOverNs), spread(handOverNs))} ns a block, both ` +
          `at work. Locks taken ${acquisitions.toLocaleString('en-US')}, waited for ` +
          `${contentions.toLocaleString('en-US')}. The machine has ${availableParallelism()} cores.`,
      ],
      figures,
    },
  ];
}
