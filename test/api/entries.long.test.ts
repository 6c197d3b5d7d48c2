/** Proves that the main entry and shmalloc/mem need no dependency: in a folder that has none installed. */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ROOT, run } from '../workers.js';

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
