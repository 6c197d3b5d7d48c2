/**
 * Proves that the default heap reaches threads with no wiring, that a private one is warned of, and
 * that the main entry needs no dependency. Each in a process of its own: a default heap is for good.
 */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Finished, ROOT, run, runScript } from '../workers.js';

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

test('shmalloc, shmalloc/mem: load with no dependency installed; shmalloc/pool needs piscina', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-lean-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const root = fileURLToPath(ROOT);
  mkdirSync(join(folder, 'dist'));
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  cpSync(join(root, 'dist/src'), join(folder, 'dist/src'), { recursive: true });
  const load = (program: string) =>
    run(process.execPath, ['--input-type=module', '-e', program], { cwd: folder });
  const heap = await load(
    "import { SharedHeap } from 'shmalloc'; console.log(SharedHeap.create().malloc_ts(9) > 0)",
  );
  t.deepEqual(heap, { code: 0, stdout: 'true\n', stderr: '' });
  const mem = await load(
    "import { mem_malloc_ts } from 'shmalloc/mem'; console.log(mem_malloc_ts(9) > 0)",
  );
  t.deepEqual(mem, { code: 0, stdout: 'true\n', stderr: '' });
  const pool = await load("import 'shmalloc/pool'");
  t.not(pool.code, 0);
  t.regex(pool.stderr, /ERR_MODULE_NOT_FOUND/);
  t.regex(pool.stderr, /piscina/);
});
