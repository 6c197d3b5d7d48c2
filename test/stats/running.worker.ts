/**
 * Thread of the tests of running heaps: allocates and frees in a loop, trades blocks with other
 * threads through mailboxes, and has contexts and vectors, until it is killed or told to stop.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';

export interface Run {
  readonly heap: HeapHandle;
  /** Word 0: 1 = stop. Each other word: a block for any thread that takes it, or 0. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Detach and attach again repeatedly. */
  readonly leaves: boolean;
  /** Reset all statistics now and then. */
  readonly resets: boolean;
}

const { heap: handle, words, leaves, resets } = workerData as Run;

let heap = SharedHeap.attach(handle);
parentPort?.postMessage('here');
for (let round = 0; Atomics.load(words, 0) === 0; round++) {
  work(round);
  if (resets && round % 5 === 0) heap.resetStats();
  if (!leaves || round % 4 !== 0) continue;
  heap.detach();
  heap = SharedHeap.attach(handle);
}
heap.detach();

function work(round: number): void {
  const held: Address[] = [];
  for (let n = 0; n < 300; n++) {
    const size = n % 50 === 0 ? 70_000 + n * 500 : (n * 37 * (round + 1)) % 5000;
    const address = heap.malloc_ts(size);
    if (address === 0) break;
    if (n % 3 === 0) heap.free_ts(trade(address, n));
    else held.push(n % 7 === 0 ? heap.realloc_ts(address, size * 2 + 1) || address : address);
  }
  heap.contexts.run('round', (context) => {
    const vector = heap.vectors.create(Float64Array, { context });
    for (let n = 0; n < 200; n++) vector.push(n);
    context.malloc(3000);
  });
  for (const address of held) heap.free_ts(address);
}

/** Puts a block into a mailbox; returns the block that was there. */
function trade(address: Address, n: number): Address {
  return (Atomics.exchange(words, 1 + (n % (words.length - 1)), address) >>> 0) as Address;
}
