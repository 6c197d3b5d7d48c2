/**
 * Proves that no test is lost between the two sizes: `npm test` runs every file that is not called
 * long, `npm run test:full` those too, and a configuration of its own each file that neither has.
 */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = new URL('../../', import.meta.url);

/** The files of a configuration of ava, by its patterns; those with `!` take some away. */
async function filesOf(config: string): Promise<string[]> {
  const { default: settings } = await import(new URL(config, ROOT).href);
  const patterns: string[] = settings.files;
  const matches = (path: string, pattern: string) => asExpression(pattern).test(path);
  return allFiles.filter((path) => {
    const isOut = patterns.some((one) => one.startsWith('!') && matches(path, one.slice(1)));
    return !isOut && patterns.some((one) => !one.startsWith('!') && matches(path, one));
  });
}

/** Of the patterns that ava.*.config.js have: `**` are folders, `*` is part of a name. */
function asExpression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/?|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    return part === '*' ? '[^/]*' : part.replaceAll('.', '\\.');
  });
  return new RegExp(`^${parts.join('')}$`);
}

const allFiles = readdirSync(new URL('test', ROOT), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => `dist/test/${path.replaceAll('\\', '/').replace(/\.ts$/, '.js')}`)
  .sort();

test('npm test, npm run test:full: the full run has every file of the other, and the long ones', async (t) => {
  const quick = await filesOf('ava.config.js');
  const full = await filesOf('ava.full.config.js');
  t.true(quick.length > 100, `${quick.length} files`);
  const more = full.filter((path) => !quick.includes(path));
  t.deepEqual(
    quick.filter((path) => !full.includes(path)),
    [],
  );
  t.deepEqual(
    more.filter((path) => !path.endsWith('.long.test.js')),
    [],
  );
  t.deepEqual(
    quick.filter((path) => path.endsWith('.long.test.js')),
    [],
  );
  t.true(more.length > 20, `${more.length} long files`);
});

test('every file of tests is in the full run, or is run by a tool of its own', async (t) => {
  const lists = await Promise.all(
    ['ava.full.config.js', 'ava.browser.config.js', 'ava.runners.config.js'].map(filesOf),
  );
  t.deepEqual(lists.flat().sort(), allFiles);
});

test('every file of tests was built', (t) => {
  const missing = allFiles.filter((path) => {
    const folder = fileURLToPath(new URL(path.slice(0, path.lastIndexOf('/')), ROOT));
    return !readdirSync(folder).includes(path.slice(path.lastIndexOf('/') + 1));
  });
  t.deepEqual(missing, []);
});
