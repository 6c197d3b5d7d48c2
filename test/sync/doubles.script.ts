/**
 * Process of the test with replaced globals: it replaces clocks, timers, random, Error and Atomics,
 * as test libraries and programs do, and waits for a dead worker's lock.
 */

import { Worker } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import * as LockTable from '../../src/layout/lock-table.js';
import { numberedWord } from '../../src/sync/index.js';
import { lockWordOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';

const heap = SharedHeap.create({
  size: '16MiB',
  threads: 4,
  debug: { history: 64, stacks: 8, guard: 16 },
});
const worker = new Worker(new URL('../api/guest.worker.js', import.meta.url), {
  workerData: { handle: heap.handle, blocks: 4, end: 'stay' },
});
const word = numberedWord(worker.threadId);
await nextMessage(worker);
const end = ended(worker);
await worker.terminate();
await end;

/** Allocates at one place, so that all stacks have the same text. */
function allocate(bytes: number): number {
  return heap.malloc_ts(bytes);
}
function allocateTwice(poison: () => void): void {
  for (let n = 0; n < 2; n++) {
    if (n === 1) poison();
    allocate(100);
  }
}

const started = Date.now();
const fail = (): never => {
  throw new Error('a double');
};
const { stackTraceLimit } = Error;
allocateTwice(() => {
  heap.i32[lockWordOf(heap, LockTable.PAGE)] = word;
  performance.now = () => 1000;
  Date.now = () => 0;
  globalThis.Date = fail as unknown as DateConstructor;
  for (const name of Object.getOwnPropertyNames(Atomics)) {
    if (typeof (Atomics as never)[name] === 'function') {
      Object.defineProperty(Atomics, name, { value: fail });
    }
  }
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] as const) {
    globalThis[name] = fail as never;
  }
  Math.random = () => 0;
  Error.stackTraceLimit = 0;
  Error.prepareStackTrace = () => 'a double';
});
heap.free_ts(heap.malloc_ts(300_000));
const { locks, recovery } = heap.stats();
const { problems } = heap.verify({ quiet: true });
const mine = heap.inspect
  .history({ thread: 0 })
  .filter(({ requestedBytes }) => requestedBytes === 100);
const [first, second] = mine.map(({ stack }) => stack);
process.stdout.write(
  `${JSON.stringify({
    ownerDeaths: locks.ownerDeaths,
    recoveries: recovery.recoveries,
    problems,
    sameStack: first !== undefined && first === second,
    sameLimit: Error.stackTraceLimit === 0 && stackTraceLimit > 0,
    times: mine.every(({ time }) => time > started - 60_000 && time < started + 600_000),
  })}\n`,
);
process.exit();
