/** Proves the allocator against the model of model.ts: short sequences of operations. */

import test from 'ava';
import fc from 'fast-check';
import { seedOf } from '../helpers.js';
import { operations, PLACES, runAll } from './model.js';

for (const [place, makePlace] of Object.entries(PLACES)) {
  test(`SharedHeap: does what the model does, ${place}, short sequences`, (t) => {
    const seed = seedOf(t);
    const property = fc.property(
      fc.array(operations, { maxLength: 150, size: 'max' }),
      (sequence) => {
        runAll(makePlace, sequence, 25);
      },
    );
    t.notThrows(() => fc.assert(property, { seed, numRuns: 40 }));
  });
}
