/**
 * A thread that dies at a point: runs a part with an instrumented library and parks at the point,
 * for the main thread to terminate it.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { Address, SharedHeap } from 'shmalloc';
import { type KillOrder, RECORDS_HELD } from './kill.parts.js';

const { library, handle, part, point, passage } = workerData as KillOrder;
const parked = new Int32Array(new SharedArrayBuffer(4));
const passages = new Map<string, number>();

globalThis.shmallocPoint = (name) => {
  const n = (passages.get(name) ?? 0) + 1;
  passages.set(name, n);
  if (name !== point || n !== passage) return;
  parentPort?.postMessage('parked');
  Atomics.wait(parked, 0, 0);
};

// A clock that goes on by the same step at each call: how often a full heap looks for dead threads, and
// how often a thread passes a point, are the same in each run. It begins late: the first lock with
// waiters is handed over at once.
let clock = 1000;
performance.now = () => (clock += 0.01);

const KIB = 1024;

/** Refills, flushes, splits, merges, growth, moves: passes every way through the heap. */
function tour(heap: SharedHeap): void {
  const { malloc_ts, free_ts, calloc_ts, realloc_ts, alignedAlloc_ts } = heap;
  const many = (count: number, size: number) =>
    Array.from({ length: count }, () => malloc_ts(size));
  const atTheTop = alignedAlloc_ts(64 * KIB, 650 * KIB);
  many(200, 48).forEach(free_ts);
  many(40, 16 * KIB).forEach(free_ts);
  const [a, b, c, d] = many(4, 80 * KIB) as [Address, Address, Address, Address];
  free_ts(a);
  free_ts(c);
  free_ts(b);
  free_ts(malloc_ts(72 * KIB));
  const grown = realloc_ts(realloc_ts(d, 100 * KIB), 800 * KIB);
  const aligned = alignedAlloc_ts(64 * KIB, 90 * KIB);
  const [e, f] = many(2, 150 * KIB) as [Address, Address];
  free_ts(e);
  free_ts(realloc_ts(grown, 70 * KIB));
  free_ts(calloc_ts(1, 200 * KIB));
  free_ts(realloc_ts(malloc_ts(3 * KIB), 5 * KIB));
  free_ts(alignedAlloc_ts(64 * KIB, 300 * KIB));
  // Allocates until the reserve is used up, then frees.
  const rest: Address[] = [];
  for (let size = 1024 * KIB; size > 64 * KIB; size -= 8 * KIB) {
    for (let block = malloc_ts(size); block !== 0; block = malloc_ts(size)) rest.push(block);
  }
  rest.forEach(free_ts);
  free_ts(aligned);
  free_ts(f);
  free_ts(atTheTop);
  heap.detach();
}

/** Moves the brk up to a free run, then takes all of the reserve at once. */
function reserve(heap: SharedHeap): void {
  heap.malloc_ts(72 * KIB);
  heap.malloc_ts(100 * KIB);
  heap.malloc_ts(heap.stats().untouchedBytes);
}

/** Calls of an instrumented heap. */
function records(heap: SharedHeap): void {
  const { malloc_ts, free_ts, realloc_ts } = heap;
  const sizes = [48, 16 * KIB, 90 * KIB, 1000];
  const list = Array.from({ length: RECORDS_HELD }, (_, n) => malloc_ts(sizes[n % 4] as number));
  list.forEach(free_ts);
  free_ts(realloc_ts(malloc_ts(3 * KIB), 100 * KIB));
  heap.detach();
}

/** A tree of contexts: chained, reset, moved, released, adopted and ended. */
function contexts(heap: SharedHeap): void {
  const options = { maxBytes: 64 * KIB };
  const root = heap.contexts.create('root', options);
  const child = root.createContext('child', { ...options, kind: 'set' });
  for (const context of [root, child]) {
    for (const size of [3, 3, 3, 20, 100]) context.malloc(size * KIB);
  }
  root.resetOnly();
  child.setParent(null);
  child.setParent(root);
  const adopted = heap.contexts.adopt(root.release());
  const others = Array.from({ length: 12 }, () =>
    adopted.createContext('other', { initialBytes: 16 * KIB }),
  );
  for (const context of others) context.malloc(1);
  adopted.deleteChildren();
  adopted.malloc(90 * KIB);
  adopted.createContext('last').malloc(9 * KIB);
  heap.detach();
}

/** Vectors in the heap, local and shared, and in a context: made, grown, changed, ended. */
function vectors(heap: SharedHeap): void {
  const context = heap.contexts.create('vectors');
  for (const options of [{}, { shared: true }, { context }]) {
    const vector = heap.vectors.create(Float64Array, { capacity: 4, ...options });
    for (let n = 0; n < 9; n++) vector.push(n);
    vector.insert(3, 7);
    vector.remove(1);
    vector.pop();
    vector.reserve(20_000);
    if (!('context' in options)) vector.delete();
  }
  const records = heap.vectors.create({ bytes: 40 }, { shared: true });
  records.push(new Uint8Array(40));
  records.set(0, new Uint8Array(40).fill(1));
  const blocks = heap.vectors.create('address', { shared: true });
  blocks.push(heap.malloc_ts(100));
  blocks.freeAll();
  context.reset();
  heap.vectors.create(Float64Array, { context }).push(1);
  heap.detach();
}

/** Needs the locks that a dead thread owns, then recovers it. */
function rescue(heap: SharedHeap): void {
  heap.free_ts(heap.malloc_ts(16 * KIB));
  heap.free_ts(heap.malloc_ts(90 * KIB));
  heap.recover();
}

const { SharedHeap: Heap } = (await import(library)) as typeof import('shmalloc');
const heap = Heap.attach(handle);
if (part === 'tour') tour(heap);
else if (part === 'reserve') reserve(heap);
else if (part === 'records') records(heap);
else if (part === 'contexts') contexts(heap);
else if (part === 'vectors') vectors(heap);
else rescue(heap);
parentPort?.postMessage(passages);
