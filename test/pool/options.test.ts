/**
 * Proves that each option of piscina has its meaning in a HeapPool, or is refused; and that a wrong
 * value or an unknown option is refused with a code. The list is read from piscina itself: a new
 * option of piscina fails this test.
 */

import { closeSync, existsSync, fstatSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import anyOrder, { type ExecutionContext } from 'ava';
import { FixedQueue, Piscina } from 'piscina';
import { SharedHeap } from 'shmalloc';
import {
  HeapPool,
  type HeapPoolOptions,
  type PoolTask,
  type PoolTaskQueue,
  type PoolWorker,
} from 'shmalloc/pool';
import type { Settings, Task } from './settings.worker.js';

const test = anyOrder.serial;
const filename = new URL('./settings.worker.js', import.meta.url);
const heap = SharedHeap.create({ size: '8MiB' });

/** A pool of one worker, unless the options say otherwise. */
function open(t: ExecutionContext, options: Partial<HeapPoolOptions>): HeapPool {
  const isSized = options.minThreads !== undefined || options.maxThreads !== undefined;
  const pool = new HeapPool(heap, { filename, ...(!isSized && { threads: 1 }), ...options });
  t.teardown(() => pool.destroy());
  return pool;
}

const run = (pool: HeapPool, task: Task = {}) => pool.run<Settings & { order: string[] }>(task);

/** The word that workers wait for. */
const closed = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(4));
function release(word: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
}

/** A queue that returns the last task first; remembers the queue options of tasks. */
class Stack implements PoolTaskQueue {
  readonly tasks: object[] = [];
  readonly said: unknown[] = [];
  get size(): number {
    return this.tasks.length;
  }
  shift(): object | null {
    return this.tasks.pop() ?? null;
  }
  push(task: object): void {
    this.tasks.push(task);
    this.said.push((task as Record<symbol, unknown>)[Piscina.queueOptionsSymbol]);
  }
  remove(task: object): void {
    this.tasks.splice(this.tasks.indexOf(task), 1);
  }
}

type Check = (t: ExecutionContext) => Promise<unknown>;
interface Row {
  /** Checks its effect; if missing, the option is refused whatever its value. */
  readonly does?: Check;
  readonly wrong: readonly unknown[];
}

const NOT_WHOLE = ['2', 1.5, -1, Number.NaN, null, true, 2n];
const NO_FLAG = [1, 'true', null];

