/** Shared by the tests of reports at the end: a process whose heap ends, and what it prints. */

import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Finished, run } from '../workers.js';

const SCRIPT = fileURLToPath(new URL('./exit-hooks.script.js', import.meta.url));

export const LEAKS = /^HEAP SUMMARY: in use at exit: 3,296 bytes in 3 blocks$/gm;
const USAGE = /^total heap usage: 4 allocs, 1 frees, 109,792 bytes allocated$/m;
const NO_LEAKS = /^All heap blocks were freed -- no leaks are possible$/gm;
export const STATS = /^heap\n {2}reserved/gm;

export function end(
  how: string,
  left: 'leak' | 'free',
  env: Record<string, string>,
): Promise<Finished> {
  return run(process.execPath, [SCRIPT, how, left], { env });
}

export const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** The tests of one way in which the heap's thread ends, and of the process's exit code. */
export function testEnd(how: string, code: number): void {
  test(`leaks: a report when the heap's thread ends by ${how}, once`, async (t) => {
    const { code: got, stderr, stdout } = await end(how, 'leak', { SHMALLOC_LEAKS: '1' });
    t.is(got, code, stderr);
    t.is(count(stderr, LEAKS), 1, stderr);
    t.regex(stderr, USAGE);
    t.regex(stderr, /^3,072 bytes in 1 blocks of 3,072 bytes, at 0x[0-9a-f]+$/m);
    t.regex(stderr, /^224 bytes in 2 blocks of 112 bytes, first at 0x[0-9a-f]+$/m);
    t.true(stderr.indexOf('3,072 bytes in') < stderr.indexOf('224 bytes in'));
    t.is(count(stderr, NO_LEAKS), 0);
    t.is(count(stderr, STATS), 0);
    t.is(stdout, '');
  });

  // That one frees a block which there must be.
  if (how === 'reattach') return;
  test(`leaks: nothing left when the heap's thread ends by ${how}`, async (t) => {
    const { stderr } = await end(how, 'free', { SHMALLOC_LEAKS: '1' });
    t.is(count(stderr, NO_LEAKS), 1, stderr);
    t.regex(stderr, /^HEAP SUMMARY: in use at exit: 0 bytes in 0 blocks$/m);
    t.regex(stderr, /^total heap usage: 4 allocs, 4 frees, 109,792 bytes allocated$/m);
  });
}
