/**
 * Proves that reports come when the attachment that made a heap ends, in whatever way, once; that
 * they are whole, on stderr, and harm nobody's end.
 */

import { fileURLToPath } from 'node:url';
import test from 'ava';
import { createExitHooks } from '../../src/api/exit-hooks.js';
import { type Finished, run } from '../workers.js';

const SCRIPT = fileURLToPath(new URL('./exit-hooks.script.js', import.meta.url));

const LEAKS = /^HEAP SUMMARY: in use at exit: 3,296 bytes in 3 blocks$/gm;
const USAGE = /^total heap usage: 4 allocs, 1 frees, 109,792 bytes allocated$/m;
const NO_LEAKS = /^All heap blocks were freed -- no leaks are possible$/gm;
const STATS = /^heap\n {2}reserved/gm;

function end(how: string, left: 'leak' | 'free', env: Record<string, string>): Promise<Finished> {
  return run(process.execPath, [SCRIPT, how, left], { env });
}

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

for (const [how, code] of [
  ['return', 0],
  ['exit', 3],
  ['throw', 1],
  ['detach', 0],
  ['using', 0],
  ['reattach', 0],
  ['guest', 0],
  ['worker return', 0],
  ['worker exit', 0],
  ['worker throw', 0],
  ['worker detach', 0],
  ['worker using', 0],
] as const) {
  test(`leaks: a report when the heap's thread ends by ${how}, once`, async (t) => {
    const { code: got, stderr, stdout } = await end(how, 'leak', { SHMALLOC_LEAKS: '1' });
    t.is(got, code, stderr);
    t.is(count(stderr, LEAKS), 1, stderr);
    t.regex(stderr, USAGE);
    t.regex(stderr, /^3,072 bytes in 1 blocks of 3,072 bytes, at 0x[0-9a-f]+$/m);
    t.regex(stderr, /^224 bytes in 2 blocks of 112 bytes, first at 0x[0-9a-f]+$/m);
    t.true(stderr.indexOf('3,072 bytes in') < stderr.indexOf('224 bytes in'));
    t.is(count(stderr, NO_LEAKS), 0);
    t.is(count(stderr, STATS), 0);
    t.is(stdout, '');
  });

  // That one frees a block which there must be.
  if (how === 'reattach') continue;
  test(`leaks: nothing left when the heap's thread ends by ${how}`, async (t) => {
    const { stderr } = await end(how, 'free', { SHMALLOC_LEAKS: '1' });
    t.is(count(stderr, NO_LEAKS), 1, stderr);
    t.regex(stderr, /^HEAP SUMMARY: in use at exit: 0 bytes in 0 blocks$/m);
    t.regex(stderr, /^total heap usage: 4 allocs, 4 frees, 109,792 bytes allocated$/m);
  });
}

test('leaks: the report comes before detach() and using return', async (t) => {
  for (const [how, word] of [
    ['detach', 'detached'],
    ['using', 'disposed'],
  ] as const) {
    const { stderr } = await end(how, 'leak', { SHMALLOC_LEAKS: '1' });
    t.true(stderr.indexOf('HEAP SUMMARY') < stderr.indexOf(word), stderr);
    t.true(stderr.includes(word));
  }
});

test('stats: the table at the end, alone and with leaks; each heap has its own', async (t) => {
  const alone = await end('return', 'leak', { SHMALLOC_STATS: '1' });
  t.is(count(alone.stderr, STATS), 1);
  t.false(alone.stderr.includes('HEAP SUMMARY'));
  t.is(alone.stdout, '');
  const both = await end('worker return', 'leak', { SHMALLOC_STATS: '1', SHMALLOC_LEAKS: '1' });
  t.is(count(both.stderr, STATS), 1);
  t.is(count(both.stderr, LEAKS), 1);
  const two = await end('two', 'leak', { SHMALLOC_STATS: '1', SHMALLOC_LEAKS: '1' });
  t.is(count(two.stderr, STATS), 2);
  t.is(count(two.stderr, LEAKS), 1);
  t.is(count(two.stderr, /^HEAP SUMMARY: in use at exit: 16 bytes in 1 blocks$/gm), 1);
});

test('no option: no report', async (t) => {
  for (const how of ['return', 'detach', 'worker return', 'worker exit']) {
    const { stderr } = await end(how, 'leak', {});
    t.notRegex(stderr, /HEAP SUMMARY|reserved/, how);
  }
});

test('leaks: a broken heap gets a line instead of a report, and the process its end', async (t) => {
  const { code, stderr } = await end('broken', 'leak', { SHMALLOC_LEAKS: '1' });
  t.is(code, 0, stderr);
  t.regex(stderr, /^shmalloc: no leak report: .*page-heap I1/m);
});

test('createExitHooks: actions run in order, once, and what they throw goes no further', (t) => {
  const done: string[] = [];
  const ending = createExitHooks();
  ending.add('first', () => done.push('first'));
  ending.add('line that this test makes', () => {
    throw new Error('on purpose');
  });
  ending.add('last', () => done.push('last'));
  ending.run();
  ending.run();
  t.deepEqual(done, ['first', 'last']);
});