const ROWS: Record<string, Row> = {
  filename: {
    does: async (t) => t.is((await run(open(t, { filename: String(filename) }))).colour, undefined),
    wrong: [undefined, null, 5, '', {}],
  },
  name: {
    does: async (t) => t.is(await open(t, { name: 'named' }).run(), 'the other export'),
    wrong: [5, null],
  },
  minThreads: {
    does: async (t) => t.is(open(t, { minThreads: 2, maxThreads: 3 }).stats().threads, 2),
    wrong: [...NOT_WHOLE, 0],
  },
  maxThreads: {
    does: async (t) => {
      const pool = open(t, { minThreads: 1, maxThreads: 2, idleTimeout: 60_000 });
      const word = closed();
      const both = [run(pool, { until: word }), run(pool, { until: word })];
      t.is(pool.stats().threads, 2);
      release(word);
      const [one, other] = await Promise.all(both);
      t.not(one?.threadId, other?.threadId);
    },
    wrong: [...NOT_WHOLE, 0],
  },
  idleTimeout: {
    does: async (t) => {
      const pool = open(t, { minThreads: 1, maxThreads: 2, idleTimeout: 1 });
      const word = closed();
      const both = [run(pool, { until: word }), run(pool, { until: word })];
      t.is(pool.stats().threads, 2);
      release(word);
      await Promise.all(both);
      while (pool.stats().threads > 1) await turn();
      t.is((await run(pool)).argv.length, 0);
    },
    wrong: [-1, '5', Number.NaN, null],
  },
  maxQueue: {
    does: async (t) => {
      const pool = open(t, { maxQueue: 1 });
      await run(pool);
      const word = closed();
      const [running, waiting] = [run(pool, { until: word }), run(pool)];
      await t.throwsAsync(run(pool), { code: 'ERR_SHMALLOC_POOL_FULL' });
      release(word);
      await Promise.all([running, waiting]);
      t.is((await run(open(t, { maxQueue: 'auto' }))).argv.length, 0);
      t.is((await run(open(t, { maxQueue: Number.POSITIVE_INFINITY }))).argv.length, 0);
    },
    wrong: ['2', 1.5, -1, 'many', null],
  },
  concurrentTasksPerWorker: {
    does: async (t) => {
      const pool = open(t, { concurrentTasksPerWorker: 2 });
      const both = await Promise.all([run(pool, { together: 2 }), run(pool, { together: 2 })]);
      t.is(both[0].threadId, both[1].threadId);
    },
    wrong: [...NOT_WHOLE, 0],
  },
  atomics: {
    does: async (t) => {
      for (const atomics of ['sync', 'async', 'disabled'] as const) {
        const pool = open(t, { atomics });
        for (let n = 0; n < 3; n++) t.is((await run(pool)).argv.length, 0);
      }
    },
    wrong: ['on', true, null],
  },
  resourceLimits: {
    does: async (t) => {
      const pool = open(t, { resourceLimits: { maxOldGenerationSizeMb: 50 } });
      t.is((await run(pool)).limitMb, 50);
    },
    wrong: [5, null, '50'],
  },
  argv: {
    does: async (t) => t.deepEqual((await run(open(t, { argv: ['a', 'b'] }))).argv, ['a', 'b']),
    wrong: ['a', [5], null],
  },
  execArgv: {
    does: async (t) => {
      const pool = open(t, { execArgv: ['--no-deprecation'] });
      t.deepEqual((await run(pool)).execArgv, ['--no-deprecation']);
    },
    wrong: ['--no-deprecation', [5], null],
  },
  env: {
    does: async (t) => {
      t.is((await run(open(t, { env: { SHMALLOC_POOL_TEST: 'x' } }))).variable, 'x');
    },
    wrong: ['x', 5, null],
  },
  workerData: {
    does: async (t) =>
      t.is((await run(open(t, { workerData: { colour: 'blue' } }))).colour, 'blue'),
    wrong: [5, null, [1], new Map()],
  },
  taskQueue: {
    does: async (t) => {
      const taskQueue = new Stack();
      const pool = open(t, { taskQueue });
      await run(pool);
      const word = closed();
      const tasks = [
        run(pool, { until: word }),
        ...['a', 'b', 'c'].map((label) => {
          const task: Task = { label };
          Object.defineProperty(task, Piscina.queueOptionsSymbol, { value: { for: label } });
          return run(pool, task);
        }),
      ];
      t.deepEqual(taskQueue.said, [{ for: 'a' }, { for: 'b' }, { for: 'c' }]);
      release(word);
      await Promise.all(tasks);
      t.deepEqual((await run(pool)).order, ['c', 'b', 'a']);
      t.is((await run(open(t, { taskQueue: new FixedQueue() }))).argv.length, 0);
    },
    wrong: [5, null, {}, [], { push() {}, shift() {}, remove() {} }],
  },
  niceIncrement: {
    does: async (t) => {
      const usual = getPriority();
      const { priority } = await run(open(t, { niceIncrement: 3 }));
      // The nice value of the thread, if the package for it is installed.
      const isThere = existsSync(new URL('../../../node_modules/@napi-rs/nice', import.meta.url));
      const isLinux = process.platform === 'linux';
      if (isLinux) t.is(priority, isThere ? Math.min(19, usual + 3) : usual);
      else t.pass();
    },
    wrong: ['1', 1.5, null, ...(process.platform === 'win32' ? [] : [-1])],
  },
  trackUnmanagedFds: {
    does: async (t) => {
      for (const trackUnmanagedFds of [true, false]) {
        const pool = open(t, { trackUnmanagedFds });
        const { fd } = await run(pool);
        t.true(fstatSync(fd).isFile());
        await pool.destroy();
        if (trackUnmanagedFds) t.throws(() => fstatSync(fd), { code: 'EBADF' });
        else closeSync(fd);
      }
    },
    wrong: NO_FLAG,
  },
  closeTimeout: { wrong: [1000] },
  recordTiming: {
    does: async (t) => {
      const untimed = open(t, { recordTiming: false });
      await run(untimed);
      t.like(untimed.stats(), { completed: 1, meanRunMs: null, utilization: null });
      const timed = open(t, { recordTiming: true });
      t.like(timed.stats(), { meanRunMs: 0, utilization: 0 });
      await run(timed);
      t.true((timed.stats().meanRunMs ?? 0) > 0);
    },
    wrong: NO_FLAG,
  },
  stricterFIFO: {
    does: async (t) => {
      const pool = open(t, { stricterFIFO: true });
      await run(pool);
      const word = closed();
      const first = run(pool, { until: word });
      const others = ['a', 'b', 'c'].map((label) => run(pool, { label }));
      release(word);
      await Promise.all([first, ...others]);
      t.deepEqual((await run(pool)).order, ['a', 'b', 'c']);
    },
    wrong: NO_FLAG,
  },
  loadBalancer: {
    does: async (t) => {
      const seen: PoolTask[] = [];
      const loadBalancer = (task: PoolTask, workers: PoolWorker[]): PoolWorker | null => {
        seen.push(task);
        return workers.find((worker) => worker.currentUsage === 0) ?? null;
      };
      const pool = open(t, { loadBalancer });
      const { signal } = new AbortController();
      t.is(await pool.run(undefined, { name: 'named', signal }), 'the other export');
      t.like(seen[0], { filename: filename.pathname, name: 'named', isAbortable: true });
      t.is(typeof seen[0]?.taskId, 'number');
    },
    wrong: [5, {}, null],
  },
  workerHistogram: {
    does: async (t) => {
      const seen: (PoolWorker['histogram'] | undefined)[] = [];
      const loadBalancer = (_: PoolTask, [worker]: PoolWorker[]): PoolWorker | null => {
        seen.push(worker?.histogram);
        return worker ?? null;
      };
      await run(open(t, { workerHistogram: true, loadBalancer }));
      await run(open(t, { workerHistogram: false, loadBalancer }));
      t.is(typeof seen[0]?.mean, 'number');
      t.is(seen[1], null);
    },
    wrong: NO_FLAG,
  },
};

