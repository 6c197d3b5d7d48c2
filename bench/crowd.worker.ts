/** Worker of bench/crowd-run.ts: one of many threads in one heap. */

import { workerData } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import {
  ATTACHED,
  CALLS,
  type CrowdJob,
  type CrowdRole,
  clockMs,
  END,
  EVICTED_BYTES,
  FAILED,
  FAILED_MS,
  FIGURES,
  GO,
  INSIDE,
  KILLS,
  ORDER,
  SEEN_KILL,
  SEEN_MS,
  WAIT,
} from './crowd-board.js';
import { seedFrom, xorshift } from './workloads/random.js';

/**
 * Mean size of large blocks, from half to one and a half times as many bytes: each call takes the
 * page lock.
 */
const TRADED_BYTES = 60_000;
/** Number of blocks that a thread trades. */
const TRADED = 5;

const { role, heap: handle, orders, figures, index, startWord } = workerData as CrowdJob;
const heap = SharedHeap.attach(handle);
const own = figures.subarray(index * FIGURES, (index + 1) * FIGURES);
const blocks: number[] = [];
const next = xorshift(seedFrom(index, 0));
/** A number from 0 up to 1, the same sequence in each run. */
const random = (): number => next() / 2 ** 32;

const add = (figure: number, value: number): void => {
  own[figure] = (own[figure] as number) + value;
};

function allocate(bytes: number): void {
  const started = clockMs();
  const address = heap.malloc_ts(bytes);
  const ended = clockMs();
  add(CALLS, 1);
  const kills = Atomics.load(orders, KILLS);
  if (own[SEEN_KILL] !== kills) {
    own[SEEN_MS] = ended;
    own[SEEN_KILL] = kills;
  }
  if (address !== 0) {
    blocks.push(address);
  } else {
    add(FAILED, 1);
    add(FAILED_MS, ended - started);
    freeOne();
  }
}

function freeOne(): void {
  const [address] = blocks.splice(Math.floor(random() * blocks.length), 1);
  if (address !== undefined) heap.free_ts(address);
}

const ROUNDS: Record<CrowdRole, () => void> = {
  idle() {
    Atomics.wait(orders, ORDER, GO);
  },
  trade() {
    if (blocks.length >= TRADED) freeOne();
    allocate(Math.floor(TRADED_BYTES * (0.5 + random())));
  },
  evict() {
    allocate(EVICTED_BYTES);
  },
  // The victim holds the locks of a class and of the pages nearly all the time.
  victim() {
    own[INSIDE] = 1;
    heap.verify();
    own[INSIDE] = 0;
  },
};

Atomics.add(orders, ATTACHED, 1);
Atomics.wait(orders, startWord, WAIT);
const round = ROUNDS[role];
while (Atomics.load(orders, ORDER) !== END) round();
