/**
 * Proves what is in the package: bundles, and little else; no link of its pages is dead, and every type
 * that a public call takes or gives has a name that can be imported.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Packed, packInto } from '../package.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

// ---- files

/** Of these pages, api.md says what the declarations of the package say. */
const IN_REPOSITORY =
  /^(src|test|bench|workers|examples)\/|^CONTRIBUTING\.md$|^docs\/([\w-]+\.svg|api\.md)$/;

const folder = mkdtempSync(join(tmpdir(), 'shmalloc-package-'));
let packed: Packed;

test.before(() => {
  packed = packInto(folder);
});

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test('package: links of its pages lead to what is in it or, of sources and pictures, in the repository', (t) => {
  const files = packed.files.map(({ path }) => path);
  const isThere = (path: string) =>
    files.includes(path) ||
    files.some((file) => file.startsWith(`${path.replace(/\/$/, '')}/`)) ||
    (IN_REPOSITORY.test(path) && existsSync(join(ROOT, path)));
  const dead: string[] = [];
  let links = 0;
  for (const page of files.filter((path) => path.endsWith('.md'))) {
    const prose = read(page).replace(/```[\s\S]*?```/g, '');
    for (const [, link = ''] of prose.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(link)) continue;
      links++;
      const to = normalize(join(dirname(page), link));
      if (!isThere(to)) dead.push(`${page}: ${to}`);
    }
  }
  t.deepEqual(dead, []);
  t.true(links > 30, `${links} links looked at`);
});

test('src: pages that its comments name are there', (t) => {
  const dead: string[] = [];
  for (const path of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue;
    for (const [name] of read(join('src', path)).matchAll(/\bdocs\/[\w-]+\.(md|svg)\b/g))
      if (!existsSync(join(ROOT, name))) dead.push(`${path}: ${name}`);
  }
  t.deepEqual(dead, []);
});

test('package: under 400 KB packed; no stress workers, no traces, no modules but the entries', (t) => {
  t.true(packed.size < 400_000, `${packed.size} bytes`);
  const files = packed.files.map(({ path }) => path);
  t.deepEqual(
    files.filter((path) => /stress|\.mtr|^src\//.test(path)),
    [],
  );
  const scripts = files.filter((path) => /\.c?js$/.test(path) && !path.includes('chunks/'));
  t.deepEqual(scripts.sort(), [
    'dist/src/api/mem.js',
    'dist/src/cli/main.js',
    'dist/src/index.js',
    'dist/src/pool/index.js',
    'dist/src/pool/load-task.js',
    'dist/src/pool/worker-entry.cjs',
    'dist/src/render/index.js',
    'dist/workers/replay-worker.js',
  ]);
});

test('package: the main entry loads four files at most, and no module of Node that a start would feel', (t) => {
  const seen = new Set<string>();
  const builtins = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, from = ''] of text.matchAll(/(?:^|[;\n])import(?:[^"';()]*from)?"([^"]+)"/g)) {
      if (from.startsWith('.')) visit(join(dirname(file), from));
      else builtins.add(from);
    }
  };
  visit(join(folder, 'dist/src/index.js'));
  t.true(seen.size <= 4, [...seen].join());
  const COSTLY = /crypto|zlib|http|stream|promises|child_process|inspector|piscina/;
  t.deepEqual(
    [...builtins].filter((name) => COSTLY.test(name)),
    [],
  );
});

for (const [tool, args] of [
  ['publint', ['--strict', '--pack', 'false', '.']],
  ['attw', ['--profile', 'esm-only', 'shmalloc-0.1.0.tgz']],
] as const) {
  test(`package: ${tool} finds nothing wrong`, (t) => {
    const command = join(ROOT, 'node_modules/.bin', tool);
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
    t.is(status, 0, stdout + stderr);
  });
}

test('shmalloc: of the npm package says where traces and the stress command are', (t) => {
  for (const [command, told] of [
    ['replay', /no traces.*repository/],
    ['stress', /repository only/],
  ] as const) {
    const args = [join(folder, 'dist/src/cli/main.js'), command];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    t.is(status, 2, stderr);
    t.regex(stderr, told);
  }
});

// ---- types

const DECLARATION = /^export (?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/;

/** What the build declares and exports, in all files: name and text, without comments. */
function declarations(): Map<string, string> {
  const found = new Map<string, string>();
  const files = readdirSync(join(ROOT, 'dist/src'), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((path) => path.endsWith('.d.ts'))) {
    const text = read(join('dist/src', file)).replace(/\/\*[\s\S]*?\*\//g, '');
    for (const part of text.split(/^(?=export |declare |import |interface |type )/m)) {
      const name = DECLARATION.exec(part)?.[1];
      if (name !== undefined) found.set(name, part);
    }
  }
  return found;
}

/** What a user of a class cannot call, and what is no part of its public face. */
const HIDDEN = /^\s*(?:private|protected) .*$|^\s*#.*$/gm;
test('src/index.ts: every type in a public signature of SharedHeap can be imported', (t) => {
  const known = declarations();
  const entry = read('dist/src/index.d.ts');
  const isExported = (name: string) => new RegExp(`\\b${name}\\b`).test(entry);
  const seen = new Set<string>();
  const missing: string[] = [];
  const visit = (name: string, from: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    if (!isExported(name)) missing.push(`${name}, in ${from}`);
    const declared = known.get(name) ?? '';
    // Of a type that is another one by a better name, the better name is enough.
    if (/^export (?:declare )?type \w+ = \w+;$/m.test(declared)) return;
    const text = declared.replace(HIDDEN, '').replace(/'[^'\n]*'/g, "''");
    // A field or an option may have the name of a type.
    for (const [word] of text.matchAll(/\b[A-Z]\w*\b(?!\??:)/g)) {
      if (known.has(word)) visit(word, name);
    }
  };
  visit('SharedHeap', 'the entry');
  for (const [name] of known) if (isExported(name)) visit(name, 'the entry');
  t.deepEqual(missing, []);
  for (const name of [
    'Inspection',
    'HeapCalls',
    'HeapOptions',
    'HeapStats',
    'HistoryEvent',
    'MapRun',
  ]) {
    t.true(seen.has(name), `${name} was looked at`);
  }
});
