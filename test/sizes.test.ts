/**
 * Proves that no test is lost between the two sizes: `npm test` runs every file that is not called
 * long, most of them in the processes of test/together, `npm run test:full` the long ones too, and a
 * configuration of its own each file that neither has.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { allFiles, filesOf, filesTogether } from './test-files.js';

const ROOT = new URL('../../', import.meta.url);

/** The files that a file of test/together loads, which names their folders. */
function loadedBy(path: string): string[] {
  const text = readFileSync(new URL(path, ROOT), 'utf8');
  const folders = [...text.matchAll(/'([\w-]+|\.)'/g)].map(([, folder]) => folder);
  return folders.flatMap((folder) => filesTogether(folder as string));
}

const isTogether = (path: string) => path.startsWith('dist/test/together/');

test('npm test: every file but the long ones, once; together with others, or alone', async (t) => {
  const started = await filesOf('ava.quick.config.js');
  const quick = started.flatMap((path) => (isTogether(path) ? loadedBy(path) : [path]));
  const full = await filesOf('ava.config.js');
  t.true(started.length < 20, `${started.length} processes`);
  t.true(quick.length > 100, `${quick.length} files`);
  t.deepEqual(
    quick.sort(),
    full.filter((path) => !path.endsWith('.long.test.js')),
  );
  t.true(full.length - quick.length > 20, `${full.length - quick.length} long files`);
});

test('every file of tests is in the full run, or is run by a tool of its own', async (t) => {
  const lists = await Promise.all(
    ['ava.config.js', 'ava.browser.config.js', 'ava.runners.config.js'].map(filesOf),
  );
  t.deepEqual(
    lists.flat().sort(),
    allFiles.filter((path) => !isTogether(path)),
  );
});

test('every file of tests was built', (t) => {
  const missing = allFiles.filter((path) => {
    const folder = fileURLToPath(new URL(path.slice(0, path.lastIndexOf('/')), ROOT));
    return !readdirSync(folder).includes(path.slice(path.lastIndexOf('/') + 1));
  });
  t.deepEqual(missing, []);
});
