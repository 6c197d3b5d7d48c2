/**
 * Process of the test with test doubles of clocks and timers: traces a heap, and reports its leaks
 * at the end, while the doubles of a test library are in place. Prints the shape of the history.
 *
 * Arguments: the doubles (none, the mock timers of node:test, or those of a module that works like
 * sinon's), the trace's path, and that module.
 */

import { mock } from 'node:test';
import { SharedHeap } from 'shmalloc';

const [, , doubles = 'none', trace = '', library = ''] = process.argv;
const started = Date.now();

/** The doubles of sinon and jest: a class, an object and functions that stand still. */
function standStill(): void {
  const now = 1000;
  globalThis.Date = class extends Date {
    constructor() {
      super(now);
    }
    static override now = () => now;
  } as DateConstructor;
  performance.now = () => now;
  process.hrtime = Object.assign(() => [1, 0] as [number, number], { bigint: () => 1n });
  process.uptime = () => 1e9;
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] as const) {
    globalThis[name] = (() => 0) as never;
  }
  process.nextTick = () => {};
}

const debug = { trace, leaks: true, history: 100, guard: 16 };
if (doubles === 'node') mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
else if (doubles === 'still') standStill();
else if (doubles === 'library') (await import(library)).install();
const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug });
const blocks = Array.from({ length: 3000 }, (_, n) => heap.malloc_ts((n * 37) % 900));
for (const block of blocks.splice(0, 2000)) heap.free_ts(block);
const times = heap.inspect.history().map(({ time }) => time);
heap.detach();
const isSorted = times.every((time, n) => n === 0 || time >= (times[n - 1] as number));
const isNow = times.every((time) => time > started - 60_000 && time < started + 600_000);
process.stdout.write(`${JSON.stringify({ events: times.length, isSorted, isNow })}\n`);
process.exit();
