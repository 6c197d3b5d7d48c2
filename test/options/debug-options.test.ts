/**
 * Proves that debug options can be set in code and by the environment, which takes precedence, and that
 * every mistake is reported. debug-options.long.test.ts has processes with such an environment.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type DebugOptions, SharedHeap } from 'shmalloc';
import * as DebugRecord from '../../src/layout/debug-record.js';
import type { DebugSettings } from '../../src/layout/index.js';
import { renderHelp, renderMarkdown } from '../../src/options/debug-help.js';
import { OPTIONS, OTHER_VARIABLES, resolveDebug } from '../../src/options/debug-options.js';
import { ROOT } from '../workers.js';

// ---- values

/** An option: its value in code, in the environment, and the resulting settings. */
const GOOD: [DebugOptions, Record<string, string>, Partial<DebugSettings>][] = [
  [{ scribble: true }, { SHMALLOC_SCRIBBLE: '1' }, { scribble: true }],
  [{ preScribble: true }, { SHMALLOC_PRESCRIBBLE: 'true' }, { preScribble: true }],
  [{ strict: true }, { SHMALLOC_STRICT: 'on' }, { strict: true }],
  [{ direct: true }, { SHMALLOC_DIRECT: 'YES' }, { direct: true }],
  [{ leaks: true }, { SHMALLOC_LEAKS: ' 1 ' }, { leaks: true }],
  [{ stats: true }, { SHMALLOC_STATS: 'True' }, { stats: true }],
  [{ guard: 0 }, { SHMALLOC_GUARD: '0' }, {}],
  [{ guard: 1 }, { SHMALLOC_GUARD: '1' }, { guardBytes: 1 }],
  [{ guard: 4096 }, { SHMALLOC_GUARD: '4096' }, { guardBytes: 4096 }],
  [{ guard: '1KiB' }, { SHMALLOC_GUARD: '1KiB' }, { guardBytes: 1024 }],
  [{ guard: '64' }, { SHMALLOC_GUARD: '64 B' }, { guardBytes: 64 }],
  [{ quarantine: 65_536 }, { SHMALLOC_QUARANTINE: '65536' }, { quarantineBytes: 65_536 }],
  [{ quarantine: '1.5MiB' }, { SHMALLOC_QUARANTINE: '1.5MiB' }, { quarantineBytes: 1_572_864 }],
  [
    { quarantine: 2 ** 32 - 1 },
    { SHMALLOC_QUARANTINE: '4294967295' },
    { quarantineBytes: 2 ** 32 - 1 },
  ],
  [{ checkStart: 100 }, { SHMALLOC_CHECK_START: '100' }, { checkStart: 100 }],
  [{ checkEach: 50 }, { SHMALLOC_CHECK_EACH: '50' }, { checkStart: 50, checkEach: 50 }],
  [
    { checkStart: 7, checkEach: 50 },
    { SHMALLOC_CHECK_START: '7', SHMALLOC_CHECK_EACH: '50' },
    { checkStart: 7, checkEach: 50 },
  ],
  [{ onError: 'warn' }, { SHMALLOC_ON_ERROR: 'warn' }, { onError: 'warn' }],
  [{ onError: 'ignore' }, { SHMALLOC_ON_ERROR: 'Ignore' }, { onError: 'ignore' }],
  [{ onError: 'throw' }, { SHMALLOC_ON_ERROR: 'throw' }, {}],
  [{ history: 1_000_000 }, { SHMALLOC_HISTORY: '1000000' }, { historyEvents: 1_000_000 }],
  [{ stacks: 64 }, { SHMALLOC_STACKS: '64' }, { stackDepth: 64 }],
  [{ stacks: { depth: 16 } }, { SHMALLOC_STACKS: '16' }, { stackDepth: 16 }],
  [
    { stacks: { depth: 16, every: 100 } },
    { SHMALLOC_STACKS: '16,100' },
    { stackDepth: 16, stackEvery: 100 },
  ],
  [{ trace: '/tmp/a trace' }, { SHMALLOC_TRACE: '/tmp/a trace' }, { tracePath: '/tmp/a trace' }],
  [
    { trace: 'logs/../trace' },
    { SHMALLOC_TRACE: 'trace' },
    { tracePath: join(process.cwd(), 'trace') },
  ],
  [
    { scribble: true, guard: 32, stacks: 8, onError: 'warn' },
    {
      SHMALLOC_SCRIBBLE: '1',
      SHMALLOC_GUARD: '32',
      SHMALLOC_STACKS: '8',
      SHMALLOC_ON_ERROR: 'warn',
    },
    { scribble: true, guardBytes: 32, stackDepth: 8, onError: 'warn' },
  ],
];

