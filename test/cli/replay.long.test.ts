/**
 * Proves what `shmalloc replay` prints where, and its exit codes: results on stdout, everything
 * else on stderr; 0 for done, 1 for a corrupted block or a full heap, 2 for a wrong call or file.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import anyOrder, { type ExecutionContext } from 'ava';
import type { HeapStats } from 'shmalloc';
import { sumOfParts } from '../helpers.js';
import { SAMPLE, TraceFolder, traceBytes } from '../trace/make-trace.js';
import { COMMAND, type Finished, firstLine, ROOT, shmalloc } from '../workers.js';

// Each test starts processes: one at a time is enough for a small machine.
const test = anyOrder.serial;

const shipped = (name: string) => fileURLToPath(new URL(`bench/traces/${name}.mtr.gz`, ROOT));

interface Report {
  threads: number;
  operations: number;
  seconds: number;
  operationsPerSecond: number;
  verified: boolean;
  corrupted: number;
  traces: {
    name: string;
    operations: number;
    nsPerOperation: number;
    operationsPerSecond: number | null;
    peakLiveBytes: number;
  }[];
  stats: HeapStats;
  verify?: { ok: boolean; problems: unknown[] };
}

function reportOf(t: ExecutionContext, { code, stdout, stderr }: Finished, exit = 0): Report {
  t.is(code, exit, stderr);
  if (exit === 0) t.is(stderr, '');
  return JSON.parse(stdout) as Report;
}

/** Checks a wrong call: exit code 2, one clear line on stderr, no stack, nothing on stdout. */
function assertRefused(t: ExecutionContext, { code, stdout, stderr }: Finished, says: RegExp) {
  t.is(code, 2, stderr);
  t.is(stdout, '');
  t.regex(stderr, says);
  t.regex(stderr, /^shmalloc: /);
  t.notRegex(stderr, /\n\s+at /, 'a wrong call is not a crash');
}

// ---- what it prints

test('replay --json: reports trace, counts, time and the heap, which ends empty', async (t) => {
  const finished = await shmalloc('replay', shipped('ls'), '--json', '--repeat', '3');
  const report = reportOf(t, finished);
  t.deepEqual(Object.keys(report), [
    'threads',
    'operations',
    'seconds',
    'operationsPerSecond',
    'verified',
    'corrupted',
    'traces',
    'stats',
  ]);
  t.is(report.threads, 1);
  t.is(report.operations, 3 * 36_851);
  t.true(report.seconds > 0);
  t.is(report.operationsPerSecond, report.operations / report.seconds);
  t.false(report.verified);
  t.is(report.corrupted, 0);
  t.is(report.traces.length, 1);
  const [trace] = report.traces;
  t.is(trace?.name, 'ls');
  t.is(trace?.operations, 3 * 36_851);
  t.true((trace?.nsPerOperation ?? 0) > 0);
  t.true((trace?.peakLiveBytes ?? 0) > 100_000);
  t.is(report.stats.inUseBytes, 0);
  t.is(report.stats.allocations, report.stats.frees);
  t.true(report.stats.allocations > 0);
  t.is(sumOfParts(report.stats), report.stats.reservedBytes);
  t.is(report.stats.threads.filter((thread) => thread.attached).length, 1);
});

test('replay --verify: checks all contents and finds no corruption', async (t) => {
  const names = ['ls', 'git', 'make', 'ps', 'cat', 'uname', 'hostname', 'vim'];
  const report = reportOf(
    t,
    await shmalloc('replay', ...names.map(shipped), '--verify', '--json', '--repeat', '2'),
  );
  t.true(report.verified);
  t.is(report.corrupted, 0);
  t.deepEqual(report.traces.map((trace) => trace.name).sort(), [...names].sort());
  t.is(report.stats.inUseBytes, 0);
});

test('replay --check: the heap keeps all its invariants, and the report says so', async (t) => {
  const args = ['--threads', '2', '--repeat', '2', '--check'];
  const files = ['ls', 'git', 'make'].map(shipped);
  const report = reportOf(t, await shmalloc('replay', ...files, ...args, '--json'));
  t.deepEqual(report.verify, { ok: true, problems: [] });
  t.is(Object.keys(report).at(-1), 'verify');
  const { code, stdout } = await shmalloc('replay', ...files, ...args);
  t.is(code, 0);
  t.regex(stdout, /the heap keeps all its invariants/);
});

test('replay: without --json it prints a table of traces and the heap on stdout', async (t) => {
  const { code, stdout } = await shmalloc('replay', shipped('cat'), '--repeat', '2');
  t.is(code, 0);
  t.regex(stdout, /^\s*trace\s+operations\s+ns\/op$/m);
  t.regex(stdout, /^\s*cat\s+524\s+\d+\.\d$/m);
  t.regex(stdout, /524 operations on 1 thread\(s\)/);
  t.regex(stdout, /^size classes$/m);
});

