/**
 * Proves that damage which no call has found is reported when the creator of the heap ends: of
 * blocks that were never freed, and of those that wait in quarantine; each once.
 */

import test from 'ava';
import { runScript } from '../workers.js';

const SCRIPT = new URL('./at-the-end.script.js', import.meta.url);
const OVERRUN = /1 byte past the end of the block/g;
const LATE = /was written to after its free, at offset 3/g;

for (const manner of ['exit', 'detach', 'worker', 'verified']) {
  test(`at the end: damage that no call found is reported once (${manner})`, async (t) => {
    const { code, stdout, stderr } = await runScript(SCRIPT, [manner]);
    t.is(code, 0);
    t.is(stderr.match(OVERRUN)?.length, 1, stderr);
    t.is(stderr.match(LATE)?.length, 2, stderr);
    if (manner === 'verified') t.is(stdout.trim(), '3');
  });
}
