/**
 * Proves that a program compiles against the types of `shmalloc/pool` under the strictest options:
 * piscina's own types do not, and are not part of them.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const PROGRAM = `
import { SHARE_ENV } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import { HeapPool, type HeapPoolOptions, type PoolLoadBalancer, type PoolTaskQueue } from 'shmalloc/pool';

const loadBalancer: PoolLoadBalancer = (task, workers) => (task.isAbortable ? null : (workers[0] ?? null));
class Queue implements PoolTaskQueue {
  readonly tasks: object[] = [];
  get size(): number { return this.tasks.length; }
  shift(): object | null { return this.tasks.shift() ?? null; }
  push(task: object): void { this.tasks.push(task); }
  remove(task: object): void { this.tasks.splice(this.tasks.indexOf(task), 1); }
}
const threads: number | undefined = Math.random() < 2 ? 1 : undefined;
const options: HeapPoolOptions = {
  filename: new URL('file:///worker.js'), threads, env: SHARE_ENV, argv: ['a'], maxQueue: 'auto',
  resourceLimits: { maxOldGenerationSizeMb: 50 }, taskQueue: new Queue(), loadBalancer,
};
const pool = new HeapPool(SharedHeap.create({ size: '2MiB' }), options);
const result: number = await pool.run<number>({ a: 1 }, { signal: new AbortController().signal });
const mean: number | null = pool.stats().meanRunMs;
console.log(result, mean);
// @ts-expect-error no such option
new HeapPool(pool.heap, { filename: 'x.js', threds: 2 });
`;

test('shmalloc/pool: its types contain no type of piscina', (t) => {
  const folder = join(ROOT, 'dist/src/pool');
  const files = readdirSync(folder).filter((name) => name.endsWith('.d.ts'));
  t.true(files.length > 3);
  for (const name of files) {
    t.notRegex(
      readFileSync(join(folder, name), 'utf8'),
      /from ['"]piscina|import\(['"]piscina/,
      name,
    );
  }
});

test('shmalloc/pool: compiles with exactOptionalPropertyTypes and skipLibCheck: false', (t) => {
  // Inside of the project, so that its packages are found; git ignores this name.
  const folder = mkdtempSync(join(ROOT, 'dist/types-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'program.mts'), PROGRAM);
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'] },
    ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true },
    ...{ noUncheckedIndexedAccess: true, types: ['node'] },
  };
  const config = { compilerOptions, files: ['program.mts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const compiler = join(ROOT, 'node_modules/.bin/tsc');
  try {
    execFileSync(compiler, ['-p', folder], { encoding: 'utf8' });
    t.pass();
  } catch (error) {
    t.fail((error as { stdout: string }).stdout);
  }
});
