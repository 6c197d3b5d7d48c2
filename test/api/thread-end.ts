/** Shared by the tests of the end of a thread: a worker and a program with 'exit' listeners of their own. */

import test from 'ava';
import { runScript } from '../workers.js';

export const SCRIPT = new URL('thread-end.script.js', import.meta.url);
const LISTENERS = ['first listener', 'freed first', 'freed second'];

/** The tests of one way in which a thread ends: a worker, and a program. */
export function testEnd(how: string): void {
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
