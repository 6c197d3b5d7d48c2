/**
 * Script of the default-heap tests: every function of `shmalloc/mem`, in main and in a worker that
 * was told nothing but an address. Prints what happened as JSON.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Address } from 'shmalloc';
import * as mem from 'shmalloc/mem';

const { u32 } = mem.mem_heap;

/** What one thread saw; every entry should be true. */
type Seen = Record<string, boolean>;

function threadSafe(): Seen {
  const seen: Seen = {};
  const block = mem.mem_malloc_ts(100);
  u32[block >>> 2] = 5;
  seen.malloc_ts = block > 0 && block % 16 === 0;
  const moved = mem.mem_realloc_ts(block, 10_000);
  seen.realloc_ts = moved !== block && u32[moved >>> 2] === 5;
  const zero = mem.mem_calloc_ts(25, 4);
  seen.calloc_ts = u32.subarray(zero >>> 2, (zero >>> 2) + 25).every((word) => word === 0);
  const before = mem.mem_get_stats().inUseBytes;
  mem.mem_free_ts(moved);
  mem.mem_free_ts(zero);
  seen.free_ts = mem.mem_get_stats().inUseBytes === before - 10_240 - 112;
  return seen;
}

function plain(): Seen {
  const seen: Seen = {};
  const block = mem.mem_malloc(100);
  u32[block >>> 2] = 6;
  seen.malloc = block > 0 && mem.mem_get_stats().inUseBytes === 112;
  const moved = mem.mem_realloc(block, 300_000);
  seen.realloc = u32[moved >>> 2] === 6;
  const zero = mem.mem_calloc(1000, 1000);
  seen.calloc = u32.subarray(zero >>> 2, (zero >>> 2) + 250_000).every((word) => word === 0);
  mem.mem_free(moved);
  mem.mem_free(zero);
  seen.free = mem.mem_get_stats().inUseBytes === 0;
  seen.names = mem.mem_malloc === mem.mem_malloc_ts && mem.mem_free === mem.mem_free_ts;
  seen.counted = mem.mem_get_stats().allocations > 0;
  mem.mem_reset();
  seen.reset = mem.mem_get_stats().allocations === 0;
  seen.heap = mem.mem_heap.stats().reservedBytes === 2 ** 30;
  return seen;
}

async function main(): Promise<void> {
  const main = { ...plain(), ...threadSafe() };
  const address = mem.mem_malloc_ts(64);
  u32[address >>> 2] = 1234;
  const worker = new Worker(new URL(import.meta.url), { workerData: address });
  const inWorker = await new Promise<Seen>((resolve, reject) => {
    let seen: Seen = {};
    worker.on('message', (message: Seen) => {
      seen = message;
    });
    worker.on('error', reject).on('exit', () => resolve(seen));
  });
  const { inUseBytes } = mem.mem_get_stats();
  mem.mem_print_stats();
  console.log(JSON.stringify({ main, worker: inWorker, inUseBytes, names: Object.keys(mem) }));
}

if (isMainThread) {
  await main();
} else {
  const address = workerData as Address;
  const handed = u32[address >>> 2] === 1234;
  mem.mem_free_ts(address);
  parentPort?.postMessage({ handed, ...threadSafe() });
}
