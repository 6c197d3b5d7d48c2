/**
 * Proves that the package works in test runners and bundles: a test file with two heaps (heaps.mjs)
 * runs under jest and under vitest in each of their pools, which evaluate test and package in
 * separate realms and more than once; and in bundles, whose single file has the package's frames
 * beside the program's.
 *
 * jest and vitest are 100 MB and 220 packages: this test installs them in a temporary folder, so
 * that `npm ci` does not have to.
 */

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TOOLS = ['jest@30.5.2', 'vitest@4.1.12', 'esbuild@0.28.2'];

const folder = mkdtempSync(join(tmpdir(), 'shmalloc-runners-'));

interface Ended {
  readonly code: number | string | null;
  readonly output: string;
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((done) => {
    const options = { cwd: folder, env: { ...process.env, ...env }, timeout: 240_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      done({
        code: error === null ? 0 : (error.code ?? error.signal ?? 1),
        output: stdout + stderr,
      });
    });
  });
}

const node = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  run(process.execPath, args, env);

/** A copy of the package, as `npm install` makes one. */
function installPackage(): string {
  const to = join(folder, 'node_modules', 'shmalloc');
  for (const part of ['package.json', 'dist/src'])
    cpSync(join(ROOT, part), join(to, part), { recursive: true });
  return pathToFileURL(join(to, 'dist/src/index.js')).href;
}

let packageUrl = '';

test.before(async (t) => {
  t.timeout(280_000);
  const files = {
    type: 'module',
    private: true,
    jest: { transform: {}, testMatch: ['**/*.test.mjs'] },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(files));
  const options = ['--no-audit', '--no-fund', '--prefer-offline', '--no-save'];
  const installed = await run('npm', ['install', ...options, ...TOOLS], {});
  t.is(installed.code, 0, installed.output);
  packageUrl = installPackage();
  mkdirSync(join(folder, 'tests'));
  // Two files: one process or one thread may run both.
  for (const name of ['one', 'two']) {
    cpSync(join(ROOT, 'test/runners/heaps.mjs'), join(folder, 'tests', `${name}.test.mjs`));
  }
});

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

async function assertPasses(
  t: ExecutionContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  t.timeout(280_000);
  const { code, output } = await node(args, { ...env, SHMALLOC_TEST_URL: packageUrl, CI: '1' });
  t.is(code, 0, output);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  const plain = output.replace(/\u001b\[[\d;]*m/g, '');
  t.regex(plain, /Tests\s*:?\s+18 passed/, output);
  t.notRegex(plain, /MaxListenersExceeded/);
}

for (const workers of [['--runInBand'], ['--maxWorkers=2']]) {
  test.serial(`jest ${workers}: two test files with two heaps each`, async (t) => {
    const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', ...workers];
    await assertPasses(t, args, {
      SHMALLOC_TEST_ANEW: '1',
      NODE_OPTIONS: '--experimental-vm-modules',
    });
  });
}

for (const pool of ['threads', 'forks', 'vmThreads', 'vmForks']) {
  for (const inline of [false, true]) {
    const how = inline ? 'inlined' : 'loaded by Node';
    test.serial(`vitest --pool=${pool}, the package ${how}: the same`, async (t) => {
      const config = join(folder, `vitest.${pool}.${inline}.config.mjs`);
      const options = {
        globals: true,
        pool,
        server: { deps: { inline: inline ? ['shmalloc'] : [] } },
      };
      writeFileSync(config, `export default { test: ${JSON.stringify(options)} };`);
      const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', config];
      await assertPasses(t, args, { SHMALLOC_TEST_ANEW: inline ? '1' : '0' });
    });
  }
}

const PROGRAM = `
import { SharedHeap, Vector } from 'shmalloc';
import { mem_heap, mem_malloc } from 'shmalloc/mem';
const heap = SharedHeap.create({ size: '16MiB', debug: { stacks: 2 } });
function leakA() { return heap.malloc_ts(100); }
function leakB() { return heap.malloc_ts(100); }
function leakC() { return mem_malloc(100); }
for (let n = 0; n < 10; n++) { leakA(); leakB(); leakC(); }
const sites = (of) => of.inspect.leaks().groups.map(({ stack }) => stack.split(' ')[0]).sort().join();
console.log(sites(heap), sites(mem_heap));
`;

for (const kind of ['--format=esm', '--format=cjs', '--format=esm --minify --keep-names']) {
  test.serial(
    `leaks: in a bundle of esbuild ${kind} leak sites are named by the program's frames`,
    async (t) => {
      writeFileSync(join(folder, 'leak.mjs'), PROGRAM);
      const bundle = join(folder, kind.includes('cjs') ? 'leak.out.cjs' : 'leak.out.mjs');
      const options = ['--bundle', '--platform=node', '--log-level=error', `--outfile=${bundle}`];
      const args = ['leak.mjs', ...options, ...kind.split(' ')];
      const bundled = await run('node_modules/.bin/esbuild', args, {});
      t.is(bundled.code, 0, bundled.output);
      const { code, output } = await node([bundle], { SHMALLOC_STACKS: '2' });
      t.is(code, 0, output);
      t.is(output, 'leakA,leakB leakC\n');
    },
  );
}
