/**
 * Program of the tests of early ends, run in its own process: `node ends.script.js WHAT TIMES`.
 * Prints `done` if it reaches its end.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';

const [what, times] = [process.argv[2], Number(process.argv[3])];
const heap = SharedHeap.create({ size: '64MiB' });
const filename = new URL(
  what === 'commonjs' ? './doubler.worker.cjs' : './doubler.worker.js',
  import.meta.url,
);

/** The README's example: the first worker is done while others are still being loaded. */
async function example(n: number): Promise<void> {
  const pool = new HeapPool(heap, { filename, threads: n % 4 === 3 ? 4 : 2 });
  const list = heap.malloc_ts(4 * 1000);
  for (let i = 0; i < 1000; i++) heap.i32[(list >>> 2) + i] = i;
  const doubled = await pool.run<Address>({ list, length: 1000 });
  if (heap.i32[(doubled >>> 2) + 21] !== 42) throw new Error('not doubled');
  heap.free_ts(list);
  heap.free_ts(doubled);
  await pool.destroy();
}

/** Ends the pool at another moment of the workers' start each time. */
async function early(n: number): Promise<void> {
  const pool = new HeapPool(heap, { filename, threads: 2 });
  await sleep(n * 5);
  await pool.destroy();
}

async function aborted(n: number): Promise<void> {
  await using pool = new HeapPool(heap, { filename, threads: 2 });
  const stop = new AbortController();
  const task = pool.run({ list: 0, length: 0 }, { signal: stop.signal }).catch(() => {});
  await sleep(n * 5);
  stop.abort();
  await task;
  await pool.run({ list: 0, length: 0 });
}

async function nested(): Promise<void> {
  await using pool = new HeapPool(heap, { filename, threads: 1 });
  const inner = pool.run({ nested: true });
  await inner;
  const other = pool.run({ nested: true }).catch(() => {});
  await pool.destroy();
  await other;
}

const repeated = { example, commonjs: example, early, aborted, nested }[String(what)];
if (repeated !== undefined) {
  for (let n = 0; n < times; n++) await repeated(n);
  if (heap.stats().inUseBytes !== 0 || !heap.verify({ quiet: true }).ok)
    throw new Error('not whole');
  console.log('done');
} else {
  const pool = new HeapPool(heap, { filename, threads: 4 });
  const task = pool.run({ list: 0, length: 0 });
  if (what === 'exit-loading') process.exit(5);
  if (what === 'throw-loading') throw new RangeError('of the main thread');
  await task;
  if (what === 'exit') process.exit(5);
  throw new RangeError('of the main thread');
}
