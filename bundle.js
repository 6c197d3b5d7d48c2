/**
 * Puts bundles in the place of the package's entries, and leaves out declarations that it does not need:
 * `node bundle.js [folder, default dist]`, after `npm run build`. `npm pack` runs it; in a clone the
 * entries stay single modules.
 *
 * By esbuild: one dependency without any of its own, and it gives entries that share code a common chunk.
 */

import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const [folder = 'dist'] = process.argv.slice(2);

const common = {
  absWorkingDir: import.meta.dirname,
  outdir: resolve(folder),
  outbase: '.',
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20.19',
  // Names stay: they stand in stacks.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
};

await Promise.all([
  build({
    ...common,
    entryPoints: [
      'src/index.ts',
      'src/api/mem.ts',
      'src/pool/index.ts',
      'src/pool/load-task.ts',
      'src/cli/main.ts',
      'workers/replay-worker.ts',
    ],
    format: 'esm',
    splitting: true,
    // A command of the repository only, and an entry of its own.
    external: ['./stress.js', '../render/index.js'],
    chunkNames: 'chunks/[name]-[hash]',
  }),
  // Apart: the little that it shares with the heap would become a file more that each start loads.
  build({ ...common, entryPoints: ['src/render/index.ts'], format: 'esm' }),
  build({
    ...common,
    entryPoints: ['src/pool/worker-entry.cts'],
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    // Loaded when a worker starts, as a file of its own.
    external: ['./load-task.js'],
  }),
]);
chmodSync(join(folder, 'src/cli/main.js'), 0o755);

// Chunks that an entry imports nothing from: the bundler names all that lie behind it, and each is a file
// more that a start loads. No chunk does anything but export (`sideEffects` in package.json). Blanks in
// their place keep the columns of the source map.
for (const entry of ['index', 'api/mem', 'pool/index', 'pool/load-task']) {
  const file = join(folder, `src/${entry}.js`);
  const code = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    code.replace(/import"[./]+chunks\/[\w-]+\.js";/g, (text) => ' '.repeat(text.length)),
  );
}

// Declarations that no entry leads to are left out, and comments of those that no program names.
const declarations = join(folder, 'src');
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
