/**
 * The examples in the documentation run, and print what their comments say.
 *
 * A fenced `js` block is a file; its first line names it (`// main.js`). Files of one page go into
 * one folder and main.js is run. `console.log(...); // 42` promises the line 42.
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

const PAGES = [
  'README.md',
  'docs/recovery.md',
  'docs/pictures.md',
  'docs/metrics.md',
  'docs/events.md',
];

for (const page of PAGES) {
  test(`${page} examples print what they say`, (t) => {
    const files = filesOf(page);
    const main = files.get('main.js');
    t.truthy(main, 'the page has a main.js');
    const expected = promises(main as string);
    t.true(expected.length > 0, 'main.js promises some output');
    // Inside the package, so that `import 'shmalloc'` finds it.
    const folder = new URL(`dist/examples/${page}/`, root);
    mkdirSync(folder, { recursive: true });
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    for (const [name, code] of files) writeFileSync(new URL(name, folder), code);
    const entry = fileURLToPath(new URL('main.js', folder));
    const output = execFileSync(process.execPath, [entry], { encoding: 'utf8' });
    t.deepEqual(output.trim().split('\n'), expected);
  });
}
