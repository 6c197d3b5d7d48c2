/**
 * Proves that the package holds what its pages and entries refer to: no link of a page that is in it
 * leads out of it, and every type that a public call takes or gives has a name that can be imported.
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

// ---- files

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

function packedFiles(): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'ignore'];
  const [packed] = JSON.parse(
    execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio }),
  ) as Packed[];
  return (packed as Packed).files.map(({ path }) => path);
}

test('package: links of its pages, and pages that its sources name, are in it', (t) => {
  const files = packedFiles();
  const isThere = (path: string) =>
    files.includes(path) || files.some((file) => file.startsWith(`${path.replace(/\/$/, '')}/`));
  const dead: string[] = [];
  let links = 0;
  const need = (from: string, to: string) => {
    links++;
    if (!isThere(to)) dead.push(`${from}: ${to}`);
  };
  for (const page of files.filter((path) => path.endsWith('.md'))) {
    const prose = read(page).replace(/```[\s\S]*?```/g, '');
    for (const [, link = ''] of prose.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      const to = normalize(join(dirname(page), link));
      // Tests are in the repository only.
      if (!/^https?:/.test(link) && !to.startsWith('test/')) need(page, to);
    }
  }
  for (const source of files.filter((path) => /^src\/.*\.ts$/.test(path))) {
    for (const [name] of read(source).matchAll(/\bdocs\/[\w-]+\.(md|svg)\b/g)) need(source, name);
  }
  t.deepEqual(dead, []);
  t.true(links > 30, `${links} links looked at`);
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
/** A base class is not named by those who use the class. */
const UNNAMED = ['InspectableHeap', 'ContextHeap'];

test('src/index.ts: every type in a public signature of SharedHeap can be imported', (t) => {
  const known = declarations();
  const entry = read('dist/src/index.d.ts');
  const isExported = (name: string) => new RegExp(`\\b${name}\\b`).test(entry);
  const seen = new Set<string>();
  const missing: string[] = [];
  const visit = (name: string, from: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    if (!isExported(name) && !UNNAMED.includes(name)) missing.push(`${name}, in ${from}`);
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
  for (const name of ['InspectableHeap', 'HeapOptions', 'HeapStats', 'HistoryEvent', 'MapRun']) {
    t.true(seen.has(name), `${name} was looked at`);
  }
});
