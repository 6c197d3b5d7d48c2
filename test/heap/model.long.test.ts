/** Proves the allocator against the model of model.ts: one long sequence of operations for each place. */

import assert from 'node:assert/strict';
import test from 'ava';
import { Random, seedOf } from '../helpers.js';
import { longSequence, PLACES, runAll } from './model.js';

for (const [place, makePlace] of Object.entries(PLACES)) {
  test(`SharedHeap: does what the model does, ${place}, one long sequence`, (t) => {
    const seed = seedOf(t);
    const random = new Random(seed);
    t.notThrows(() => {
      const full = runAll(makePlace, longSequence(random, 12_000), 1000);
      assert.ok(full > 10, `the heap was full ${full} times`);
    });
  });
}
