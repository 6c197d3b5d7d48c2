/**
 * Runs one workload on one allocator, in a process of its own.
 *
 *     node dist/bench/workload-run.js WORKLOAD ALLOCATOR THREADS SIZE     prints JSON, as native/harness.c does
 *
 * Runs at least twice, and the last run counts: by then all code is compiled, slow paths too, and
 * memory is touched, as in a program that has run for a while. At full size that takes most of a
 * second: two threads on two processors leave the compilers little time. The time is from when all
 * threads have arrived until the last one is done. Threads are workers of a HeapPool.
 */

import { SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import { type AllocatorName, allocatorOf, mostLive, share } from './allocators.js';
import type { WorkloadDone, WorkloadTask } from './workload.worker.js';
import { type Size, workloadNamed } from './workloads/index.js';

const WORKER = new URL('./workload.worker.js', import.meta.url);
const HEAP_BYTES = 2 ** 31;
const WARM_UP_MS = { smoke: 0, full: 800 };

/** The output of a run of a workload, ours or its C twin. */
export interface WorkloadResult {
  readonly operations: number;
  readonly checksum: number;
  readonly milliseconds: number;
  /** Maximum memory that the allocator had from the system. */
  readonly footprintBytes: number;
  /** For ours: bytes left in use in the heap. */
  readonly inUseBytes?: number;
  /** For the counted allocator: maximum requested bytes live at once. */
  readonly peakLiveBytes?: number;
}

async function main([name = '', allocator = '', threads = '', size = '']: readonly string[]) {
  const workload = workloadNamed(name);
  if (workload.threads === 'one' && threads !== '1') throw new Error(`${name} is for one thread`);
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: Number(threads) + 1 });
  const shared = share(allocator as AllocatorName, HEAP_BYTES);
  const program = workload.create(allocatorOf(shared, heap));
  await using pool = new HeapPool(heap, { filename: WORKER, threads: Number(threads) });

  async function measure(size: Size): Promise<WorkloadResult> {
    const run = {
      threads: Number(threads),
      parameters: workload.parameters(size, Number(threads)),
    };
    const root = program.setup?.(run) ?? 0;
    const barrier = new Int32Array(new SharedArrayBuffer(4));
    const all = await Promise.all(
      Array.from({ length: run.threads }, (_, index) => {
        const task: WorkloadTask = {
          workload: name,
          shared,
          part: { ...run, index, root },
          barrier,
        };
        return pool.run<WorkloadDone>(task);
      }),
    );
    const sum = (of: (done: WorkloadDone) => number) =>
      all.reduce((total, done) => total + of(done), 0);
    const started = all.map(({ startedNs }) => startedNs).reduce((a, b) => (a < b ? a : b));
    const ended = all.map(({ endedNs }) => endedNs).reduce((a, b) => (a > b ? a : b));
    const left = program.finish?.(run, root) ?? 0;
    return {
      operations: sum(({ operations }) => operations),
      checksum: ((sum(({ checksum }) => checksum) + left) % 2 ** 32) >>> 0,
      milliseconds: Number(ended - started) / 1e6,
      inUseBytes: heap.stats().inUseBytes,
      footprintBytes: heap.stats().footprintBytes,
      peakLiveBytes: mostLive(shared),
    };
  }

  const began = performance.now();
  do await measure(size as Size);
  while (performance.now() - began < WARM_UP_MS[size as Size]);
  console.log(JSON.stringify(await measure(size as Size)));
}

await main(process.argv.slice(2));
