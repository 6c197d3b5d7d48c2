/**
 * The examples in the documentation run, and print what their comments say.
 *
 * A fenced `js` block is a file; its first line names it (`// main.js`). Files of one page go into
 * one folder; each that promises something is run. `console.log(...); // 42` promises the line 42.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = new URL('../../../', import.meta.url);

/** The named js blocks of a page. */
function filesOf(page: string): Map<string, string> {
  const text = readFileSync(new URL(page, root), 'utf8');
  const blocks = [...text.matchAll(/```js\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  return new Map(blocks.map(([, name, code]) => [name as string, code as string]));
}

/** What the comments behind console.log promise. */
function promises(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.+)/g)].map(([, line]) => line as string);
}

/** Writes the files of a page where `import 'shmalloc'` finds this package; the folder's address. */
function layOut(page: string): URL {
  const folder = new URL(`dist/examples/${page}/`, root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, code] of filesOf(page)) writeFileSync(new URL(name, folder), code);
  return folder;
}

const PAGES = [
  'README.md',
  'docs/contexts.md',
  'docs/debugging.md',
  'docs/events.md',
  'docs/metrics.md',
  'docs/pictures.md',
  'docs/recovery.md',
  'docs/vectors.md',
];

for (const page of PAGES) {
  const programs = [...filesOf(page)].filter(([, code]) => promises(code).length > 0);
  const folder = layOut(page);

  test(`${page} has a program that promises some output`, (t) => {
    t.true(programs.length > 0);
  });

  for (const [name, code] of programs) {
    test(`${page}: ${name} prints what it says`, (t) => {
      const entry = fileURLToPath(new URL(name, folder));
      const output = execFileSync(process.execPath, [entry], { encoding: 'utf8' });
      t.deepEqual(output.trim().split('\n'), promises(code));
    });
  }
}
