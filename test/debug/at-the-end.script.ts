/**
 * A program that damages blocks and ends: by itself, by a detach, or in a worker. The findings of
 * its heap go to stderr.
 */

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';

const [, , manner] = process.argv;

function damage(heap: SharedHeap): void {
  const overrun = heap.malloc_ts(64);
  heap.u8[overrun + 64] = 7;
  const freed = [heap.malloc_ts(64), heap.malloc_ts(64)];
  for (const address of freed) heap.free_ts(address);
  for (const address of freed) heap.u8[address + 3] = 7;
}

if (isMainThread) {
  const heap = SharedHeap.create({
    size: '8MiB',
    threads: 3,
    debug: { guard: 16, quarantine: '64KiB', scribble: true },
  });
  if (manner === 'worker') {
    new Worker(new URL(import.meta.url), { workerData: heap.handle, argv: [manner] });
  } else {
    damage(heap);
    if (manner === 'detach') heap.detach();
    if (manner === 'verified') console.log(heap.verify().problems.length);
  }
} else damage(SharedHeap.attach(workerData as HeapHandle));
