/**
 * Proves that no end of a pool, however early, ends the process: Node 20 and 22 abort if a worker
 * is terminated while it loads an ES module by require(), as piscina does.
 *
 * The README's example runs 200 times: in processes of 25 pools each, two processes at a time.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import anyOrder from 'ava';

const test = anyOrder.serial;
const SCRIPT = fileURLToPath(new URL('./ends.script.js', import.meta.url));

interface End {
  /** Exit status, or the signal that ended the process. */
  readonly end: number | string;
  readonly out: string;
  readonly err: string;
}

function run(what: string, times = 1): Promise<End> {
  return new Promise((resolve) => {
    const args = [SCRIPT, what, String(times)];
    execFile(process.execPath, args, { timeout: 240_000 }, (error, out, err) => {
      const end = error === null ? 0 : (error.signal ?? error.code ?? 'unknown');
      resolve({ end, out, err });
    });
  });
}

/** Runs the script `count` times, two at a time. */
async function runAll(count: number, what: string, times?: number): Promise<End[]> {
  const ends: End[] = [];
  const next = async () => {
    while (count-- > 0) ends.push(await run(what, times));
  };
  await Promise.all([next(), next()]);
  return ends;
}

for (const [what, processes, times, title] of [
  // Divided into parts, so that none takes minutes.
  ...[1, 2, 3, 4].map((part) => ['example', 2, 25, `README's example, part ${part} of 4`] as const),
  ['commonjs', 2, 8, 'with a CommonJS module of workers that requires the package'],
  ['early', 2, 15, 'at any moment of the start of its workers'],
  ['aborted', 2, 8, 'after tasks that were aborted while their workers were loaded'],
  ['nested', 2, 2, 'with pools in its workers, whose workers are still loaded'],
] as const) {
  test(`HeapPool.destroy: does not end the process:  ${title}`, async (t) => {
    for (const { end, out, err } of await runAll(processes, what, times)) {
      t.is(end, 0, err);
      t.is(out, 'done\n');
    }
  });
}

for (const [what, status, title] of [
  ['exit-loading', 5, 'process.exit() right after run()'],
  ['exit', 5, 'process.exit() while other workers are loaded'],
  ['throw-loading', 1, 'the main thread throws right after run()'],
  ['throw', 1, 'the main thread throws while other workers are loaded'],
] as const) {
  test(`HeapPool: ends with the process and does not abort it: ${title}`, async (t) => {
    for (const { end, err } of await runAll(6, what)) {
      t.is(end, status, err);
      if (status === 1) t.regex(err, /RangeError: of the main thread/);
      else t.is(err, '');
    }
  });
}
