/**
 * Proves that the program's own 'exit' listeners still have the heap, however the thread ends; the plain end
 * is in thread-end.test.ts.
 */

import test from 'ava';
import { runScript } from '../workers.js';
import { SCRIPT, testEnd } from './thread-end.js';

for (const how of ['exit', 'throw', 'exit in a listener', 'throw in a listener']) testEnd(how);

test('a worker whose process.emit was put back: it detaches by a listener', async (t) => {
  const { stdout, stderr } = await runScript(SCRIPT, ['worker', 'no wrapper']);
  t.regex(stdout, /1 attached/, stderr);
});
