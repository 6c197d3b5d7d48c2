/**
 * Proves that a heap survives its threads, in whatever way they end: other threads go on at once,
 * recovery takes back what the dead threads had, blocks that they handed over stay intact, and all
 * memory is accounted for.
 */

import { setTimeout } from 'node:timers/promises';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import { assertIdentity, findDamage, heldIn, Random, seedOf } from '../helpers.js';
import { countAttached, ended } from '../workers.js';
import {
  type End,
  type ExitTask,
  GO,
  HANDED,
  HANDED_COUNT,
  handedBytes,
  ORDER,
  PROGRESS,
  REST,
  RESTING,
  STATE,
  WORDS,
  WORK,
  WORKING,
} from './exit.worker.js';

const FILE = new URL('./exit.worker.js', import.meta.url);
/**
 * Maximum milliseconds from a death until survivors go on and it is recovered; the machine may be
 * busy.
 */
const ON_MS_MAX = 3000;

const makeTask = (end: ExitTask['end'], seed: number): ExitTask => ({
  end,
  seed,
  words: new Int32Array(new SharedArrayBuffer(WORDS * 4)),
});

function start(heap: SharedHeap, alone: ExitTask, options: WorkerOptions = {}): Worker {
  const workerData = { handle: heap.handle, alone };
  return new Worker(FILE, { workerData, stdout: true, stderr: true, ...options });
}

/** Waits until a condition holds; returns false if that takes too long. */
async function until(isSo: () => boolean): Promise<boolean> {
  const end = performance.now() + ON_MS_MAX;
  while (!isSo() && performance.now() < end) await setTimeout(1);
  return isSo();
}

const isAt = ({ words }: ExitTask, state: number) => Atomics.load(words, STATE) === state;

function order({ words }: ExitTask, what: number): void {
  Atomics.store(words, ORDER, what);
  Atomics.notify(words, ORDER);
}

/** A thread that needs every lock all the time. */
interface Bystander {
  readonly task: ExitTask;
  readonly worker: Worker;
}

async function standBy(t: ExecutionContext, heap: SharedHeap): Promise<Bystander> {
  const task = makeTask('stand-by', 1);
  const worker = start(heap, task);
  t.teardown(() => worker.terminate());
  while (!isAt(task, WORKING)) await setTimeout(1);
  return { task, worker };
}

/** Checks that the bystander completes one more round from now on, and that main works, too. */
async function assertGoesOn(t: ExecutionContext, heap: SharedHeap, { task }: Bystander) {
  const before = Atomics.load(task.words, PROGRESS);
  // The bystander may be in the middle of a round: two more counts are one whole round.
  const moved = await until(() => Atomics.load(task.words, PROGRESS) >= before + 2);
  t.true(moved, `the other thread is stuck: ${heldIn(heap)}`);
  for (const size of [40, 5000, 90_000]) heap.free_ts(heap.malloc_ts(size));
}

/** Stops the bystander, and checks that the dead thread has left no trace. */
async function assertWhole(
  t: ExecutionContext,
  heap: SharedHeap,
  { task }: Bystander,
  handed: ExitTask,
): Promise<void> {
  order(task, REST);
  while (!isAt(task, RESTING)) await setTimeout(1);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  assertIdentity(t, heap);
  t.is(countAttached(heap.stats()), 2, 'no dead thread has a slot');
  t.is(heap.stats().cachedBytes, cachedByTheLiving(heap), 'no dead thread has cached blocks');
  assertHanded(t, heap, handed);
  order(task, WORK);
  while (!isAt(task, WORKING)) await setTimeout(1);
}

function cachedByTheLiving(heap: SharedHeap): number {
  const living = heap.stats().threads.filter(({ attached }) => attached);
  return living.reduce((sum, { cachedBytes }) => sum + cachedBytes, 0);
}

/**
 * Checks that blocks which the dead thread handed over are live and intact; frees them and the lost
 * ones.
 */
function assertHanded(t: ExecutionContext, heap: SharedHeap, { words }: ExitTask): void {
  for (let n = 0; n < HANDED_COUNT; n++) {
    const block = (words[HANDED + n] >>> 0) as Address;
    t.is(findDamage(heap, block, handedBytes(n), n), -1, `block ${n}`);
    heap.free_ts(block);
  }
  for (const { address } of heap.inspect.blocks()) heap.free_ts(address);
  t.is(heap.stats().inUseBytes, 0);
}

async function assertLeavesNothing(t: ExecutionContext, heap: SharedHeap, bystander: Bystander) {
  const exit = ended(bystander.worker);
  order(bystander.task, GO);
  t.is(await exit, 0);
  heap.recover();
  heap.detach();
  const last = SharedHeap.attach(heap.handle);
  const { spans, liveBlocks, cachedBlocks, ok } = last.verify({ quiet: true });
  t.deepEqual(
    { spans, liveBlocks, cachedBlocks, ok },
    {
      spans: 0,
      liveBlocks: 0,
      cachedBlocks: 0,
      ok: true,
    },
  );
  last.detach();
}

