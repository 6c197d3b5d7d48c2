/**
 * Proves that the npm package works where programs are built with it: the packed tarball in an empty
 * project, by import, by require() and under TypeScript, and in the bundles of esbuild, vite, rolldown and
 * webpack, set up as docs/bundlers.md says.
 *
 * The tools come from the registry: see runners.test.ts.
 */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { packInto } from '../package.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TOOLS = [
  'esbuild@0.28.2',
  'rolldown@1.3.3',
  'vite@8.4.0',
  'webpack@5.113.0',
  'webpack-cli@7.3.1',
  'typescript@5.9.3',
  'typescript7@npm:typescript@7.0.2',
  '@types/node@20',
];

const folder = mkdtempSync(join(tmpdir(), 'shmalloc-bundlers-'));
const packing = mkdtempSync(join(tmpdir(), 'shmalloc-packed-'));

interface Ended {
  readonly code: number | string | null;
  readonly output: string;
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return new Promise((done) => {
    const options = { cwd: folder, env: { ...process.env, ...env }, timeout: 240_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal ?? 1);
      done({ code, output: stdout + stderr });
    });
  });
}

async function succeed(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<string> {
  const { code, output } = await run(command, args, env);
  t.is(code, 0, output);
  return output;
}

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

/** Ends with an error where a bundle or an import has not all of the package. */
const PROGRAM = `
import { SharedHeap } from 'shmalloc';
import { mem_heap, mem_malloc } from 'shmalloc/mem';
import { HeapPool } from 'shmalloc/pool';
const heap = SharedHeap.create({ size: '16MiB', debug: { stacks: 2 } });
function leakA() { return heap.malloc_ts(100); }
function leakB() { return heap.malloc_ts(100); }
function leakC() { return mem_malloc(100); }
for (let n = 0; n < 10; n++) { leakA(); leakB(); leakC(); }
const lines = (of) => of.inspect.leaks().groups.map(({ stack }) => stack.split('\\n')[0]);
const sites = (of) => lines(of).map((line) => line.split(' ')[0]).sort().join();
console.log(process.env.MINIFIED ? new Set(lines(heap)).size : sites(heap) + ' ' + sites(mem_heap));
const pool = new HeapPool(heap, { filename: process.env.TASK, threads: 1 });
pool.run(20).then(async (found) => { console.log(found); await pool[Symbol.asyncDispose](); });
`;
const TASK = 'export default (n) => n + 1;\n';
const EXPECTED = 'leakA,leakB leakC\n21\n';

test.before(async (t) => {
  t.timeout(280_000);
  write('package.json', JSON.stringify({ type: 'module', private: true }));
  const tarball = join(packing, packInto(packing).filename);
  const options = ['--no-audit', '--no-fund', '--prefer-offline', '--no-save'];
  await succeed(t, 'npm', ['install', ...options, tarball, ...TOOLS]);
  write('program.mjs', PROGRAM);
  write('task.mjs', TASK);
});

test.after.always(() => {
  for (const path of [folder, packing]) rmSync(path, { recursive: true, force: true });
});

async function assertRuns(t: ExecutionContext, file: string, isMinified = false): Promise<void> {
  const env = { TASK: join(folder, 'task.mjs'), SHMALLOC_STACKS: '2' };
  const minified = isMinified ? { MINIFIED: '1' } : {};
  const output = await succeed(t, process.execPath, [file], { ...env, ...minified });
  t.is(output, isMinified ? '2\n21\n' : EXPECTED);
}

// ---- installed

test.serial('package: import', async (t) => {
  await assertRuns(t, 'program.mjs');
});

test.serial('package: require()', async (t) => {
  write('program.cjs', PROGRAM.replace(/import (\{.*\}) from ('.*');/g, 'const $1 = require($2);'));
  await assertRuns(t, 'program.cjs');
});

/** The examples of README, by the name of the file that the first line of each gives. */
function examplesOfReadme(): Map<string, string> {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const found = [...text.matchAll(/```js\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  return new Map(found.map(([, name = '', code = '']) => [name, code]));
}

/** The same program as a CommonJS module. */
function withRequire(code: string): string {
  const text = code
    .replace(/import (\{.*\}) from ('.*');/g, 'const $1 = require($2);')
    .replace('import.meta.url', "require('node:url').pathToFileURL(__filename)")
    .replace('export default function', 'module.exports = function');
  return /\bawait\b/.test(text) ? `(async () => {\n${text}\n})();\n` : text;
}

/** Writes the examples into a folder of their own; returns their paths. */
function writeExamples(type: 'module' | 'commonjs'): string[] {
  const examples = examplesOfReadme();
  mkdirSync(join(folder, type), { recursive: true });
  write(`${type}/package.json`, JSON.stringify({ type, private: true }));
  return [...examples].map(([name, code]) => {
    write(`${type}/${name}`, type === 'module' ? code : withRequire(code));
    return `${type}/${name}`;
  });
}

for (const type of ['module', 'commonjs'] as const) {
  test.serial(`package: examples of README print what they say, type ${type}`, async (t) => {
    const printed: Record<string, string> = {};
    for (const path of writeExamples(type))
      printed[path] = await succeed(t, process.execPath, [path]);
    // worker.js is the task of main.js, and prints nothing by itself.
    const expected = { 'main.js': '7000 42\n', 'worker.js': '', 'request.js': '0\n' };
    t.deepEqual(
      printed,
      Object.fromEntries(Object.entries(expected).map(([name, text]) => [`${type}/${name}`, text])),
    );
  });
}

for (const compiler of ['typescript', 'typescript7']) {
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    test.serial(
      `package: ${compiler} checks all of it, module resolution ${moduleResolution}`,
      async (t) => {
        const text = `
        import { SharedHeap, type HeapStats } from 'shmalloc';
        import { mem_malloc } from 'shmalloc/mem';
        import { renderText } from 'shmalloc/pictures';
        import { HeapPool } from 'shmalloc/pool';
        const heap: SharedHeap = SharedHeap.create({ size: '1MiB' });
        const stats: HeapStats = heap.stats();
        // @ts-expect-error a size is a number
        mem_malloc('100');
        console.log(stats, renderText(heap.inspect.map()), new HeapPool(heap, { filename: 'task.mjs' }));`;
        write('types.mts', text);
        const compilerOptions = {
          module,
          moduleResolution,
          strict: true,
          skipLibCheck: false,
          noEmit: true,
          target: 'es2022',
          lib: ['es2023', 'esnext.disposable'],
          types: ['node'],
        };
        const check = async (files: readonly string[], more: object): Promise<void> => {
          const options = { ...compilerOptions, ...more };
          write('tsconfig.json', JSON.stringify({ compilerOptions: options, files }));
          await succeed(t, process.execPath, [`node_modules/${compiler}/bin/tsc`, '-p', '.']);
        };
        await check(['types.mts'], {});
        // They are JavaScript, which has no types of parameters.
        await check(writeExamples('module'), { checkJs: true, noImplicitAny: false });
      },
    );
  }
}

// ---- bundled

const bin = (name: string): string => join(folder, 'node_modules/.bin', name);
/** It starts a file of its own in each worker. */
const EXTERNAL = ['piscina'];

for (const format of ['esm', 'cjs']) {
  for (const minify of [false, true]) {
    test.serial(`esbuild: format ${format}, minify ${minify}`, async (t) => {
      const file = `esbuild.${minify}.${format === 'esm' ? 'mjs' : 'cjs'}`;
      const options = ['--bundle', '--platform=node', `--format=${format}`, `--outfile=${file}`];
      const external = EXTERNAL.map((name) => `--external:${name}`);
      const args = ['program.mjs', ...options, ...external, ...(minify ? ['--minify'] : [])];
      await succeed(t, bin('esbuild'), [...args, '--log-level=error']);
      await assertRuns(t, file, minify);
    });
  }
}

for (const minify of [false, true]) {
  test.serial(`rolldown: minify ${minify}`, async (t) => {
    const file = `rolldown.${minify}.mjs`;
    const options = ['--platform', 'node', '--format', 'esm', '--file', file];
    const external = EXTERNAL.flatMap((name) => ['--external', name]);
    await succeed(t, bin('rolldown'), [
      'program.mjs',
      ...options,
      ...external,
      ...(minify ? ['--minify'] : []),
    ]);
    await assertRuns(t, file, minify);
  });
}

for (const minify of [false, true]) {
  test.serial(
    `vite: a build for the server that has the package in it, minify ${minify}`,
    async (t) => {
      const outDir = `vite.${minify}`;
      const config = {
        build: { ssr: 'program.mjs', outDir, minify, target: 'node20' },
        ssr: { noExternal: true, external: EXTERNAL },
        logLevel: 'error',
      };
      write('vite.config.mjs', `export default ${JSON.stringify(config)};`);
      await succeed(t, bin('vite'), ['build']);
      await assertRuns(t, `${outDir}/program.js`, minify);
    },
  );
}

for (const mode of ['development', 'production']) {
  test.serial(`webpack: mode ${mode}`, async (t) => {
    mkdirSync(join(folder, `webpack.${mode}`));
    const config = `export default {
      mode: '${mode}', target: 'node', entry: './program.mjs',
      experiments: { outputModule: true },
      externals: ${JSON.stringify(Object.fromEntries(EXTERNAL.map((name) => [name, name])))},
      externalsType: 'module',
      output: { path: import.meta.dirname + '/webpack.${mode}', filename: 'out.mjs', module: true },
    };`;
    write('webpack.config.mjs', config);
    await succeed(t, bin('webpack'), []);
    await assertRuns(t, `webpack.${mode}/out.mjs`, mode === 'production');
  });
}
