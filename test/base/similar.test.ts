/**
 * Proves that mistyped names find the name that was meant, and that other names find none.
 */

import test from 'ava';
import { editDistance, similarTo } from '../../src/base/index.js';

test('editDistance, similarTo: count letters inserted, deleted and changed', (t) => {
  t.is(editDistance('', ''), 0);
  t.is(editDistance('', 'abc'), 3);
  t.is(editDistance('abc', ''), 3);
  t.is(editDistance('kitten', 'sitting'), 3);
  t.is(editDistance('flaw', 'lawn'), 2);
  t.is(similarTo('stak', ['stats', 'stacks', 'strict']), 'stats');
  t.is(similarTo('Scribbel', ['preScribble', 'scribble']), 'scribble');
  t.is(similarTo('anything', []), undefined);
  t.is(similarTo('SEED', ['HELP', 'STATS']), undefined);
  t.is(similarTo('GARD', ['HELP', 'GUARD']), 'GUARD');
  t.is(similarTo('x'.repeat(1e6), ['x'.repeat(9)]), undefined, 'a long name is not compared');
});
