/**
 * Proves that programs of users compile against the types that the package ships: on the least
 * TypeScript that README names and on the newest, strictly, with the libraries of the package checked
 * too, with the types of Node and without.
 *
 * SHMALLOC_TEST_TSC names a compiler beside the one that the package is built with: .ci/run gives it
 * the least.
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

/** What README says that a program needs. */
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
  // As npm installs it: what is linked here lies in another place.
  preserveSymlinks: true,
};

/** A user's folder with the package in it, and the types of Node where these are asked for. */
function folderWith(program: string, withNode: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-types-'));
  const link = (name: string, to: string) => {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(to, join(folder, 'node_modules', name));
  };
  // Without what the package itself has installed: its types are to need none of it.
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

/** What a compiler says of a program; empty where nothing is wrong. */
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

test('types: README names the least TypeScript, and continuous integration compiles with it', (t) => {
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
    test(`types: TypeScript ${version} takes a program with ${what}`, (t) => {
      t.is(compile(compiler, 'newcomer.ts', withNode, options), '');
    });
  }

  test(`types: TypeScript ${version} takes a Worker where a heap watches one`, (t) => {
    t.is(compile(compiler, 'newcomer-node.ts', true, { lib: ['es2022'] }), '');
  });
}
