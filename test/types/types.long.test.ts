/**
 * Proves that users' programs compile against the types of the package: on the minimum TypeScript
 * that the README names and on the newest, in strict mode, with the package's own types checked
 * too, with and without the types of Node.
 *
 * SHMALLOC_TEST_TSC names a further compiler: .ci/run sets it to the minimum version.
 */

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The TypeScript version that the README requires. */
const [, LEAST = ''] = /TypeScript (\d+\.\d+) or later/.exec(read('README.md')) ?? [];

const given = process.env.SHMALLOC_TEST_TSC;
const COMPILERS = [
  join(ROOT, 'node_modules/typescript/bin/tsc'),
  ...(given === undefined ? [] : [given]),
];

const STRICT = {
  target: 'es2022',
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noImplicitOverride: true,
  skipLibCheck: false,
  noEmit: true,
  // As npm installs it: a linked package is in another folder.
  preserveSymlinks: true,
};

/** A user's folder with the package in it, and the types of Node if `withNode`. */
function folderWith(program: string, withNode: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-types-'));
  const link = (name: string, to: string) => {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(to, join(folder, 'node_modules', name));
  };
  // Without the package's own development dependencies: its types must need none of them.
  for (const name of ['dist', 'package.json']) {
    mkdirSync(join(folder, 'node_modules/shmalloc'), { recursive: true });
    symlinkSync(join(ROOT, name), join(folder, 'node_modules/shmalloc', name));
  }
  if (withNode) {
    for (const name of ['@types/node', 'undici-types'])
      link(name, join(ROOT, 'node_modules', name));
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  copyFileSync(join(ROOT, 'test/types', program), join(folder, program));
  return folder;
}

/** The output of a compiler for a program; empty if there is no error. */
function compile(
  compiler: string,
  program: string,
  withNode: boolean,
  options: Record<string, unknown>,
): string {
  const folder = folderWith(program, withNode);
  try {
    const types = withNode ? ['node'] : [];
    const compilerOptions = { ...STRICT, types, ...options };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: [program] }),
    );
    execFileSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: string };
    return stdout || message;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const versionOf = (compiler: string): string =>
  execFileSync(process.execPath, [compiler, '--version'], { encoding: 'utf8' }).trim();

test('types: the README names the minimum TypeScript, and continuous integration compiles with it', (t) => {
  t.regex(LEAST, /^\d+\.\d+$/);
  t.true(read('.ci/run').includes(`typescript@${LEAST}`), LEAST);
  if (given !== undefined) t.regex(versionOf(given), new RegExp(`Version ${LEAST}\\.`));
});

for (const compiler of COMPILERS) {
  const version = versionOf(compiler);
  for (const [what, withNode, options] of [
    ['the types of Node', true, { lib: ['es2022'] }],
    ['the types of Node, and all that is new', true, { lib: ['esnext'], target: 'esnext' }],
    ['no types of Node', false, { lib: ['es2022', 'dom'] }],
    ['no types of Node, and a bundler', false, { module: 'esnext', moduleResolution: 'bundler' }],
  ] as const) {
    test(`types: TypeScript ${version} compiles a program with ${what}`, (t) => {
      t.is(compile(compiler, 'newcomer.ts', withNode, options), '');
    });
  }

  test(`types: TypeScript ${version} accepts a Worker in heap.watch()`, (t) => {
    t.is(compile(compiler, 'newcomer-node.ts', true, { lib: ['es2022'] }), '');
  });
}
