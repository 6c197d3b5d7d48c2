/**
 * Thread of the event tests: listens to all channels of its own, does what it is told, and tells
 * what it heard.
 */

import { subscribe } from 'node:diagnostics_channel';
import { parentPort, workerData } from 'node:worker_threads';
import { HEAP_CHANNELS, type HeapHandle, SharedHeap } from 'shmalloc';

export interface EventTask {
  readonly handle: HeapHandle;
  /** Fill the heap; be refused by it; recover what is dead; end without a word. */
  readonly act: 'fill' | 'meet' | 'recover' | 'stay';
}

export interface Heard {
  readonly event: string;
  readonly message: Record<string, unknown>;
}

const { handle, act } = workerData as EventTask;
const heard: Heard[] = [];
for (const [event, name] of Object.entries(HEAP_CHANNELS)) {
  subscribe(name, (message) => {
    const { heap, ...rest } = message as Record<string, unknown>;
    heard.push({
      event,
      message: heap === undefined ? rest : { ...rest, heap: heap === current() },
    });
    // Told after all 'exit' listeners: no listener could tell of it.
    if (event === 'detached') parentPort?.postMessage(heard);
  });
}

let mine: SharedHeap | undefined;
const current = (): SharedHeap => {
  mine ??= SharedHeap.attach(handle);
  return mine;
};

try {
  const heap = current();
  if (act === 'fill') while (heap.malloc_ts(500_000) !== 0);
  if (act === 'recover') heap.recover();
  if (act === 'meet') for (const n of [64, 64, 100_000]) heap.malloc_ts(n);
} catch {
  // The heap is broken: that is what it is here to hear of.
}
process.on('exit', () => {
  if (mine === undefined) parentPort?.postMessage(heard);
});
if (act === 'stay') {
  mine?.malloc_ts(64);
  mine?.contexts.create('of the dead').alloc(Uint8Array, 100);
  parentPort?.postMessage([]);
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}
