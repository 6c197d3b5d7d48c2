/** Proves that a trace has every call of threads that are killed, or that run while it is written. */

import test from 'ava';
import { seedOf } from '../helpers.js';
import { nextMessage } from '../workers.js';
import { assertLogs, isPrefix, replays, Traced } from './traced.js';
import { type CallLog, tellTrace } from './traced-heap.js';

test.serial(
  'finishTrace: loses no call of killed threads, also when other threads take their slots',
  async (t) => {
    const traced = new Traced(t, 3);
    const { thread: main, log } = traced.thread(0);
    const logs: CallLog[] = [log];
    for (let round = 0; round < 4; round++) {
      const running = [0, 1].map((n) => traced.worker(seedOf(t) + round * 2 + n, 200_000));
      await Promise.all(running.map(({ worker }) => nextMessage(worker)));
      for (const { worker, log } of running) {
        while (log.count < 500 + round * 700) await new Promise(setImmediate);
        await worker.terminate();
        logs.push(log);
      }
      main.core.recover();
      for (let n = 0; n < 100; n++) main.free(main.malloc(n));
    }
    const summary = traced.finish();
    t.like(summary, { threads: 9, dropped: 0, repaired: 0, lost: 0, truncated: false });
    const logged = logs.reduce((sum, { count }) => sum + count, 0);
    const ahead = (summary?.operations ?? 0) - logged;
    t.true(ahead >= 0 && ahead <= 8, `the last calls of those killed: ${ahead}`);
    await assertLogs(
      t,
      traced.path,
      logs.map((one) => one.lines()),
    );
    t.deepEqual(traced.files(), ['app.mtr.gz']);
    await replays(t, traced.path);
  },
);

test.serial('finishTrace: has the calls of running threads up to one moment', async (t) => {
  for (let round = 0; round < 3; round++) {
    const traced = new Traced(t);
    const running = [0, 1, 2].map((n) => traced.worker(seedOf(t) + round * 3 + n, 500_000));
    await Promise.all(running.map(({ worker }) => nextMessage(worker)));
    for (const { log } of running) {
      while (log.count < 2000 + 777 * round) await new Promise(setImmediate);
    }
    const done = running.map(({ log }) => log.lines());
    const summary = traced.finish();
    const files = traced.files();
    await Promise.all(running.map(({ worker }) => worker.terminate()));
    t.like(summary, { threads: 3, dropped: 0, repaired: 0, lost: 0 });
    await assertLogs(t, traced.path, done);
    const { threads } = await tellTrace(traced.path);
    for (const calls of threads) {
      const after = running.map(({ log }) => log.lines(calls.length));
      t.true(after.some((lines) => isPrefix(calls.slice(0, -1), lines)));
    }
    t.deepEqual(files, ['app.mtr.gz']);
    t.deepEqual(traced.files(), ['app.mtr.gz']);
  }
});
