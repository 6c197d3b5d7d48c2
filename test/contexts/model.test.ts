/** Proves contexts against the model of model.ts: short programs. */

import test from 'ava';
import fc from 'fast-check';
import { seedOf } from '../helpers.js';
import { HEAPS, runAll, steps } from './model.js';

for (const [where, makeHeap] of Object.entries(HEAPS)) {
  test(`contexts do what the model does, in ${where}, short programs`, (t) => {
    const seed = seedOf(t);
    const property = fc.property(fc.array(steps, { maxLength: 120, size: 'max' }), (sequence) => {
      runAll(makeHeap(), sequence, 40);
    });
    t.notThrows(() => fc.assert(property, { seed, numRuns: 25 }));
  });
}
