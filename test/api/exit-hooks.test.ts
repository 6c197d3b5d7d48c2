/**
 * Proves that reports come when the attachment that made a heap ends, once: at the end of a program and of a
 * worker. exit-hooks.long.test.ts has all other ends.
 */

import test from 'ava';
import { createExitHooks } from '../../src/api/exit-hooks.js';
import { testEnd } from './exit-hooks.js';

testEnd('return', 0);
testEnd('worker exit', 0);

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
