/**
 * Thread of the vector tests: pushes, or does everything until it is terminated, and writes down what
 * it has done.
 */

import { parentPort, workerData } from 'node:worker_threads';
import {
  type ElementType,
  type HeapHandle,
  SharedHeap,
  type Vector,
  type VectorHandle,
} from 'shmalloc';
import { Random } from '../helpers.js';

export interface VectorTask {
  readonly act: 'push' | 'push-and-pop' | 'churn' | 'records' | 'delete-all';
  readonly seed: number;
  readonly vector?: VectorHandle;
  /** How many pushes. */
  readonly count?: number;
  readonly words: Int32Array<SharedArrayBuffer>;
}

/** Places in `words`: how many threads are ready, ... */
export const READY = 0;
/** ... whether they may begin, or (records) are to end, ... */
export const GO = 1;
/** ... (churn) how many values are in for certain, ... */
export const DONE = 2;
/** ... how many removals were written down, and from here on which values these were. */
export const REMOVED = 3;
export const REMOVED_LOG = 4;

/** The n-th value of a thread. */
export const taggedValue = (seed: number, n: number): number => seed * 2 ** 24 + n;

interface Life {
  readonly heap: SharedHeap;
  readonly task: VectorTask;
}

const attach = <E extends ElementType = Float64ArrayConstructor>(
  heap: SharedHeap,
  { vector }: VectorTask,
): Vector<E> => heap.vectors.attach<E>(vector as VectorHandle);

/** Each thread pushes its values, all at the same time. */
function push({ heap, task }: Life): void {
  const { seed, count = 0, words } = task;
  const vector = attach(heap, task);
  Atomics.add(words, READY, 1);
  Atomics.notify(words, READY);
  Atomics.wait(words, GO, 0);
  for (let n = 0; n < count; n++) vector.push(taggedValue(seed, n));
}

/** Pushes and pops at the end until told to end. */
function pushAndPop({ heap, task }: Life): void {
  const { words } = task;
  const vector = attach(heap, task);
  Atomics.add(words, READY, 1);
  Atomics.notify(words, READY);
  while (Atomics.load(words, GO) === 0) {
    vector.push(vector.length);
    vector.pop();
  }
}

/** Pushes, inserts, removes, grows and shrinks for ever. */
function churn({ heap, task }: Life): void {
  const { seed, words } = task;
  const vector = attach(heap, task);
  const random = new Random(seed);
  for (let n = 0; ; ) {
    const what = random.below(10);
    if (what < 6) vector.push(taggedValue(seed, n++));
    else if (what < 8)
      vector.insert(random.below(Math.max(1, vector.length)), taggedValue(seed, n++));
    else if (what < 9) vector.shrink();
    else if (Atomics.load(words, REMOVED) < words.length - REMOVED_LOG - 1) {
      const value = random.below(2) === 0 ? vector.pop() : removeSome(vector, random);
      if (value === undefined) continue;
      Atomics.store(words, REMOVED_LOG + Atomics.load(words, REMOVED), value | 0);
      Atomics.add(words, REMOVED, 1);
    }
    Atomics.store(words, DONE, n);
  }
}

function removeSome(vector: Vector, random: Random): number | undefined {
  const { length } = vector;
  return length === 0 ? undefined : vector.remove(random.below(length));
}

/** Writes records of equal bytes everywhere, until told to end. */
function records({ heap, task }: Life): void {
  const { seed, words } = task;
  const vector = attach<{ bytes: number }>(heap, task);
  const random = new Random(seed);
  const record = new Uint8Array(vector.get(0).length);
  Atomics.add(words, READY, 1);
  Atomics.notify(words, READY);
  while (Atomics.load(words, GO) === 0) {
    record.fill(random.below(256));
    const what = random.below(20);
    if (what < 12) vector.set(random.below(4), record);
    else if (what < 15) vector.push(record);
    else if (what < 17 && vector.length > 8) vector.pop();
    else if (what < 18 && vector.length < 60) vector.insert(random.below(4), record);
    else if (what < 19 && vector.length > 8) vector.remove(random.below(4));
    else vector.shrink();
  }
}

/** Deletes the vectors of each message, and says how many; the end is one with none. */
function deleteAll({ heap }: Life): void {
  parentPort?.on('message', (handles: VectorHandle[]) => {
    for (const handle of handles) heap.vectors.attach(handle).delete();
    if (handles.length === 0) parentPort?.close();
    else parentPort?.postMessage(handles.length);
  });
}

const acts = {
  push,
  'push-and-pop': pushAndPop,
  churn,
  records,
  'delete-all': deleteAll,
};

// The tests import the names of this module too.
const { heap, task } = (workerData ?? {}) as { heap?: HeapHandle; task?: VectorTask };
if (heap !== undefined && task !== undefined)
  acts[task.act]({ heap: SharedHeap.attach(heap), task });
