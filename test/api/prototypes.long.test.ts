/**
 * Proves that what a program puts into the prototypes of the language, after it has loaded this library,
 * changes no wait, no verdict and no recovery: names and indexes that everything inherits change nothing
 * at all, methods that are wrong only what reports and objects are made with.
 */

import test from 'ava';
import { runScript } from '../workers.js';
import type { Change } from './prototypes.js';

interface Outcome {
  /** By what was done. */
  readonly told: Record<string, unknown>;
  /** Of the trace that was written meanwhile, and of its replay. */
  readonly trace: string;
}

const SCRIPT = new URL('./prototypes.script.js', import.meta.url);

async function play(change: Change): Promise<Outcome> {
  const { code, stdout, stderr } = await runScript(SCRIPT, [change]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Outcome;
}

/** What is made with the methods of arrays, maps and texts: it may throw, and the heap stays whole. */
const WITH_METHODS = [
  'contexts',
  'vectors',
  'attach, detach',
  'stats()',
  'metrics()',
  'leaks(), blocks(), map()',
  'hexdump, print',
  'pictures',
  'the end of a trace',
];
const plain = play('none');

test('prototypes as they are: a thread that died is recovered, and all is as it must be', async (t) => {
  const { told, trace } = await plain;
  t.is(told['a page lock of a dead thread'], 0);
  t.is(told['verify()'], 'true undefined 3');
  t.regex(String(told['recover()']), /^1 0 [1-9]\d* 0 0$/);
  t.regex(trace, /^\d+ 4d545231.* replay 0 true$/);
  for (const [what, outcome] of Object.entries(told)) t.notRegex(String(outcome), /^threw/, what);
});

test('names that all objects inherit change nothing, in no call, report or file', async (t) => {
  t.deepEqual(await play('named'), await plain);
});

test('setters of indexes that all arrays inherit change nothing but files, which zlib cannot pack', async (t) => {
  const { told } = await play('indexed');
  t.deepEqual(told, (await plain).told);
});

for (const [change, what] of [
  ['thrown', 'throw'],
  ['wrong', 'do nothing'],
] as const) {
  test(`methods that ${what} change no call, wait, verdict or recovery`, async (t) => {
    const { told } = await play(change);
    const before = (await plain).told;
    for (const [name, outcome] of Object.entries(before)) {
      if (!WITH_METHODS.includes(name)) t.is(told[name], outcome, name);
    }
  });
}
