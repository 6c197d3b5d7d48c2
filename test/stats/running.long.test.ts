/**
 * Proves that a heap's figures are possible values while real threads allocate, free, trade blocks,
 * start, end, are killed and recovered: none is below 0, no part exceeds its whole, no counter of
 * metrics falls; and that all figures are exact when the threads have stopped.
 */

import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type HeapStats, type OtelMetric, SharedHeap } from 'shmalloc';
import { renderLeaks } from '../../src/inspect/index.js';
import { readUsage } from '../../src/inspect/leaks.js';
import { assertIdentity, memoryOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import { badNumbers, countsOf, createWatch, excessParts } from './figures.js';
import type { Run } from './running.worker.js';

const LOOKS = 100;
const MAILBOXES = 16;

interface Crew {
  readonly heap: SharedHeap;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly workers: Worker[];
  add(run?: Partial<Run>): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

async function startCrew(): Promise<Crew> {
  const heap = SharedHeap.create({ size: '32MiB', threads: 8 });
  const words = new Int32Array(new SharedArrayBuffer((1 + MAILBOXES) * 4));
  const workers: Worker[] = [];
  const crew: Crew = {
    heap,
    words,
    workers,
    async add(run = {}) {
      const workerData: Run = { heap: heap.handle, words, leaves: false, resets: false, ...run };
      const worker = new Worker(new URL('./running.worker.js', import.meta.url), { workerData });
      await nextMessage(worker);
      workers.push(worker);
    },
    async kill() {
      const worker = workers.shift() as Worker;
      const exit = ended(worker);
      await worker.terminate();
      await exit;
    },
    async stop() {
      Atomics.store(words, 0, 1);
      await Promise.all(workers.map(ended));
      heap.recover();
    },
  };
  await crew.add();
  await crew.add();
  return crew;
}

/** Reads all figures while threads run; returns the impossible ones. */
async function lookOn(heap: SharedHeap, meanwhile: (look: number) => Promise<void>) {
  const faults = new Set<string>();
  const fellInStats = createWatch();
  const fellInText = createWatch();
  const fellInValues = createWatch();
  for (let look = 0; look < LOOKS && faults.size < 20; look++) {
    await meanwhile(look);
    const stats = heap.stats();
    const otel = heap.metrics({ format: 'otel' });
    const found = [
      ...badNumbers(stats),
      ...excessParts(stats),
      ...fellInStats(countsOf(stats)),
      ...badNumbers(otel),
      ...fellInValues(countersOf(otel)),
      ...fellInText(countersIn(heap.metrics())),
      ...badNumbers(heap.contexts.tree()),
    ];
    if (look % 20 === 0) found.push(...lookAtBlocks(heap));
    for (const fault of found) faults.add(fault);
    if (look % 10 === 0) await setImmediate();
  }
  return [...faults];
}

/** Impossible results of calls that walk over blocks. */
function lookAtBlocks(heap: SharedHeap): string[] {
  const leaks = heap.inspect.leaks();
  const text = renderLeaks(leaks, readUsage(memoryOf(heap)));
  let table = '';
  heap.inspect.print('stats', {
    write: (part) => {
      table += part;
    },
  });
  return [
    ...badNumbers(heap.inspect.map()),
    ...badNumbers(leaks),
    ...(/(^|[ (])-\d|NaN/m.exec(text) ?? []),
    ...(/(^|[ (])-\d|NaN/m.exec(table) ?? []),
    ...badNumbers({ ...heap.verify(), problems: [] }),
  ];
}

const countersOf = (metrics: readonly OtelMetric[]): [string, number][] =>
  metrics
    .filter(({ kind }) => kind === 'observable_counter')
    .flatMap(({ name, points }) =>
      points.map(({ value, attributes }): [string, number] => [
        `${name} ${JSON.stringify(attributes)}`,
        value,
      ]),
    );

function* countersIn(text: string): Generator<readonly [string, number]> {
  for (const [, name, value] of text.matchAll(/^(\w+_total(?:\{.*\})?) (\S+)$/gm)) {
    yield [name as string, Number(value)];
  }
}

/** All threads have stopped: blocks in mailboxes are the only live ones. */
function checkQuiet(t: ExecutionContext, heap: SharedHeap, blocks: number): HeapStats {
  const stats = assertIdentity(t, heap);
  const inUse = stats.sizeClasses.reduce((sum, c) => sum + c.blocksInUse, 0);
  t.is(inUse + stats.large.blocksInUse, blocks);
  t.is(heap.inspect.blocks().length, blocks);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  return stats;
}

test.serial(
  'stats, metrics: figures are possible while threads allocate, free and trade',
  async (t) => {
    const crew = await startCrew();
    const faults = await lookOn(crew.heap, async () => {});
    await crew.stop();
    t.deepEqual(faults, []);
    const left = [...crew.words.subarray(1)].filter((address) => address !== 0).length;
    const stats = checkQuiet(t, crew.heap, left);
    t.is(stats.allocations - stats.frees, left);
    t.is(stats.totalAllocatedBytes - stats.totalFreedBytes, stats.inUseBytes);
    crew.heap.detach();
  },
);

test.serial(
  'stats, metrics: figures are possible while threads start, end, are killed and recovered',
  async (t) => {
    const crew = await startCrew();
    await crew.add({ leaves: true });
    const faults = await lookOn(crew.heap, async (look) => {
      if (look % 30 !== 15) return;
      await crew.kill();
      if (look % 60 === 15) crew.heap.recover();
      await crew.add({ leaves: look % 60 === 15 });
    });
    await crew.stop();
    t.deepEqual(faults, []);
    const stats = checkQuiet(t, crew.heap, crew.heap.inspect.blocks().length);
    t.is(stats.allocations - stats.frees, crew.heap.inspect.blocks().length);
    t.is(stats.totalAllocatedBytes - stats.totalFreedBytes, stats.inUseBytes);
    t.true(stats.recovery.recoveries > 0);
    crew.heap.detach();
  },
);

test.serial('stats, metrics: figures are possible while another thread resets them', async (t) => {
  const crew = await startCrew();
  await crew.add({ resets: true });
  const { heap } = crew;
  const faults = new Set<string>();
  const fell = createWatch();
  for (let look = 0; look < LOOKS; look++) {
    const found = [
      ...badNumbers(heap.stats()),
      ...badNumbers(heap.metrics({ format: 'otel' })),
      ...fell(countersIn(heap.metrics())),
    ];
    for (const fault of found) faults.add(fault);
  }
  await crew.stop();
  t.deepEqual([...faults], []);
  heap.resetStats();
  t.like(heap.stats(), { allocations: 0, frees: 0, totalAllocatedBytes: 0, totalFreedBytes: 0 });
  heap.detach();
});
