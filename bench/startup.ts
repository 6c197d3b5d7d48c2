/**
 * Startup: the cost of the first heap of a process, and of the first attach of a worker.
 *
 *     node dist/bench/startup.js                                prints JSON
 *
 * Models a program's start: cold code, one heap of 1 GiB. Resident growth is the process's, read
 * from /proc/self/statm before and after, so it includes the engine's own allocations in between.
 * Does not show the pages that the heap will touch once it is used.
 */

import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';

export interface StartupResult {
  readonly createMs: number;
  /** Resident bytes that creation added; null without /proc. */
  readonly createResidentBytes: number | null;
  readonly attachMs: number;
}

const SYSTEM_PAGE_BYTES = 4096;

function residentBytes(): number | null {
  try {
    return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * SYSTEM_PAGE_BYTES;
  } catch {
    return null;
  }
}

async function main(): Promise<void> {
  residentBytes();
  const before = residentBytes();
  const started = performance.now();
  using heap = SharedHeap.create({ size: '1GiB' });
  const createMs = performance.now() - started;
  const after = residentBytes();
  const worker = new Worker(new URL(import.meta.url), { workerData: heap.handle });
  const attachMs = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  const createResidentBytes = before === null || after === null ? null : after - before;
  const result: StartupResult = { createMs, createResidentBytes, attachMs };
  console.log(JSON.stringify(result));
}

if (isMainThread) {
  await main();
} else {
  const started = performance.now();
  SharedHeap.attach(workerData as HeapHandle);
  parentPort?.postMessage(performance.now() - started);
}