for (const [options, variables, expected] of GOOD) {
  test(`resolveDebug: ${JSON.stringify(options)} is ${JSON.stringify(variables)}`, (t) => {
    t.deepEqual(resolveDebug(options, {}), { ...DebugRecord.NONE, ...expected });
    t.deepEqual(resolveDebug({}, variables), { ...DebugRecord.NONE, ...expected });
    // An empty variable is off, whatever the option in code is.
    const emptied = Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
    t.deepEqual(resolveDebug(options, emptied), DebugRecord.NONE);
  });
}

test('resolveDebug: without options all settings are off', (t) => {
  t.deepEqual(resolveDebug(), DebugRecord.NONE);
  t.deepEqual(resolveDebug({}, {}), DebugRecord.NONE);
  const open = Object.fromEntries(Object.keys(OPTIONS).map((name) => [name, undefined]));
  t.deepEqual(resolveDebug(open as DebugOptions, {}), DebugRecord.NONE);
});

test('resolveDebug: the environment takes precedence, option by option', (t) => {
  const options: DebugOptions = { scribble: true, guard: 64, checkStart: 9, onError: 'warn' };
  const settings = resolveDebug(options, {
    SHMALLOC_SCRIBBLE: 'no',
    SHMALLOC_GUARD: '128',
    SHMALLOC_CHECK_EACH: '5',
    SHMALLOC_STRICT: '1',
  });
  t.deepEqual(settings, {
    ...DebugRecord.NONE,
    guardBytes: 128,
    checkStart: 9,
    checkEach: 5,
    strict: true,
    onError: 'warn',
  });
});

for (const off of ['0', 'false', 'off', 'no', 'OFF', '', '  ']) {
  test(`resolveDebug: a variable set to '${off}' turns its option off`, (t) => {
    t.false(resolveDebug({ scribble: true }, { SHMALLOC_SCRIBBLE: off }).scribble);
  });
}

// ---- mistakes in code

