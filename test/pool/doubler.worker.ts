/** Pool task of the tests of early ends: the worker of the README's example. */

import { type Address, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';

export interface Doubling {
  list: number;
  length: number;
  /** Whether to run the task in a pool that this worker makes. */
  nested?: boolean;
}

export default async function double({ list, length, nested }: Doubling): Promise<Address> {
  const heap = SharedHeap.current();
  if (nested) {
    await using pool = new HeapPool(heap, { filename: new URL(import.meta.url), threads: 2 });
    return await pool.run<Address>({ list: 0, length: 0 });
  }
  if (length === 0) return 0 as Address;
  const result = heap.malloc_ts(4 * length);
  for (let i = 0; i < length; i++) {
    heap.i32[(result >>> 2) + i] = 2 * (heap.i32[(list >>> 2) + i] as number);
  }
  return result;
}
