/**
 * Proves that a caught stack overflow, wherever in the library it strikes, leaves nothing half
 * done: no lock is held, no invariant broken, and a call that threw has allocated nothing and freed
 * nothing. In threads with long and short stacks, and with an engine that only interprets.
 */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { SharedHeap } from 'shmalloc';
import { nextMessage, run } from '../workers.js';
import { type Dives, dive } from './overflow.js';
import type { OverflowTask } from './overflow.script.js';
import type { ColdDives } from './overflow-cold.script.js';

const SCRIPT = new URL('./overflow.script.js', import.meta.url);

function assertUnharmed(t: ExecutionContext, { calls, overflows, wrong }: Dives): void {
  t.log(`${calls} calls, ${overflows} of them overflowed`);
  t.deepEqual(wrong, []);
  t.true(overflows > calls / 50 && overflows < calls / 2, 'calls that fit, and calls that do not');
}

test.serial('a stack overflow in any call: nothing is half done, in the main thread', (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 2 });
  assertUnharmed(t, dive(heap, 1000));
});

for (const stackSizeMb of [0.5, 1]) {
  test.serial(`a stack overflow in any call: in a worker with ${stackSizeMb} MiB`, async (t) => {
    const workerData: OverflowTask = { rounds: 1500 };
    const worker = new Worker(SCRIPT, { workerData, resourceLimits: { stackSizeMb } });
    assertUnharmed(t, await nextMessage<Dives>(worker));
  });
}

test.serial('a stack overflow in any call of an instrumented heap: in a worker', async (t) => {
  const workerData: OverflowTask = { rounds: 100, debug: true };
  const worker = new Worker(SCRIPT, { workerData, resourceLimits: { stackSizeMb: 0.5 } });
  assertUnharmed(t, await nextMessage<Dives>(worker));
});

for (const [what, flags] of [
  ['that only interprets', ['--no-opt', '--no-sparkplug', '--no-maglev']],
  ['that compiles at once', ['--always-sparkplug']],
] as const) {
  test.serial(`a stack overflow in any call: with an engine ${what}`, async (t) => {
    const args = [...flags, '--stack-size=400', fileURLToPath(SCRIPT), '1000'];
    const { code, stdout, stderr } = await run(process.execPath, args);
    t.is(code, 0, stderr);
    assertUnharmed(t, JSON.parse(stdout) as Dives);
  });
}

const COLD = fileURLToPath(new URL('./overflow-cold.script.js', import.meta.url));

for (const debug of [{}, { strict: true, guard: 16 }, { strict: true, quarantine: 100_000 }]) {
  const options = JSON.stringify(debug);
  test.serial(
    `a stack overflow in a thread's first calls breaks no heap (debug: ${options})`,
    async (t) => {
      const args = [COLD, options];
      const { code, stdout, stderr } = await run(process.execPath, args);
      t.is(code, 0, stderr);
      const { overflows, wrong, left } = JSON.parse(stdout) as ColdDives;
      t.is(wrong, null);
      t.is(left, 0);
      t.true(overflows > 0, `${overflows} overflows`);
    },
  );
}
