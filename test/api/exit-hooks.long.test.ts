/**
 * Proves that reports come in whatever way the attachment that made a heap ends, once; that they are whole,
 * on stderr, and harm nobody's end. Each end is a process.
 */

import test from 'ava';
import { count, end, LEAKS, STATS, testEnd } from './exit-hooks.js';

for (const [how, code] of [
  ['exit', 3],
  ['throw', 1],
  ['detach', 0],
  ['using', 0],
  ['reattach', 0],
  ['guest', 0],
  ['worker return', 0],
  ['worker throw', 0],
  ['worker detach', 0],
  ['worker using', 0],
] as const) {
  testEnd(how, code);
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