// ---- Workers started directly

const RESCUES: Record<string, (heap: SharedHeap, worker: Worker) => () => void> = {
  'watch()': (heap, worker) => {
    heap.watch(worker);
    return () => {};
  },
  'recover()': (heap) => () => heap.recover(),
};

interface Ending {
  readonly what: string;
  readonly end: End;
  readonly code: number;
  readonly options?: WorkerOptions;
}

const ENDINGS: Ending[] = [
  { what: 'a worker that returns', end: 'return', code: 0 },
  { what: 'a worker that returns and has lost its exit listeners', end: 'deaf', code: 0 },
  { what: 'process.exit() in a worker', end: 'exit', code: 7 },
  { what: 'an error that is not caught', end: 'throw', code: 1 },
  {
    what: 'a worker that runs out of memory',
    end: 'memory',
    code: 1,
    // Three times the memory of loading: it runs out while the worker works, not before.
    options: { resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 } },
  },
];

for (const { what, end, code, options } of ENDINGS) {
  for (const [rescue, prepare] of Object.entries(RESCUES)) {
    test.serial(
      `${what}: other threads go on, and ${rescue} takes back all that it had`,
      async (t) => {
        const heap = SharedHeap.create({ size: '24MiB', threads: 4 });
        const bystander = await standBy(t, heap);
        const task = makeTask(end, 1);
        const worker = start(heap, task, options);
        worker.on('error', () => {});
        const exit = new Promise<number>((resolve) => worker.once('exit', resolve));
        const recover = prepare(heap, worker);
        t.is(await exit, code);
        t.true(isAt(task, WORKING), 'the worker ended before it handed blocks over');
        await assertGoesOn(t, heap, bystander);
        recover();
        await assertWhole(t, heap, bystander, task);
        await assertLeavesNothing(t, heap, bystander);
      },
    );
  }
}

test.serial(
  'terminate(): in the middle of a loop of calls, at random moments, many times',
  async (t) => {
    const random = new Random(seedOf(t));
    const heap = SharedHeap.create({ size: '24MiB', threads: 4 });
    const bystander = await standBy(t, heap);
    for (let round = 0; round < 40; round++) {
      const task = makeTask('loop', random.word());
      const worker = start(heap, task);
      const recover = RESCUES[random.pick(['watch()', 'recover()'])]?.(heap, worker);
      while (!isAt(task, WORKING)) await setTimeout(1);
      await setTimeout(random.below(12));
      await worker.terminate();
      await assertGoesOn(t, heap, bystander);
      recover?.();
      await assertWhole(t, heap, bystander, task);
    }
    const { recovery, locks } = heap.stats();
    t.log(
      `${recovery.recoveries} slots, ${locks.ownerDeaths} locks, ${recovery.runsReturned} runs`,
    );
    t.is(recovery.recoveries, 40);
    await assertLeavesNothing(t, heap, bystander);
  },
);

// ---- Workers of a pool

async function inPool(
  t: ExecutionContext,
  end: End,
  rounds: number,
  run: (pool: HeapPool, task: ExitTask) => Promise<unknown>,
): Promise<void> {
  const random = new Random(seedOf(t));
  const heap = SharedHeap.create({ size: '24MiB', threads: 5 });
  const bystander = await standBy(t, heap);
  const resourceLimits = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 };
  const pool = new HeapPool(heap, { filename: FILE, threads: 1, resourceLimits });
  for (let round = 0; round < rounds; round++) {
    const task = makeTask(end, random.word());
    await run(pool, task);
    await assertGoesOn(t, heap, bystander);
    t.true(await until(() => countAttached(heap.stats()) === 2), 'the worker was recovered');
    await assertWhole(t, heap, bystander, task);
  }
  const last = makeTask('return', 0);
  await pool.run(last);
  await pool.destroy();
  await assertWhole(t, heap, bystander, last);
  await assertLeavesNothing(t, heap, bystander);
}

test.serial('HeapPool: aborted tasks, each in the middle of a loop of calls', async (t) => {
  const random = new Random(seedOf(t));
  await inPool(t, 'loop', 10, async (pool, task) => {
    const stop = new AbortController();
    const aborted = pool.run(task, { signal: stop.signal });
    while (!isAt(task, WORKING)) await setTimeout(1);
    await setTimeout(random.below(10));
    stop.abort();
    await t.throwsAsync(aborted, { name: 'AbortError' });
  });
});

test.serial('HeapPool: tasks that call process.exit()', async (t) => {
  await inPool(t, 'exit', 3, (pool, task) => t.throwsAsync(pool.run(task)));
});

test.serial('HeapPool: tasks that run out of memory', async (t) => {
  await inPool(t, 'memory', 2, (pool, task) => t.throwsAsync(pool.run(task), { any: true }));
});
