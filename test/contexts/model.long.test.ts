/** Proves contexts against the model of model.ts: one long program for each heap. */

import test, { type ExecutionContext } from 'ava';
import { Random, seedOf } from '../helpers.js';
import { HEAPS, longSequence, type Model, runAll, STEPS } from './model.js';

function assertBusy(t: ExecutionContext, { counts }: Model): void {
  t.log([...counts].map(([what, times]) => `${what} ${times}`).join(', '));
  const must = ['freed', 'moved', 'moved below another', 'adopted', 'callback', ...STEPS];
  for (const what of must) t.true((counts.get(what) ?? 0) > 5, what);
}

for (const [where, makeHeap] of Object.entries(HEAPS)) {
  test(`contexts do what the model does, in ${where}, one long program`, (t) => {
    const random = new Random(seedOf(t));
    let model: Model | undefined;
    t.notThrows(() => {
      model = runAll(makeHeap(), longSequence(random, 6000), 400);
    });
    if (model === undefined) return;
    assertBusy(t, model);
    if (where === 'a small heap') {
      const { counts } = model;
      t.true((counts.get('full') ?? 0) > 0, 'the heap was full');
      t.true((counts.get('no record') ?? 0) > 0, 'all records were taken');
    }
  });
}
