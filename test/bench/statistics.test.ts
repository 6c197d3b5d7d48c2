/** Proves what the numbers of several rounds come to. */

import test from 'ava';
import { geometricMean, median, quantile, ratios, spread } from '../../bench/statistics.js';

test('median: the middle one, or between the two middle ones; of nothing NaN', (t) => {
  t.is(median([3, 100, 1]), 3);
  t.is(median([4, 1, 3, 2]), 2.5);
  t.is(median([7]), 7);
  t.is(median([]), Number.NaN);
});

test('median: leaves what it is given as it was', (t) => {
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

test('spread: quartiles, so one slow round of five does not show; NaN of one round', (t) => {
  t.is(spread([9, 10, 11, 10, 1000]), 0.1);
  t.is(spread([5, 5, 5]), 0);
  t.is(spread([5]), Number.NaN);
});

test('ratios: by round, as many as both have', (t) => {
  t.deepEqual(ratios([2, 9], [1, 3]), [2, 3]);
  t.deepEqual(ratios([2, 9, 4], [1]), [2]);
  t.deepEqual(ratios([], [1]), []);
});

test('geometricMean: twice as fast and twice as slow come to the same; of nothing NaN', (t) => {
  t.true(Math.abs(geometricMean([0.5, 2]) - 1) < 1e-12);
  t.true(Math.abs(geometricMean([2, 8]) - 4) < 1e-12);
  t.is(geometricMean([]), Number.NaN);
});
