/**
 * Proves that test doubles of clocks and timers change no byte of a trace, no line of a leak
 * report, and no time of a history: the doubles of node:test, and doubles like those of sinon and
 * jest.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runScript } from '../workers.js';

const SCRIPT = new URL('./doubles.script.js', import.meta.url);

async function play(folder: string, doubles: string) {
  const trace = join(folder, `${doubles}.mtr.gz`);
  const finished = await runScript(SCRIPT, [doubles, trace]);
  return { ...finished, trace: readFileSync(trace, 'base64') };
}

test('doubles of clocks and timers: change no trace, no leak report and no history', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-doubles-'));
  try {
    const real = await play(folder, 'none');
    t.is(real.code, 0, real.stderr);
    t.regex(real.stderr, /^HEAP SUMMARY: in use at exit: [\d,]+ bytes in 1,000 blocks/);
    t.deepEqual(JSON.parse(real.stdout), { events: 100, isSorted: true, isNow: true });
    for (const doubles of ['node', 'still']) {
      const { stderr, ...rest } = await play(folder, doubles);
      t.is(stderr.replace(/\(node:\d+\) ExperimentalWarning.*\n.*\n/, ''), real.stderr, doubles);
      t.deepEqual({ ...rest, stderr: '' }, { ...real, stderr: '' }, doubles);
    }
    // The trace of an earlier run is overwritten, whatever a clock says: no second name.
    await play(folder, 'still');
    t.deepEqual(readdirSync(folder).sort(), ['node.mtr.gz', 'none.mtr.gz', 'still.mtr.gz']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
