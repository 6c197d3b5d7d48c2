/**
 * Pool task of the HeapPool tests: simple operations on the heap that current() returns.
 */

import { threadId } from 'node:worker_threads';
import Piscina from 'piscina';
import { type Address, SharedHeap } from 'shmalloc';

export interface Meeting {
  /** Word 0: the number of tasks that have arrived; word 1 is unused. Each waits until all have. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly threads: number;
}

export interface BlocksTask {
  readonly meet?: Meeting;
  /** Number of blocks to allocate ... */
  readonly count?: number;
  /** ...of this size, and fill each with `mark`. */
  readonly size?: number;
  readonly mark?: number;
  /** Blocks of other threads to free, each with the thread that allocated it. */
  readonly others?: readonly BlocksResult[];
  readonly fail?: string;
}

export interface BlocksResult {
  readonly threadId: number;
  readonly heapBytes: number;
  readonly addresses: number[];
  readonly freed: number;
  readonly workerData: Record<string, unknown>;
}

export default function blocks(task: BlocksTask): BlocksResult {
  const { meet, count = 0, size = 16, mark = 0, others = [], fail } = task;
  if (fail !== undefined) throw new Error(fail);
  if (meet !== undefined) waitForAll(meet);
  const heap = SharedHeap.current();
  const addresses: number[] = [];
  for (let n = 0; n < count; n++) {
    const address = heap.malloc_ts(size);
    heap.u8.fill(mark, address, address + size);
    addresses.push(address);
  }
  let freed = 0;
  for (const other of others) {
    if (other.threadId === threadId) continue;
    for (const address of other.addresses) {
      heap.free_ts(address as Address);
      freed++;
    }
  }
  const heapBytes = heap.stats().reservedBytes;
  return { threadId, heapBytes, addresses, freed, workerData: Piscina.workerData };
}

/** Holds this worker until `threads` workers are here, so that no two tasks run in one worker. */
function waitForAll({ words, threads }: Meeting): void {
  Atomics.add(words, 0, 1);
  Atomics.notify(words, 0);
  for (;;) {
    const here = Atomics.load(words, 0);
    if (here >= threads) return;
    Atomics.wait(words, 0, here);
  }
}
