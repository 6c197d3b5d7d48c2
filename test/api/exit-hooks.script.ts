/**
 * Process of the tests of reports at the end. Arguments: how a heap's attachment ends, and what is
 * left in it: `leak` or `free`.
 */

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type Address, SharedHeap } from 'shmalloc';

const [, , how = 'return', left = 'leak'] = isMainThread ? process.argv : ['', '', ...workerData];

/** Makes a heap with three live blocks, or none. */
function fill(): SharedHeap {
  const heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  const blocks = [100, 100, 3000].map((size) => heap.malloc_ts(size));
  heap.free_ts(heap.malloc_ts(100_000));
  if (left === 'free') for (const address of blocks) heap.free_ts(address);
  return heap;
}

/** In the thread that makes the heap. */
const ENDS: Record<string, () => void> = {
  return: () => void fill(),
  exit() {
    fill();
    process.exit(3);
  },
  throw() {
    fill();
    throw new Error('on purpose');
  },
  detach() {
    const heap = fill();
    heap.detach();
    console.error('detached');
    heap.detach();
  },
  using() {
    {
      using _ = fill();
    }
    console.error('disposed');
  },
  reattach() {
    const heap = fill();
    const { handle } = heap;
    heap.detach();
    const [first] = SharedHeap.attach(handle).inspect.blocks();
    SharedHeap.attach(handle).free_ts(first?.address as Address);
  },
  broken() {
    const heap = fill();
    // All page records: the walk over them ends at the first.
    heap.u32.fill(0xffffffff, 512 * 1024, 560 * 1024);
    heap.u32.fill(0, 8192, heap.u32.length);
  },
  two() {
    fill();
    const second = SharedHeap.create({ size: '2MiB', threads: 1 });
    second.malloc_ts(16);
  },
  guest() {
    const heap = fill();
    // Attaches and ends: this is not the thread that made the heap.
    new Worker(new URL(import.meta.url), { workerData: ['attach', heap.handle] });
  },
};

if (how === 'attach') SharedHeap.attach(left as never);
else if (how.startsWith('worker ')) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [how.slice(7), left] });
  worker.on('error', () => {});
} else ENDS[how]?.();
