/**
 * Proves that source, build and model have the same kill points.
 */

import test from 'ava';
import { MODEL_ONLY, POINTS, SOURCE_ONLY } from '../model/points.js';
import { instrument, pointsInSource } from './instrument.js';

test('kill points: the build has every marker of the source', (t) => {
  const copy = instrument();
  t.deepEqual(copy.names, pointsInSource());
  copy.remove();
});

test('kill points: the model is cut where the source is cut', (t) => {
  t.deepEqual(pointsInSource(), [...POINTS, ...SOURCE_ONLY].sort());
  t.deepEqual(
    MODEL_ONLY.filter((name) => POINTS.includes(name as never)),
    [],
  );
});
