/**
 * Thread of the exit tests: hands over some blocks, caches others, and ends in one of many ways. Or
 * it is the bystander, which needs every lock all the time and counts its rounds. Started directly,
 * or as a task of a pool.
 */

import { workerData } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { fillPattern, Random } from '../helpers.js';

/** Ways to end a thread. */
export type End = 'return' | 'deaf' | 'exit' | 'throw' | 'memory' | 'loop';

export interface ExitTask {
  readonly end: End | 'stand-by';
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly seed: number;
}

/** Word of the thread's state. */
export const STATE = 0;
/** Word of the number of rounds that it has completed. */
export const PROGRESS = 1;
/** Word of the order that it has to follow. */
export const ORDER = 2;
/** First word of the blocks that it has handed over. */
export const HANDED = 4;
export const HANDED_COUNT = 24;
export const WORDS = HANDED + HANDED_COUNT;

/** Values of the state word. */
export const WORKING = 1;
export const RESTING = 2;
/** Values of the order word. */
export const WORK = 0;
export const REST = 1;
export const GO = 2;

/** Bytes of the n-th block that is handed over: the sizes are of every kind. */
export const handedBytes = (n: number): number => [24, 700, 5000, 90_000][n % 4] as number;

const ENDS: Record<ExitTask['end'], (heap: SharedHeap, task: ExitTask) => void> = {
  return() {},
  deaf() {
    process.removeAllListeners('exit');
  },
  exit() {
    process.exit(7);
  },
  throw() {
    throw new Error('on purpose');
  },
  memory(heap) {
    const kept: unknown[] = [];
    for (let n = 0; ; n++) {
      heap.free_ts(heap.malloc_ts(16 + (n % 90_000)));
      kept.push(Array.from({ length: 300 }, (_, i) => ({ n, i })));
    }
  },
  loop(heap, { seed }) {
    const random = new Random(seed);
    const kept: Address[] = [];
    for (;;) work(heap, random, kept);
  },
  'stand-by'(heap, { words, seed }) {
    const random = new Random(seed);
    for (;;) {
      const order = Atomics.load(words, ORDER);
      if (order === GO) return;
      if (order === REST) {
        say(words, RESTING);
        Atomics.wait(words, ORDER, REST);
        say(words, WORKING);
      }
      const kept: Address[] = [];
      for (let n = 0; n < 50; n++) work(heap, random, kept);
      for (const address of kept) heap.free_ts(address);
      Atomics.add(words, PROGRESS, 1);
    }
  },
};

/** Allocates a block of any kind, and frees older ones, so that caches become full and empty. */
function work(heap: SharedHeap, random: Random, kept: Address[]): void {
  if (kept.length >= 60 || (kept.length > 0 && random.below(3) === 0)) {
    const last = kept.pop() as Address;
    if (random.below(4) > 0) heap.free_ts(last);
    else kept.push(heap.realloc_ts(last, 16 + random.below(20_000)));
    return;
  }
  const size = random.pick([40, 40, 700, 5000, 30_000, 90_000, 200_000]);
  const block = random.below(5) === 0 ? heap.calloc_ts(1, size) : heap.malloc_ts(size);
  if (block !== 0) kept.push(block);
}

function say(words: Int32Array, state: number): void {
  Atomics.store(words, STATE, state);
  Atomics.notify(words, STATE);
}

function act(heap: SharedHeap, task: ExitTask): void {
  const { words, end } = task;
  if (end !== 'stand-by') {
    for (let n = 0; n < HANDED_COUNT; n++) {
      const bytes = handedBytes(n);
      const block = heap.malloc_ts(bytes);
      fillPattern(heap, block, bytes, n);
      words[HANDED + n] = block;
      heap.free_ts(heap.malloc_ts(bytes));
    }
  }
  say(words, WORKING);
  ENDS[end](heap, task);
}

export default function task(given: ExitTask): void {
  act(SharedHeap.current(), given);
}

const { handle, alone } = (workerData ?? {}) as { handle?: HeapHandle; alone?: ExitTask };
if (handle !== undefined && alone !== undefined) act(SharedHeap.attach(handle), alone);
