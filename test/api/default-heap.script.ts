/**
 * Script of the default-heap tests: a process whose threads find one heap with no wiring.
 *
 *     main-first     main asks for the default heap, then starts workers, one in a worker
 *     worker-first   a worker asks first: its heap is private, and it says so
 *     pool           a pool's worker finds the pool's heap, though there is a default one
 *
 * Prints what it found as JSON. The same module is worker and pool task.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Address, SharedHeap } from 'shmalloc';

const SELF = new URL(import.meta.url);

interface Told {
  readonly address: number;
  /** How many more generations of threads to start. */
  readonly generations: number;
}

export default function task(): number {
  return SharedHeap.current().stats().reservedBytes;
}

/** Checks and frees a block that its parent thread allocated; then a child does the same. */
async function inWorker({ address, generations }: Told): Promise<void> {
  const warnings: string[] = [];
  process.on('warning', (warning) => warnings.push((warning as { code?: string }).code ?? ''));
  const heap = SharedHeap.current();
  const seen = address === 0 ? 0 : heap.u32[address >>> 2];
  if (address !== 0) heap.free_ts(address as Address);
  const below = generations > 0 ? await startWorker(heap, generations - 1) : [];
  // Warnings are emitted on the next tick.
  await new Promise((resolve) => setTimeout(resolve, 10));
  parentPort?.postMessage([{ seen, same: SharedHeap.current() === heap, warnings }, ...below]);
}

function startWorker(heap: SharedHeap | undefined, generations: number): Promise<unknown[]> {
  const address = heap?.malloc_ts(100) ?? 0;
  if (heap !== undefined) heap.u32[address >>> 2] = 4711 + generations;
  const worker = new Worker(SELF, { workerData: { address, generations } satisfies Told });
  return new Promise((resolve, reject) => {
    let answer: unknown[] = [];
    worker.on('message', (found: unknown[]) => {
      answer = found;
    });
    worker.on('error', reject).on('exit', () => resolve(answer));
  });
}

async function inMain(mode: string | undefined): Promise<unknown> {
  if (mode === 'worker-first') {
    const workers = await startWorker(undefined, 1);
    return { workers, inUseBytes: SharedHeap.current().stats().inUseBytes };
  }
  const heap = SharedHeap.current();
  if (mode === 'pool') {
    const { HeapPool } = await import('shmalloc/pool');
    using own = SharedHeap.create({ size: '8MiB', threads: 2 });
    await using pool = new HeapPool(own, { filename: SELF, threads: 1 });
    const bytes = await pool.run({});
    return { bytes, mainBytes: SharedHeap.current().stats().reservedBytes };
  }
  const workers = await startWorker(heap, 2);
  const { inUseBytes, reservedBytes } = heap.stats();
  return { workers, inUseBytes, reservedBytes, same: SharedHeap.current() === heap };
}

if (isMainThread) console.log(JSON.stringify(await inMain(process.argv[2])));
else if (workerData?.generations !== undefined) await inWorker(workerData as Told);
