/**
 * Proves that the example server answers, loses nothing to a killed worker, and ends with an empty
 * heap: after its self-test, after a number of requests, and when it is told to stop.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import anyOrder, { type ExecutionContext } from 'ava';
import { ROOT, run } from '../workers.js';

// Each test starts a process with threads: one at a time is enough for a small machine.
const test = anyOrder.serial;

const MAIN = fileURLToPath(new URL('dist/examples/towns/main.js', ROOT));
const SMALL = ['--port', '0', '--towns', '20000'];
const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

test('towns --self-test: all answers are right, and nothing is in use at the end', async (t) => {
  const args = [MAIN, '--self-test', ...SMALL, '--limit', '4000'];
  const { code, stdout, stderr } = await run(process.execPath, args);
  t.is(stderr, '');
  t.regex(stdout, /^[1-9]\d* bytes that its context had are back in the heap$/m);
  t.is(lastLine(stdout), '0 bytes in use');
  t.is(code, 0);
});

/** Starts a server, calls `work` with its address; returns its exit code and last line. */
async function serve(
  t: ExecutionContext,
  args: readonly string[],
  work: (url: string, kill: () => void) => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...SMALL, ...args]);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  // Not 'exit': the last output may come after that.
  const exited = once(child, 'close');
  try {
    while (!stdout.includes('\n')) await once(child.stdout, 'data');
    await work(stdout.trim().split(' ').at(-1) ?? '', () => child.kill('SIGTERM'));
    const [code] = await exited;
    t.is(lastLine(stdout), '0 bytes in use');
    t.is(code, 0);
  } finally {
    child.kill('SIGKILL');
  }
}

test('towns --requests: stops after that many requests, wrong ones included', async (t) => {
  await serve(t, ['--requests', '4'], async (url) => {
    const statuses = [];
    for (const path of ['/search?name=Ash', '/nearest?x=far', '/match?name=(', '/nothing']) {
      const response = await fetch(url + path);
      statuses.push(response.status);
      await response.text();
    }
    t.deepEqual(statuses, [200, 400, 400, 404]);
  });
});

test('towns: a server that is told to stop answers the requests that have arrived', async (t) => {
  await serve(t, [], async (url, kill) => {
    const answers = Array.from({ length: 4 }, () => fetch(`${url}/match?name=ham$`));
    await answers[0];
    kill();
    for (const { status } of await Promise.all(answers)) t.is(status, 200);
  });
});
