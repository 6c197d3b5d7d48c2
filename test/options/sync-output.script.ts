/**
 * Process of the tests of printing: prints much to a stdout that may be slow or closed, then exits
 * at once. Argument: the call that prints. Stderr: by how much the process's memory grew.
 */

import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';

/** Blocks of the listing, and calls in the history. */
const BLOCKS = 1_000_000;
const CALLS = 100_000;

const PRINTS: Record<string, () => void> = {
  listing() {
    const heap = SharedHeap.create({ size: '32MiB', threads: 1 });
    for (let n = 0; n < BLOCKS; n++) heap.malloc_ts(16);
    measured(() => heap.inspect.print('blocks'));
  },
  history() {
    const debug = { history: CALLS };
    const heap = SharedHeap.create({ size: '32MiB', threads: 1, debug });
    for (let n = 0; n < CALLS / 2; n++) heap.free_ts(heap.malloc_ts(16));
    heap.inspect.print('history');
  },
  worker() {
    const heap = SharedHeap.create({ size: '32MiB', threads: 2 });
    for (let n = 0; n < BLOCKS; n++) heap.malloc_ts(16);
    const { handle } = heap;
    new Worker(new URL(import.meta.url), { workerData: handle }).once('exit', () => process.exit());
  },
};

function measured(print: () => void): void {
  const before = process.memoryUsage().rss;
  print();
  const grown = process.resourceUsage().maxRSS * 1024 - before;
  writeSync(2, JSON.stringify({ grown }));
}

if (isMainThread) {
  // Node makes a pipe non-blocking at its first use.
  process.stdout.write('first\n');
  PRINTS[process.argv[2] ?? '']?.();
  if (process.argv[2] !== 'worker') process.exit(7);
} else {
  SharedHeap.attach(workerData as HeapHandle).inspect.print('blocks');
  process.exit();
}
