/**
 * Puts bundles in the place of the package's entries, and leaves out declarations that it does not need:
 * `node bundle.js [folder, default dist]`, after `npm run build`. Another folder than dist gets a copy of the
 * declarations first. `npm pack` runs it; in a clone the entries stay single modules.
 *
 * By rolldown: it gives entries that share code a common chunk, and a constant of a module stays one, to
 * V8 a number in the code. esbuild makes variables of them, which are loaded at each use.
 */

import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'rolldown';

const [folder = 'dist'] = process.argv.slice(2);

const { name, dependencies } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'package.json'), 'utf8'),
);
const packages = [name, ...Object.keys(dependencies)];

const common = (input, external, output) => ({
  cwd: import.meta.dirname,
  input: Object.fromEntries(input.map((file) => [file.replace(/\.c?ts$/, ''), file])),
  platform: 'node',
  tsconfig: './tsconfig.json',
  // Packages and what stays a file of its own.
  external: [...packages, ...external],
  makeAbsoluteExternalsRelative: false,
  transform: { target: 'node20.19' },
  output: {
    dir: resolve(folder),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    sourcemap: true,
    sourcemapExcludeSources: true,
    comments: false,
    // Names and lines stay: Node prints the line that an uncaught error comes from, and the names of its stack.
    minify: false,
    ...output,
  },
});

const HEAP_FOLDERS = /[\\/]src[\\/](?!pool|cli)/;

await build([
  common(
    [
      'src/index.ts',
      'src/api/mem.ts',
      'src/pool/index.ts',
      'src/pool/load-task.ts',
      'src/cli/main.ts',
      'workers/replay-worker.ts',
    ],
    // A command of the repository only, and an entry of its own.
    ['./stress.js', '../render/index.js'],
    // The heap is one file: what a pool's file needs of it alone would be one more that each start loads.
    { codeSplitting: { groups: [{ name: 'heap', test: HEAP_FOLDERS, minShareCount: 2 }] } },
  ),
  // Apart: the little that it shares with the heap would become a file more that each start loads.
  common(['src/render/index.ts'], []),
  // Loaded when a worker starts, as a file of its own.
  common(['src/pool/worker-entry.cts'], ['./load-task.js'], {
    format: 'cjs',
    entryFileNames: '[name].cjs',
  }),
]);
chmodSync(join(folder, 'src/cli/main.js'), 0o755);

// Declarations that no entry leads to are left out, and comments of those that no program names.
const declarations = join(folder, 'src');
const built = join(import.meta.dirname, 'dist/src');
if (resolve(declarations) !== built)
  cpSync(built, declarations, { recursive: true, filter: (path) => !/\.c?js(\.map)?$/.test(path) });
const needed = new Set([join(declarations, 'pool/worker-entry.d.cts')]);
const visit = (file) => {
  if (needed.has(file)) return;
  needed.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(
    /(?:from |import\()['"](\.[^'"]+)\.js['"]/g,
  ))
    visit(join(dirname(file), `${path}.d.ts`));
};
for (const entry of ['index', 'api/mem', 'pool/index', 'render/index'])
  visit(join(declarations, `${entry}.d.ts`));
const INNER = /(?:^|[\\/])(layout|sync|pages|recovery|blocks|verify|heap)[\\/]/;
for (const path of readdirSync(declarations, { recursive: true, encoding: 'utf8' })) {
  const file = join(declarations, path);
  if (!/\.d\.c?ts$/.test(file)) continue;
  if (!needed.has(file)) rmSync(file);
  else if (INNER.test(path))
    writeFileSync(file, readFileSync(file, 'utf8').replace(/\/\*\*[\s\S]*?\*\/\s*/g, ''));
}
