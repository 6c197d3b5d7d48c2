/**
 * The allocators that a workload can run on, all in one buffer that every thread has.
 *
 *   shmalloc       the heap's `_ts` calls
 *   locked         the heap's calls with one lock around each: what a heap without caches would
 *   cost
 *   thi.ng         @thi.ng/malloc, by one thread
 *   thi.ng-locked  @thi.ng/malloc with one lock around each call, since it does not support threads
 *   counted        the heap, with a count of the requested bytes that are live, for their maximum.
 *                  Slow; never timed.
 *
 * A process runs only one of them: a call site that has seen two is slower, and that would be an
 * error of the benchmark.
 */

import { MemPool } from '@thi.ng/malloc';
import type { SharedHeap } from 'shmalloc';
import type { Allocator } from './workloads/index.js';

export const ALLOCATORS = ['shmalloc', 'locked', 'thi.ng', 'thi.ng-locked', 'counted'] as const;
export type AllocatorName = (typeof ALLOCATORS)[number];

/** The data that all threads of a run share, sent to each. */
export interface Shared {
  readonly name: AllocatorName;
  /** Word 0: the lock of the locked ones. Words 1 and 2: live bytes, and their maximum. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** For thi.ng: its pool. */
  readonly pool: SharedArrayBuffer | null;
  /** For counted: requested bytes, by the granule at which a block starts. */
  readonly sizes: Uint32Array<SharedArrayBuffer> | null;
}

const LOCK = 0;
const LIVE = 1;
const MOST = 2;
const GRANULE_SHIFT = 4;
const SPINS = 500;
/** Alignment of the pool's blocks, in bytes; the same as ours. */
const ALIGN = 16;

export function share(name: AllocatorName, heapBytes: number): Shared {
  const pool = name.startsWith('thi.ng') ? new SharedArrayBuffer(heapBytes) : null;
  if (pool !== null) new MemPool({ buf: pool as unknown as ArrayBuffer, align: ALIGN });
  return {
    name,
    words: new Int32Array(new SharedArrayBuffer(12)),
    pool,
    sizes:
      name === 'counted'
        ? new Uint32Array(new SharedArrayBuffer((heapBytes >>> GRANULE_SHIFT) * 4))
        : null,
  };
}

/** Maximum of the requested bytes that were live at once. */
export const mostLive = ({ words }: Shared): number => (words[MOST] as number) >>> 0;

/** This thread's access to the allocator. `heap` is the heap that the thread is attached to. */
export function allocatorOf(shared: Shared, heap: SharedHeap): Allocator {
  switch (shared.name) {
    case 'shmalloc':
      return ours(heap);
    case 'locked':
      return locked(ours(heap), shared.words);
    case 'thi.ng':
      return thing(shared);
    case 'thi.ng-locked':
      return locked(thing(shared), shared.words);
    case 'counted':
      return counted(ours(heap), shared);
  }
}

function ours(heap: SharedHeap): Allocator {
  return {
    malloc: heap.malloc_ts,
    free: heap.free_ts,
    calloc: heap.calloc_ts,
    realloc: heap.realloc_ts,
    alignedAlloc: heap.alignedAlloc_ts,
    u8: heap.u8,
    u32: heap.u32,
    i32: heap.i32,
    f64: heap.f64,
  };
}

function thing({ pool }: Shared): Allocator {
  const buffer = pool as SharedArrayBuffer;
  const mem = new MemPool({
    buf: buffer as unknown as ArrayBuffer,
    skipInitialization: true,
  });
  const view = <T>(Kind: new (buffer: SharedArrayBuffer) => T) => new Kind(buffer);
  return {
    malloc: (bytes) => mem.malloc(bytes),
    free: (address) => {
      mem.free(address);
    },
    calloc: (count, bytes) => mem.calloc(count * bytes),
    realloc: (address, bytes) => mem.realloc(address, bytes),
    alignedAlloc(alignment, bytes) {
      if (alignment <= ALIGN) return mem.malloc(bytes);
      throw new Error('@thi.ng/malloc has one alignment for all blocks');
    },
    u8: view(Uint8Array<SharedArrayBuffer>),
    u32: view(Uint32Array<SharedArrayBuffer>),
    i32: view(Int32Array<SharedArrayBuffer>),
    f64: view(Float64Array<SharedArrayBuffer>),
  };
}

function locked(inner: Allocator, words: Int32Array<SharedArrayBuffer>): Allocator {
  const lock = () => {
    for (let spins = 0; Atomics.compareExchange(words, LOCK, 0, 1) !== 0; spins++) {
      if (spins >= SPINS) Atomics.wait(words, LOCK, 1, 1);
    }
  };
  const unlock = () => {
    Atomics.store(words, LOCK, 0);
  };
  const { malloc, free, calloc, realloc, alignedAlloc } = inner;
  return {
    ...inner,
    malloc(bytes) {
      lock();
      const address = malloc(bytes);
      unlock();
      return address;
    },
    free(address) {
      lock();
      free(address);
      unlock();
    },
    calloc(count, bytes) {
      lock();
      const address = calloc(count, bytes);
      unlock();
      return address;
    },
    realloc(address, bytes) {
      lock();
      const moved = realloc(address, bytes);
      unlock();
      return moved;
    },
    alignedAlloc(alignment, bytes) {
      lock();
      const address = alignedAlloc(alignment, bytes);
      unlock();
      return address;
    },
  };
}

function counted(inner: Allocator, { words, sizes }: Shared): Allocator {
  const sizeOf = sizes as Uint32Array<SharedArrayBuffer>;
  const count = (address: number, bytes: number) => {
    if (address === 0) return address;
    sizeOf[address >>> GRANULE_SHIFT] = bytes;
    const live = (Atomics.add(words, LIVE, bytes) + bytes) >>> 0;
    // Racy, but never far off: the next call with more live bytes sets it again.
    if (live > (words[MOST] as number) >>> 0) words[MOST] = live;
    return address;
  };
  const uncount = (address: number) => {
    if (address !== 0) Atomics.sub(words, LIVE, sizeOf[address >>> GRANULE_SHIFT] as number);
  };
  return {
    ...inner,
    malloc: (bytes) => count(inner.malloc(bytes), bytes),
    calloc: (n, bytes) => count(inner.calloc(n, bytes), n * bytes),
    alignedAlloc: (alignment, bytes) => count(inner.alignedAlloc(alignment, bytes), bytes),
    free(address) {
      uncount(address);
      inner.free(address);
    },
    realloc(address, bytes) {
      uncount(address);
      return count(inner.realloc(address, bytes), bytes);
    },
  };
}
