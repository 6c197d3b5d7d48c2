/**
 * Proves that the words of the code have one meaning each: those that were replaced do not come back,
 * and the glossary of src/README.md is short, names its sources, and speaks of files that exist.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SELF = 'test/words.test.ts';
const TERMS_MAX = 30;

interface OldWord {
  /** Looked for without regard to case, in prose, and in names taken apart: `mendRun` is "mend Run". */
  readonly word: RegExp;
  readonly instead: string;
  /** Files in which the word is ordinary English, or the name of something else. */
  readonly except?: RegExp;
}

const OLD: readonly OldWord[] = [
  { word: /\bgates?\b/i, instead: 'section' },
  { word: /\bnews\b/i, instead: 'event, event queue' },
  { word: /\bmend(s|ed|ing)?\b/i, instead: 'repair' },
  {
    word: /\b(un)?settl(e|es|ed|ing)\b/i,
    instead: 'resolve (an intent)',
    // Promises settle.
    except: /^(src|test)\/pool\/|\/(originals|context-heap|context\.test)\.ts$/,
  },
  { word: /\bnurser(y|ies)\b/i, instead: 'in-flight header' },
  { word: /\beyes\b/i, instead: 'block inspector' },
  { word: /\blookers?\b/i, instead: 'access' },
  { word: /\bsolo\b/i, instead: 'exclusive mode, which is gone' },
  {
    word: /\bfences?\b/i,
    instead: 'sentinel',
    // Memory fences, and Electric Fence.
    except: /memory-order|memory-model|\.litmus$|\/red-zones\.ts$/,
  },
  { word: /\bspares?\b/i, instead: 'retired span, scratch element' },
  { word: /\btruth\b/i, instead: 'source (and derived, for index)' },
  { word: /\bow(e|es|ed)\b/i, instead: 'defer' },
  { word: /\bbiograph(y|ies)\b/i, instead: 'provenance' },
  { word: /\battachers?\b/i, instead: 'thread identity' },
  { word: /\bheap core\b/i, instead: 'thread heap' },
  { word: /\badd hosts?\b|\bhost of\b/i, instead: 'attachment' },
  { word: /\bcontext worlds?\b/i, instead: 'context runtime' },
  { word: /\b(get|set|add) home\b|\bat home with\b|\bpage homes?\b/i, instead: 'owner' },
  { word: /\b(home|away|local|remote|cache|parked) stacks?\b/i, instead: 'magazine' },
  { word: /\bstacks? (index|bottom|depths|of free)\b|\bstacked\b/i, instead: 'magazine' },
];

/** Texts of these folders and of the pages beside them. */
const FOLDERS = ['src', 'test', 'docs'];
const PAGES = ['README.md', 'CONTRIBUTING.md'];

function textsOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : textsOf(path);
    return /\.([cm]?[jt]s|md|pml|litmus)$/.test(entry.name) && path !== SELF ? [path] : [];
  });
}

/** Names taken apart: `mendRun`, `mend_run` and `MEND_RUN` have two words each. */
const apart = (line: string): string =>
  line.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replaceAll('_', ' ');

/** Old words in a text, each with its line and what to say instead. */
function oldWords(path: string, text: string): string[] {
  const words = OLD.filter(({ except }) => !except?.test(path));
  return text.split('\n').flatMap((line, n) =>
    words.flatMap(({ word, instead }) => {
      const [found] = word.exec(line) ?? word.exec(apart(line)) ?? [];
      return found === undefined ? [] : [`${path}:${n + 1}: "${found}", say ${instead}`];
    }),
  );
}

test('src, test, docs: no word that was replaced comes back', (t) => {
  const paths = [...FOLDERS.flatMap(textsOf), ...PAGES];
  t.true(paths.length > 400, `${paths.length} texts`);
  const found = paths.flatMap((path) => oldWords(path, readFileSync(join(ROOT, path), 'utf8')));
  t.deepEqual(found, []);
});

for (const line of [
  '// The gate is passed here.',
  'const mendRun = 1;',
  'export const NURSERY_WORD = 2;',
  'this.#looker.stays();',
  'fences.push(isSolo);',
  ' * Blocks of the home stack.',
  'stackedBlocks(u32, slot)',
]) {
  test(`oldWords: finds what is in ${line}`, (t) => t.true(oldWords('src/a.ts', line).length > 0));
}

for (const line of ['An onlooker recommends it.', 'the fenced code', 'navigate', 'call stacks']) {
  test(`oldWords: finds nothing in ${line}`, (t) => t.deepEqual(oldWords('src/a.ts', line), []));
}

const page = readFileSync(join(ROOT, 'src/README.md'), 'utf8');

test('src/README.md: 30 terms at most, none twice, each with its source', (t) => {
  const rows = page
    .slice(page.indexOf('## Words'))
    .split('\n')
    .filter((line) => line.startsWith('| **'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const terms = rows.flatMap((row) =>
    [...row.join(' ').matchAll(/\*\*([^*]+)\*\*/g)].map((m) => m[1]),
  );
  t.true(terms.length > 20 && terms.length <= TERMS_MAX, `${terms.length} terms`);
  t.is(new Set(terms).size, terms.length);
  for (const [, term, meaning, source] of rows) t.true(meaning !== '' && source !== '', term);
});

test('src/README.md: every file that it names exists', (t) => {
  const named = [...page.matchAll(/(?<![\w./-])((?:\.\.\/)?[\w./-]+\.(?:ts|md))\b/g)].map(
    (m) => m[1],
  );
  t.true(named.length > 30, `${named.length} files`);
  const missing = named.filter(
    (name) => !existsSync(join(ROOT, 'src', name)) && !existsSync(join(ROOT, name)),
  );
  t.deepEqual(missing, []);
});
