/**
 * Proves that a stack overflow, wherever in a call of a context it strikes, leaves nothing half done:
 * no record without an owner, no context that can neither be used nor ended, no chunk that is lost.
 */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { nextMessage, run } from '../workers.js';
import type { ContextDives } from './overflow.script.js';
import type { ColdContexts } from './overflow-cold.script.js';

const SCRIPT = new URL('./overflow.script.js', import.meta.url);

function assertUnharmed(t: ExecutionContext, dives: ContextDives): void {
  const { calls, overflows, each, wrong } = dives;
  t.log(`${calls} calls, ${overflows} of them overflowed: ${each.join(', ')}`);
  t.deepEqual(wrong, []);
  t.true(overflows > calls / 100 && overflows < calls * 0.8, 'calls that fit, and that do not');
  t.true(
    each.every((n) => n > 0),
    'of each kind',
  );
}

for (const stackSizeMb of [0.5, 1]) {
  test.serial(
    `a stack overflow in calls of contexts: in a worker of ${stackSizeMb} MiB`,
    async (t) => {
      const worker = new Worker(SCRIPT, {
        workerData: { rounds: 200 },
        resourceLimits: { stackSizeMb },
      });
      assertUnharmed(t, await nextMessage<ContextDives>(worker));
    },
  );
}

for (const stackKib of [300, 400, 984]) {
  test.serial(
    `a stack overflow in the first calls of contexts: ${stackKib} KiB of stack`,
    async (t) => {
      for (const rounds of ['1', '4']) {
        const args = [`--stack-size=${stackKib}`, fileURLToPath(SCRIPT), rounds, 'cold'];
        const { code, stdout, stderr } = await run(process.execPath, args);
        t.is(code, 0, stderr);
        const { overflows, wrong } = JSON.parse(stdout) as ContextDives;
        t.deepEqual(wrong, []);
        t.true(overflows > 0);
      }
    },
  );
}

for (const [what, flags] of [
  ['that only interprets', ['--no-opt', '--no-sparkplug', '--no-maglev']],
  ['that compiles at once', ['--always-sparkplug']],
] as const) {
  test.serial(`a stack overflow in calls of contexts: with an engine ${what}`, async (t) => {
    const args = [...flags, '--stack-size=400', fileURLToPath(SCRIPT), '200'];
    const { code, stdout, stderr } = await run(process.execPath, args);
    t.is(code, 0, stderr);
    assertUnharmed(t, JSON.parse(stdout) as ContextDives);
  });
}

const COLD = fileURLToPath(new URL('./overflow-cold.script.js', import.meta.url));

for (const what of ['create', 'adopt']) {
  test.serial(
    `a stack overflow in the very first ${what} at any depth leaves no context`,
    async (t) => {
      const { code, stdout, stderr } = await run(process.execPath, [COLD, what]);
      t.is(code, 0, stderr);
      const { overflows, ...after } = JSON.parse(stdout) as ColdContexts;
      t.deepEqual(after, { left: 0, isSound: true });
      t.true(overflows > 0);
    },
  );
}
