/**
 * Calls of a living thread, cut by V8 at random moments: see cuts.script.ts. All points in turn are cut in
 * test/points/cuts.long.test.ts.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { seedOf } from '../helpers.js';

const SCRIPT = fileURLToPath(new URL('cuts.script.js', import.meta.url));
const INTERPRETED = ['--no-opt', '--no-sparkplug', '--no-maglev'];
const CUTS = process.env.SHMALLOC_TEST_DEATHS === 'all' ? 500 : 20;

const PLAIN = 'blocks sizes contexts vectors vectorsInContexts addresses looks attach';
const INSTRUMENTED = 'blocks sizes contexts vectors addresses';

const runs = [
  ...PLAIN.split(' ').flatMap((kind) => [
    { kind, how: 'plain', flags: [] },
    { kind, how: 'plain', flags: INTERPRETED },
  ]),
  ...INSTRUMENTED.split(' ').map((kind) => ({ kind, how: 'debug', flags: [] })),
];

for (const { kind, how, flags } of runs) {
  const engine = flags.length > 0 ? ', interpreted' : '';
  test.serial(`a call that vm cuts, then any other: ${kind}, ${how}${engine}`, (t) => {
    const args = [...flags, SCRIPT, kind, how, String(CUTS), String(seedOf(t))];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 120_000,
    });
    t.is(status, 0, stderr);
    t.deepEqual(JSON.parse(stdout), { problems: [], cachedBlocks: 0, slots: 1 });
  });
}