/** The names of the options, from piscina's own types. */
function piscinaOptions(): string[] {
  const types = new URL('../../../node_modules/piscina/dist/index.d.ts', import.meta.url);
  const [, body = ''] = /interface Options \{([^}]*)\}/.exec(readFileSync(types, 'utf8')) ?? [];
  return [...body.matchAll(/^\s*(\w+)\??:/gm)].map(([, name]) => name as string);
}

test('HeapPool: the table has a row for every option of piscina, and no other', (t) => {
  t.deepEqual(Object.keys(ROWS).sort(), piscinaOptions().sort());
  t.true(piscinaOptions().length >= 21);
});

for (const [name, { does, wrong }] of Object.entries(ROWS)) {
  const what = does === undefined ? 'is refused' : 'has its effect';
  test(`HeapPool: the option ${name} ${what}, and wrong values are refused`, async (t) => {
    for (const value of wrong) {
      const options = { filename, [name]: value } as HeapPoolOptions;
      const error = t.throws(() => new HeapPool(heap, options), {
        code: 'ERR_SHMALLOC_INVALID_OPTION',
        message: new RegExp(`^HeapPool: .*${name}`),
      });
      t.true(error instanceof TypeError || error instanceof RangeError);
    }
    await does?.(t);
  });
}

test('HeapPool: unknown options and contradictory options are refused', (t) => {
  for (const [options, message] of [
    [{ threds: 2 }, /'threds'/],
    [{ stdout: true }, /'stdout'/],
    [{ useAtomics: true }, /atomics now/],
    [{ threads: 2, minThreads: 1 }, /threads, or minThreads and maxThreads/],
    [{ minThreads: 3, maxThreads: 2 }, /minThreads must not be more than maxThreads, got 3 and 2/],
    [{ threads: 0 }, /threads must be a whole number of workers/],
  ] as const) {
    const all = { filename, ...options } as HeapPoolOptions;
    t.throws(() => new HeapPool(heap, all), { code: 'ERR_SHMALLOC_INVALID_OPTION', message });
  }
});

test('HeapPool.run: unknown options and wrong values reject', async (t) => {
  const pool = open(t, {});
  for (const [options, message] of [
    [{ sginal: 5 }, /'sginal'/],
    [{ signal: 5 }, /signal must be an AbortSignal, got 5/],
    [{ filename: 5 }, /filename must be/],
    [{ name: 5 }, /name must be a text/],
    [{ transferList: {} }, /transferList must be an array/],
    [null, /options are an object/],
    ['x', /options are an object/],
  ] as const) {
    const refused = pool.run({}, options as never);
    await t.throwsAsync(refused, { code: 'ERR_SHMALLOC_INVALID_OPTION', message });
  }
  t.is(await pool.run({}, { name: 'named', filename }), 'the other export');
  const moved = new ArrayBuffer(8);
  await pool.run({ moved }, { transferList: [moved] });
  t.is(moved.byteLength, 0);
  const other = new ArrayBuffer(8);
  await pool.run(Piscina.move(other));
  t.is(other.byteLength, 0);
  t.is(threadId, 0);
});