test('replay: progress goes to stderr as plain lines if it is not a terminal', async (t) => {
  const child = spawn(process.execPath, [COMMAND, 'replay', shipped('ls'), '--repeat', '1000000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  try {
    const line = await firstLine(child.stderr);
    t.regex(
      line,
      /^\s*\d+ %\s+[\d,]+ operations, [\d,]+ a second, in use [\d.]+ \w*B, footprint [\d.]+ \w*B$/,
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it must not be there
    t.notRegex(line, /\u001b|\r|█/, 'no terminal codes');
    t.is(stdout, '');
  } finally {
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }
});

// ---- threads

test('replay --threads: with more traces than threads, each is replayed once', async (t) => {
  const names = ['ls', 'git', 'make', 'ps', 'cat'];
  const report = reportOf(
    t,
    await shmalloc('replay', ...names.map(shipped), '--json', '--threads', '2', '--repeat', '2'),
  );
  t.is(report.threads, 2);
  const operations = { ls: 36_851, git: 1381, make: 3508, ps: 2276, cat: 262 };
  t.deepEqual(
    Object.fromEntries(report.traces.map((trace) => [trace.name, trace.operations / 2])),
    operations,
  );
  t.is(report.operations, 2 * Object.values(operations).reduce((sum, n) => sum + n, 0));
  t.is(report.stats.inUseBytes, 0);
  t.is(sumOfParts(report.stats), report.stats.reservedBytes);
});

test('replay --threads: with fewer traces than threads, traces are given out again', async (t) => {
  const report = reportOf(
    t,
    await shmalloc(
      'replay',
      ...[shipped('git'), shipped('make')],
      ...['--json', '--threads', '3', '--repeat', '2', '--verify'],
    ),
  );
  t.is(report.threads, 3);
  t.is(report.corrupted, 0);
  t.deepEqual(
    report.traces.map((trace) => [trace.name, trace.operations]),
    [
      ['git', 2 * 2 * 1381],
      ['make', 2 * 2 * 3508],
    ],
  );
  t.is(report.operations, 4 * (1381 + 3508));
  t.is(report.stats.inUseBytes, 0);
});

test('replay --threads: operations per second are of all workers of a trace; null if traces took turns', async (t) => {
  const traces = async (...args: string[]) =>
    reportOf(t, await shmalloc('replay', ...args, '--json', '--repeat', '6')).traces;
  const [alone] = await traces(shipped('ls'), '--threads', '1');
  const alonePerSecond = alone?.operationsPerSecond ?? 0;
  t.true(alonePerSecond > 0);
  t.true(alonePerSecond <= 1.001e9 / (alone?.nsPerOperation ?? 0), 'the best is not a mean');
  const [together] = await traces(shipped('ls'), '--threads', '2');
  t.is(together?.operations, 2 * 6 * 36_851);
  const togetherPerSecond = together?.operationsPerSecond ?? 0;
  t.true(togetherPerSecond > 0);
  t.true(togetherPerSecond <= 2.001e9 / (together?.nsPerOperation ?? 0), 'at most twice the best');
  const turns = await traces(shipped('ls'), shipped('git'), '--threads', '1');
  t.deepEqual(
    turns.map(({ operationsPerSecond }) => operationsPerSecond),
    [null, null],
  );
});

test('replay --threads: an empty trace has 0 operations per second', async (t) => {
  const empty = new TraceFolder(t).trace('empty', [], 0);
  const finished = await shmalloc('replay', empty, '--threads', '2', '--json');
  t.is(reportOf(t, finished).traces[0]?.operationsPerSecond, 0);
});

// ---- exit code 1

for (const corruptAt of [0, 100, 20_000]) {
  test(`replay --corrupt ${corruptAt}: --verify finds the corruption and its place, exit code 1`, async (t) => {
    const finished = await shmalloc(
      'replay',
      shipped('ls'),
      ...['--verify', '--json', '--repeat', '1', '--corrupt', String(corruptAt)],
    );
    const report = reportOf(t, finished, 1);
    t.is(report.corrupted, 1);
    const said =
      /^shmalloc: ls: 1 blocks corrupted; first: operation (\d+), block at 0x[\da-f]+, byte (\d+): expected 0x([\da-f]+), found 0x([\da-f]+)\n$/.exec(
        finished.stderr,
      );
    t.not(said, null, finished.stderr);
    const [, operation, , expected, found] = said ?? [];
    t.true(Number(operation) >= corruptAt);
    t.is(Number.parseInt(expected ?? '', 16) ^ Number.parseInt(found ?? '', 16), 0xff);
    t.is(report.stats.inUseBytes, 0, 'the replay went on to its end');
  });
}

test('replay: a heap too small for the trace is exit code 1, with the operation', async (t) => {
  const { code, stdout, stderr } = await shmalloc(
    ...['replay', shipped('perl'), '--heap', '2MiB', '--repeat', '1'],
  );
  t.is(code, 1);
  t.regex(stderr, /perl: the heap was full at operation \d+: try a larger --heap/);
  t.notRegex(stderr, /\n\s+at /);
  t.regex(stdout, /^heap$/m, 'the statistics show why');
});

test('replay --verify: a heap too small is reported too, with no block corrupted', async (t) => {
  const finished = await shmalloc(
    ...['replay', shipped('perl'), '--heap', '2MiB', '--repeat', '2', '--verify', '--json'],
  );
  const report = reportOf(t, finished, 1);
  t.is(report.corrupted, 0);
  t.regex(finished.stderr, /heap was full/);
  t.is(report.stats.inUseBytes, 0);
});

// ---- exit code 2: files

test('replay: a missing trace file is exit code 2', async (t) => {
  const path = new TraceFolder(t).path('nowhere.mtr.gz');
  assertRefused(t, await shmalloc('replay', path), /nowhere\.mtr\.gz.*no such file/);
});

test('replay: one wrong file among right ones is exit code 2, before anything runs', async (t) => {
  const path = new TraceFolder(t).write('text.mtr.gz', Buffer.from('hello'));
  const finished = await shmalloc('replay', shipped('cat'), path, '--json');
  assertRefused(t, finished, /text\.mtr\.gz.*gzip/);
});

for (const [what, file, says] of [
  ['a truncated file', gzipSync(traceBytes(SAMPLE)).subarray(0, 40), /gzip/],
  ['a corrupt file', gzipSync(traceBytes([['free', 3]])), /operation 0 frees an empty block id/],
  ['a foreign file', gzipSync(Buffer.from('not a trace at all')), /MTR1/],
] as const) {
  test(`replay: ${what} is exit code 2`, async (t) => {
    const path = new TraceFolder(t).write('wrong.mtr.gz', file);
    assertRefused(t, await shmalloc('replay', path, '--json'), says);
  });
}

test('replay: a trace file of the user is replayed, and blocks left at its end are freed', async (t) => {
  const path = new TraceFolder(t).trace('own', SAMPLE.slice(0, 8));
  const report = reportOf(t, await shmalloc('replay', path, '--json', '--verify'));
  t.is(report.traces[0]?.name, 'own');
  t.is(report.operations, 5 * 8);
  t.is(report.stats.inUseBytes, 0);
  t.is(report.stats.allocations, report.stats.frees);
});

test('replay: an empty trace is replayed, and every number in the report is a number', async (t) => {
  const path = new TraceFolder(t).trace('empty', [], 0);
  const report = reportOf(t, await shmalloc('replay', path, '--json'));
  t.is(report.operations, 0);
  t.is(typeof report.traces[0]?.nsPerOperation, 'number');
});

// ---- exit code 2: options

for (const [args, says] of [
  [['--threads', '0'], /--threads.*'0'/],
  [['--threads', '256'], /--threads.*'256'/],
  [['--threads', '1.5'], /--threads.*'1\.5'/],
  [['--threads', 'two'], /--threads.*'two'/],
  [['--threads', ''], /--threads.*''/],
  [['--threads=-1'], /--threads.*'-1'/],
  [['--threads'], /threads/],
  [['--repeat', '0'], /--repeat.*'0'/],
  [['--repeat', '1e3'], /--repeat.*'1e3'/],
  [['--heap', 'banana'], /size.*'banana'/],
  [['--heap', '1KiB'], /size.*'1KiB'/],
  [['--heap', '8GiB'], /size.*'8GiB'/],
  [['--heap', '2MiB', '--threads', '254'], /no room/],
  [['--corrupt', '5'], /--corrupt.*--verify/],
  [['--verify', '--corrupt', 'x'], /--corrupt.*'x'/],
  [['--verify', '--corrupt=-1'], /--corrupt.*'-1'/],
  [['--fast'], /--fast/],
  [['--json=yes'], /json/],
] as const) {
  test(`replay ${args.join(' ')}: exit code 2, with the reason`, async (t) => {
    assertRefused(t, await shmalloc('replay', shipped('hostname'), ...args), says);
  });
}

test('shmalloc: an unknown command is exit code 2', async (t) => {
  assertRefused(t, await shmalloc('repaly'), /unknown command 'repaly'/);
});

test('shmalloc, shmalloc help, --help: help on stdout, exit code 0', async (t) => {
  for (const args of [[], ['help'], ['--help'], ['-h'], ['help', 'replay'], ['replay', '--help']]) {
    const { code, stdout, stderr } = await shmalloc(...args);
    t.is(code, 0, args.join(' '));
    t.regex(stdout, /shmalloc replay \[trace files\]/);
    t.is(stderr, '');
  }
});

test('shmalloc version: prints the version of the package', async (t) => {
  const { code, stdout } = await shmalloc('version');
  t.is(code, 0);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});
