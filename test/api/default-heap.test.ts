/**
 * Proves that the default heap reaches threads with no wiring, and that a private one is warned of. Each in a
 * process of its own: a default heap is for good.
 */

import test, { type ExecutionContext } from 'ava';
import { type Finished, runScript } from '../workers.js';

const DEFAULT_HEAP = new URL('./default-heap.script.js', import.meta.url);
const MEM = new URL('./mem.script.js', import.meta.url);

function lastLine<T>(t: ExecutionContext, { code, stdout, stderr }: Finished): T {
  t.is(code, 0, stderr);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as T;
}

interface Found {
  readonly workers: { seen: number; same: boolean; warnings: string[] }[];
  readonly inUseBytes: number;
  readonly reservedBytes: number;
  readonly same: boolean;
}

test('SharedHeap.current: the default heap of main reaches workers, and workers of workers', async (t) => {
  const finished = await runScript(DEFAULT_HEAP, ['main-first']);
  const { workers, inUseBytes, reservedBytes, same } = lastLine<Found>(t, finished);
  t.deepEqual(workers, [
    { seen: 4713, same: true, warnings: [] },
    { seen: 4712, same: true, warnings: [] },
    { seen: 4711, same: true, warnings: [] },
  ]);
  t.is(inUseBytes, 0, 'they freed what their parents allocated');
  t.is(reservedBytes, 2 ** 30);
  t.true(same);
  t.is(finished.stderr, '');
});

test('SharedHeap.current: a worker that makes a default heap of its own warns', async (t) => {
  const finished = await runScript(DEFAULT_HEAP, ['worker-first']);
  const { workers, inUseBytes } = lastLine<Found>(t, finished);
  t.deepEqual(workers, [
    { seen: 0, same: true, warnings: ['SHMALLOC_PRIVATE_HEAP'] },
    { seen: 4711, same: true, warnings: [] },
  ]);
  t.is(inUseBytes, 0);
  t.is(finished.stderr.match(/\[SHMALLOC_PRIVATE_HEAP\]/g)?.length, 1, finished.stderr);
  t.regex(finished.stderr, /main thread/);
});

test("SharedHeap.current: in a pool's worker it is the pool's heap, not the default one", async (t) => {
  const found = lastLine<{ bytes: number; mainBytes: number }>(
    t,
    await runScript(DEFAULT_HEAP, ['pool']),
  );
  t.deepEqual(found, { bytes: 8 * 2 ** 20, mainBytes: 2 ** 30 });
});

test('shmalloc/mem: every function works, in main and in a worker with no wiring', async (t) => {
  const finished = await runScript(MEM);
  const { main, worker, inUseBytes, names } = lastLine<{
    main: Record<string, boolean>;
    worker: Record<string, boolean>;
    inUseBytes: number;
    names: string[];
  }>(t, finished);
  t.deepEqual(
    names.sort(),
    [
      'mem_malloc',
      'mem_free',
      'mem_calloc',
      'mem_realloc',
      'mem_malloc_ts',
      'mem_free_ts',
      'mem_calloc_ts',
      'mem_realloc_ts',
      'mem_get_stats',
      'mem_print_stats',
      'mem_reset',
      'show_alloc_mem',
      'show_alloc_mem_ex',
      'mem_heap',
    ].sort(),
  );
  t.is(Object.keys(main).length, 12);
  t.is(Object.keys(worker).length, 5);
  for (const [name, right] of Object.entries(main)) t.true(right, `main: ${name}`);
  for (const [name, right] of Object.entries(worker)) t.true(right, `worker: ${name}`);
  t.is(inUseBytes, 0);
  t.regex(finished.stdout, /^heap\n/, 'mem_print_stats prints the table');
  t.is(finished.stderr, '');
});