for (const [options, message] of [
  [{ scribble: 1 }, /debug\.scribble must be true or false.*, got 1$/],
  [{ strict: 'yes' }, /debug\.strict must be true or false.*, got 'yes'$/],
  [{ help: null }, /debug\.help must be true or false.*, got null$/],
  [
    { guard: 4097 },
    /debug\.guard must be a size from 0 to 4,096 bytes: a whole number, or a text like '1KiB', got 4097$/,
  ],
  [{ guard: -1 }, /debug\.guard .*got -1$/],
  [{ guard: 1.5 }, /debug\.guard .*got 1\.5$/],
  [{ guard: '8KiB' }, /debug\.guard .*got '8KiB'$/],
  [{ guard: 'wide' }, /debug\.guard .*got 'wide'$/],
  [{ guard: [64] }, /debug\.guard .*got \[ 64 \]$/],
  [{ guard: Number.NaN }, /debug\.guard .*got NaN$/],
  [{ quarantine: 2 ** 32 }, /debug\.quarantine must be a size below 4 GiB.*got 4294967296$/],
  [{ quarantine: '4GiB' }, /debug\.quarantine .*got '4GiB'$/],
  [{ quarantine: 'lots' }, /debug\.quarantine .*got 'lots'$/],
  [{ quarantine: true }, /debug\.quarantine .*got true$/],
  [{ checkStart: -5 }, /debug\.checkStart .*got -5$/],
  [{ checkEach: 2 ** 32 }, /debug\.checkEach .*got 4294967296$/],
  [{ onError: 'panic' }, /debug\.onError must be throw, warn or ignore, got 'panic'$/],
  [{ history: 1_000_001 }, /debug\.history .* 1,000,000, got 1000001$/],
  [{ stacks: 65 }, /debug\.stacks must be 0 to 64 frames.*got 65$/],
  [{ stacks: '16' }, /debug\.stacks .*got '16'$/],
  [{ stacks: {} }, /debug\.stacks .*got \{\}$/],
  [{ stacks: { depth: 16, every: 0 } }, /debug\.stacks .*got \{ depth: 16, every: 0 \}$/],
  [
    { stacks: { depth: 3, evry: 2 } },
    /debug\.stacks must be .*: \{ depth, every \} in code.*, got \{ depth: 3, evry: 2 \}$/,
  ],
  [{ stacks: { depth: 'x'.repeat(500) } }, /debug\.stacks .*got \{ depth: 'x+\.\.\.$/],
  [{ stacks: [16, 100] }, /debug\.stacks .*got \[ 16, 100 \]$/],
  [{ stacks: null }, /debug\.stacks .*got null$/],
  [{ trace: 5 }, /debug\.trace must be a path of at most \d+ bytes, got 5$/],
  [{ trace: 'x'.repeat(5000) }, /debug\.trace must be a path of at most \d+ bytes/],
  [{ gard: 5 }, /debug has no option 'gard'; the nearest is 'guard'$/],
  [{ onerror: 'warn' }, /debug has no option 'onerror'; the nearest is 'onError'$/],
  [
    { toString: true },
    /debug has no option 'toString'; it takes 'scribble', 'preScribble', .* and 'help'$/,
  ],
] as const) {
  test(`SharedHeap.create: debug ${JSON.stringify(options).slice(0, 60)} is refused with what is wrong`, (t) => {
    t.throws(() => SharedHeap.create({ size: '2MiB', debug: options as DebugOptions }), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message,
    });
  });
}

test('SharedHeap.create: debug that is not an object is refused', (t) => {
  for (const debug of [null, 5, 'scribble', true, [], ['scribble']]) {
    t.throws(() => SharedHeap.create({ size: '2MiB', debug: debug as never }), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /debug must be an object of options, as in \{ guard: 64 \}, got /,
    });
  }
});

// ---- texts made from the table

test('renderHelp: every option has a line with its variable, and one with its meaning and limit', (t) => {
  const help = renderHelp(Object.entries(OPTIONS), OTHER_VARIABLES).split('\n');
  for (const [name, { kind, variable, meaning, older }] of Object.entries(OPTIONS)) {
    const at = help.findIndex((one) => one.startsWith(`  ${variable}=`));
    t.true(
      [name, older].every((text) => help[at]?.includes(text)),
      variable,
    );
    t.is(help[at + 1]?.trim(), kind.limit === '' ? meaning : `${meaning}; ${kind.limit}`);
  }
  for (const limit of [
    'red zones before and after each block; at most 4,096 bytes',
    'keep the last events of each thread, this many; at most 1,000,000',
    'as in 16,100; at most 64 frames',
  ]) {
    t.true(help.join('\n').includes(limit), limit);
  }
  t.deepEqual(
    help.filter((line) => line.length > 100),
    [],
  );
  t.true(help.includes('  SHMALLOC_CHECKED=1'));
});

test('docs/debugging.md: has the table that the code generates', (t) => {
  const page = readFileSync(new URL('docs/debugging.md', ROOT), 'utf8');
  t.true(page.includes(renderMarkdown(Object.entries(OPTIONS), OTHER_VARIABLES)));
});
