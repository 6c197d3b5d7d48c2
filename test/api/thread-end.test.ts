/**
 * Proves that the program's own 'exit' listeners, whenever they were added, still have the heap, and that
 * reports and the end of an attachment come after the last of them, however the thread ends.
 */

import test from 'ava';
import { runScript } from '../workers.js';

const SCRIPT = new URL('thread-end.script.js', import.meta.url);
const LISTENERS = ['first listener', 'freed first', 'freed second'];

for (const how of ['return', 'exit', 'throw', 'exit in a listener', 'throw in a listener']) {
  test(`a worker's end by ${how}: its listeners free, then it detaches`, async (t) => {
    const { stdout, stderr } = await runScript(SCRIPT, ['worker', how]);
    const lines = stdout.trim().split('\n');
    const failed = how.includes('throw');
    const own = lines.filter((line) => line !== 'worker failed');
    t.deepEqual(own.slice(0, 5), [...LISTENERS, 'context ends', '1 attached, 0 bytes'], stderr);
    t.is(lines.includes('worker failed'), failed);
  });

  test(`a program's end by ${how}: its listeners free, then leaks are reported`, async (t) => {
    const { stdout, stderr, code } = await runScript(SCRIPT, ['main', how]);
    t.deepEqual(stdout.trim().split('\n'), LISTENERS, stderr);
    t.regex(stderr, /HEAP SUMMARY: in use at exit: 0 bytes in 0 blocks/);
    t.is(stderr.match(/HEAP SUMMARY/g)?.length, 1);
    t.is(code, { return: 0, exit: 7, 'exit in a listener': 7 }[how] ?? 1);
  });
}

test('a worker whose process.emit was put back: it detaches by a listener', async (t) => {
  const { stdout, stderr } = await runScript(SCRIPT, ['worker', 'no wrapper']);
  t.regex(stdout, /1 attached/, stderr);
});
