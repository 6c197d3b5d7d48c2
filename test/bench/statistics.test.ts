/** Proves the statistics over the numbers of several rounds. */

import test from 'ava';
import { geometricMean, median, quantile, ratios, spread } from '../../bench/statistics.js';

test('median: the middle value, or the mean of the two middle ones; NaN for an empty list', (t) => {
  t.is(median([3, 100, 1]), 3);
  t.is(median([4, 1, 3, 2]), 2.5);
  t.is(median([7]), 7);
  t.is(median([]), Number.NaN);
});

test('median: does not change its argument', (t) => {
  const given = [3, 1, 2];
  median(given);
  t.deepEqual(given, [3, 1, 2]);
});

test('quantile: the ends, and places between two values', (t) => {
  const values = [10, 20, 30, 40, 50];
  t.is(quantile(values, 0), 10);
  t.is(quantile(values, 1), 50);
  t.is(quantile(values, 0.25), 20);
  t.is(quantile([10, 20], 0.25), 12.5);
});

test('spread: uses quartiles, so that one slow round of five has no effect; NaN for one round', (t) => {
  t.is(spread([9, 10, 11, 10, 1000]), 0.1);
  t.is(spread([5, 5, 5]), 0);
  t.is(spread([5]), Number.NaN);
});

test('ratios: by round, for the rounds that both have', (t) => {
  t.deepEqual(ratios([2, 9], [1, 3]), [2, 3]);
  t.deepEqual(ratios([2, 9, 4], [1]), [2]);
  t.deepEqual(ratios([], [1]), []);
});

test('geometricMean: twice as fast and twice as slow cancel out; NaN for an empty list', (t) => {
  t.true(Math.abs(geometricMean([0.5, 2]) - 1) < 1e-12);
  t.true(Math.abs(geometricMean([2, 8]) - 4) < 1e-12);
  t.is(geometricMean([]), Number.NaN);
});
