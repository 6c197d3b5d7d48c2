/**
 * Proves that sums of records include every field.
 */

import test from 'ava';
import { addCounts, isNothing } from '../../src/base/index.js';
import { nothingRecovered } from '../../src/recovery/recover.js';

test('addCounts: adds every field, also those of a recovery', (t) => {
  const sum: Record<string, number> = { ...nothingRecovered() };
  const names = Object.keys(sum);
  const found = Object.fromEntries(names.map((name, n) => [name, n + 1]));
  addCounts(sum, found);
  addCounts(sum, found);
  t.deepEqual(sum, Object.fromEntries(names.map((name, n) => [name, 2 * n + 2])));
});

test('isNothing: false if any field is not 0', (t) => {
  const nothing = nothingRecovered();
  t.true(isNothing(nothing));
  for (const name of Object.keys(nothing)) t.false(isNothing({ ...nothing, [name]: 1 }), name);
});
