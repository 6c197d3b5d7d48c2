/**
 * Proves that all threads of a heap follow its debug options and those of the environment, and that
 * mistakes in the environment are reported once: in processes that have such an environment.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { DebugOptions } from 'shmalloc';
import * as DebugRecord from '../../src/layout/debug-record.js';
import { renderHelp } from '../../src/options/debug-help.js';
import { OPTIONS, OTHER_VARIABLES } from '../../src/options/debug-options.js';
import { type Finished, run } from '../workers.js';
import type { SettingsSeen } from './debug-options.script.js';

const SCRIPT = fileURLToPath(new URL('./debug-options.script.js', import.meta.url));

/** An environment without debug options. */
const QUIET: Record<string, string | undefined> = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith('SHMALLOC_'))
    .map((name) => [name, undefined]),
);

interface Ran {
  readonly seen: SettingsSeen;
  readonly finished: Finished;
  /** Texts of warnings, without their code. */
  readonly warnings: string[];
}

async function runWith(
  t: ExecutionContext,
  variables: Record<string, string>,
  debug: DebugOptions = {},
  cwd?: string,
): Promise<Ran> {
  const finished = await run(process.execPath, [SCRIPT, JSON.stringify(debug)], {
    env: { ...(QUIET as Record<string, string>), ...variables },
    ...(cwd === undefined ? {} : { cwd }),
  });
  t.is(finished.code, 0, finished.stderr);
  const warnings = [...finished.stderr.matchAll(/\[SHMALLOC_DEBUG_OPTION\] Warning: (.*)/g)];
  return {
    seen: JSON.parse(finished.stdout) as SettingsSeen,
    finished,
    warnings: warnings.map(([, text]) => text as string),
  };
}

test('environment: all threads follow the options of the heap, without a warning', async (t) => {
  const { seen, finished } = await runWith(
    t,
    { SHMALLOC_GUARD: '48', SHMALLOC_SCRIBBLE: '0', SHMALLOC_TEST_ANYTHING: 'x' },
    { scribble: true, history: 100 },
  );
  const expected = { ...DebugRecord.NONE, guardBytes: 48, historyEvents: 100 };
  t.deepEqual(seen.main, expected);
  t.deepEqual(
    seen.worker,
    expected,
    'a worker reads the settings of the heap, not its own environment',
  );
  t.deepEqual(
    seen.workersOwn,
    { ...DebugRecord.NONE, guardBytes: 4096 },
    'a heap that a worker makes follows its environment',
  );
  t.is(finished.stderr, '');
});

test('environment: unknown variables and bad values give one warning each, and are ignored', async (t) => {
  const { seen, warnings } = await runWith(t, {
    SHMALLOC_GARD: '64',
    SHMALLOC_SCRIBBLE: 'maybe',
    SHMALLOC_ON_ERROR: 'wran',
    SHMALLOC_QUARANTINE: '5GiB',
    SHMALLOC_STACKS: '16;100',
    SHMALLOC_HISTORY: '1e3',
    SHMALLOC_CHECK_EACH: '-1',
    SHMALLOC_CHECKED: 'true',
    SHMALLOC_TRACE: 'x'.repeat(5000),
    SHMALLOC_SEED: '5',
  });
  t.deepEqual(seen.main, DebugRecord.NONE);
  // The worker warns too: its own heap follows its own environment.
  const once = [...new Set(warnings)].sort();
  t.deepEqual(
    once.map((text) => text.replace(/x{100,}/, 'x...')),
    [
      "SHMALLOC_CHECKED must be 1 or 0, got 'true': it is ignored",
      "SHMALLOC_CHECK_EACH must be a whole number from 0 to 4,294,967,295, got '-1': it is ignored",
      'SHMALLOC_GARD is not a variable of shmalloc: the nearest is SHMALLOC_GUARD',
      "SHMALLOC_HISTORY must be a whole number from 0 to 1,000,000, got '1e3': it is ignored",
      "SHMALLOC_ON_ERROR must be throw, warn or ignore, got 'wran': it is ignored",
      "SHMALLOC_QUARANTINE must be a size below 4 GiB: a number of bytes, or a text like '16MiB', got '5GiB': it is ignored",
      'SHMALLOC_SCRIBBLE must be true or false (1 or 0, on or off, yes or no in the environment), ' +
        "got 'maybe': it is ignored",
      'SHMALLOC_SEED is not a variable of shmalloc: SHMALLOC_HELP=1 lists all of them',
      'SHMALLOC_STACKS must be 0 to 64 frames; for every n-th event only: { depth, every } in code, ' +
        "as in '16,100' in the environment, got '16;100': it is ignored",
      "SHMALLOC_TRACE must be a path of at most 1024 bytes, got 'x......': it is ignored",
    ],
  );
  t.is(warnings.length, 2 * once.length, 'each of two threads warns once, for three heaps');
});

test('environment: a bad value leaves the option of the code', async (t) => {
  const { seen } = await runWith(t, { SHMALLOC_GUARD: '64K' }, { guard: 16 });
  t.is(seen.main.guardBytes, 16);
});

test('environment: the lock check is a known variable, and not an option of a heap', async (t) => {
  const { seen, finished } = await runWith(t, { SHMALLOC_CHECKED: '1' });
  t.deepEqual(seen.main, DebugRecord.NONE);
  t.is(finished.stderr, '');
});

test('environment: a relative trace path begins at the working directory of the creating thread', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'shmalloc-trace-'));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  const { seen } = await runWith(t, { SHMALLOC_TRACE: 'logs/calls.trace' }, {}, cwd);
  t.is(seen.main.tracePath, join(cwd, 'logs/calls.trace'));
  t.is(seen.worker.tracePath, seen.main.tracePath);
});

for (const [how, variables, debug] of [
  ['SHMALLOC_HELP=1', { SHMALLOC_HELP: '1' }, {}],
  ['debug.help', {}, { help: true }],
] as const) {
  test(`help: ${how} prints the table to stderr, once in a process`, async (t) => {
    const { finished, seen } = await runWith(t, variables, debug);
    t.is(finished.stderr, renderHelp(Object.entries(OPTIONS), OTHER_VARIABLES));
    t.deepEqual(seen.main, DebugRecord.NONE);
  });
}
