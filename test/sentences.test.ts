/**
 * Proves that comments and test titles name their nouns: sentences do not begin with a pronoun
 * whose noun the reader has to guess ("Who ...", "Is it so?"), in the folders that have been
 * rewritten.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Folders whose comments are checked. The list only grows. */
const ROOMS = [
  'bench',
  'examples',
  'src/base',
  'src/blocks',
  'src/cli',
  'src/debug',
  'src/inspect',
  'src/layout',
  'src/options',
  'src/pages',
  'src/pool',
  'src/recovery',
  'src/render',
  'src/stats',
  'src/sync',
  'src/trace',
  'src/verify',
  'test/base',
  'test/bench',
  'test/blocks',
  'test/browser',
  'test/cli',
  'test/debug',
  'test/examples',
  'test/inspect',
  'test/layout',
  'test/model',
  'test/options',
  'test/pages',
  'test/points',
  'test/pool',
  'test/recovery',
  'test/render',
  'test/runners',
  'test/stats',
  'test/sync',
  'test/trace',
  'test/types',
  'test/verify',
  'workers',
];

/** Pages whose prose is checked. The list only grows. */
const PAGES = ['docs/debugging.md'];

/** Openings of sentences, each with what to write in its place. */
const OPENINGS: readonly { readonly opening: RegExp; readonly instead: string }[] = [
  { opening: /^Who(ever|m|se)?\b/, instead: 'the noun: "The owner ..."' },
  { opening: /^What (is|are|was|were|has|had|it|they)\b(?!.*\?$)/, instead: 'the noun' },
  { opening: /^So (many|much|often|long|few|far)\b/, instead: 'a noun and a unit: "Maximum ..."' },
  { opening: /^The same( of| for| as| by| from|[.,]|$)/, instead: 'all of it' },
  {
    opening: /^(Is|Are|Was|Were|Has|Have|Does|Do|May|Can) (it|they|there)\b/,
    instead: '"True if ..."',
  },
  { opening: /^(Nobody|Nobody's|Somebody|Everybody|Anybody)\b/, instead: '"No thread ..."' },
];

/** Pronouns for a thread, a block or a caller anywhere in a sentence. */
const PRONOUNS = /\b(by|of|to|for|from|with) who(ever)?\b(?! (is|was) (the|which))/;

interface Sentence {
  /** Line of the comment's or title's beginning, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Texts of comments, and of test titles, with the line where each begins. */
function textsIn(source: string): Sentence[] {
  const token =
    /\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/[^\n]*\n?)+|(?<=\s)\/\/[^\n]*|\btest(?:\.\w+)?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/gm;
  return [...source.matchAll(token)].map((found) => ({
    line: source.slice(0, found.index).split('\n').length,
    text: found[2] ?? proseOf(found[0]),
  }));
}

/** A comment without its stars and slashes; lists, drawings and tags stay apart from sentences. */
const proseOf = (comment: string): string =>
  comment
    .split('\n')
    .map((line) => line.replace(/^\s*(\/\*\*?|\*\/|\*|\/\/)\s?/, '').replace(/\s*\*\/$/, ''))
    .map((line) => (/^\s*$/.test(line) ? '\n' : line.trim().replace(/^([A-Z]{1,2}\d+|-)\s+/, '\n')))
    .join(' ');

/** The sentences of a text; what follows a colon in a title is one of them. */
const sentencesOf = (text: string): string[] =>
  text.split(/\n|(?<=[.?!])\s+/).map((sentence) => sentence.trim());

/** The lines of a page outside of code, each with its paragraph; list items and cells are apart. */
function textsOnPage(page: string): Sentence[] {
  const texts: Sentence[] = [];
  let isCode = false;
  let isOpen = false;
  for (const [n, line] of page.split('\n').entries()) {
    const isEdge = line.startsWith('```');
    if (isEdge) isCode = !isCode;
    const prose = isEdge || isCode || line.startsWith('    ') ? '' : line.replaceAll('**', '');
    const begins = !isOpen || /^(#|- |\|)/.test(prose);
    const parts = prose.split(/^#+ |^- |\|/).map((part) => part.trim());
    for (const text of parts.filter((part) => part !== '')) {
      const last = begins ? undefined : texts.pop();
      texts.push({ line: last?.line ?? n + 1, text: `${last?.text ?? ''} ${text}`.trim() });
    }
    isOpen = prose !== '' && !/^(#|\|)/.test(prose);
  }
  return texts;
}

/** Sentences that begin with a riddle, in a source text or on a page. */
function riddlesIn(path: string, source: string): string[] {
  const texts = path.endsWith('.md') ? textsOnPage(source) : textsIn(source);
  return texts.flatMap(({ line, text }) =>
    sentencesOf(text).flatMap((sentence) => {
      const bad = OPENINGS.find(({ opening }) => opening.test(sentence));
      const instead = bad?.instead ?? (PRONOUNS.test(sentence) ? 'the noun' : undefined);
      return instead === undefined ? [] : [`${path}:${line}: "${sentence}": write ${instead}`];
    }),
  );
}

const filesOf = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesOf(path);
    return /\.[cm]?ts$/.test(entry.name) ? [path] : [];
  });

for (const room of ROOMS) {
  test(`${room}: every sentence of a comment or title names its subject`, (t) => {
    const paths = filesOf(room);
    t.true(paths.length > 0);
    const riddles = paths.flatMap((path) =>
      riddlesIn(path, readFileSync(join(ROOT, path), 'utf8')),
    );
    t.deepEqual(riddles, []);
  });
}

for (const page of PAGES) {
  test(`${page}: every sentence names its subject`, (t) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    t.true(textsOnPage(text).length > 10);
    t.deepEqual(riddlesIn(page, text), []);
  });
}

test('textsOnPage: paragraphs, list items and cells are apart, without code', (t) => {
  const page = [
    '# Who is asked',
    'A thread asks. Who waits',
    'is asked.',
    '',
    '    Who is code.',
    '```js',
    'Who(); // as well',
    '```',
    '- **Who has it.** The thread',
    '  has it.',
    '| lock | what is held |',
  ].join('\n');
  t.deepEqual(
    textsOnPage(page).map(({ line, text }) => [line, text]),
    [
      [1, 'Who is asked'],
      [2, 'A thread asks. Who waits is asked.'],
      [9, 'Who has it. The thread has it.'],
      [11, 'lock'],
      [11, 'what is held'],
    ],
  );
  t.is(riddlesIn('docs/a.md', page).length, 3);
});

for (const source of [
  '/** Who counts its spans counts all it has. */',
  '/**\n * Bytes of a page.\n *\n * I1  What is free\n *     is counted.\n */',
  '// It ends. So many frames are enough.',
  '  /** The same of the first calls. */',
  '/** Is it so? */',
  'const a = 1; // Nobody waits.',
  '// A lock is taken over\n// by who waits for it.',
  "test('release: a lock is refused by who is not its owner', (t) => {});",
]) {
  test(`riddlesIn: finds what is in ${JSON.stringify(source)}`, (t) =>
    t.is(riddlesIn('src/a.ts', source).length, 1));
}

for (const source of [
  '/** True if the word names the owner. */',
  '// The owner has exited: who it was is in the names. The same page is read twice.',
  "const text = 'Who are you?';",
  "test('who: What is free?', (t) => {});",
]) {
  test(`riddlesIn: finds nothing in ${JSON.stringify(source)}`, (t) =>
    t.deepEqual(riddlesIn('src/a.ts', source), []));
}
