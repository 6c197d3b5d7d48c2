/**
 * Proves that `shmalloc stress` kills, replaces and audits, what it prints where, and that it finds
 * planted mistakes: exit code 0 for an intact heap, 1 for any finding, 2 for a wrong call.
 */

import anyOrder, { type ExecutionContext } from 'ava';
import { type Finished, shmalloc } from '../workers.js';

// Each test starts threads: one at a time is enough for a small machine.
const test = anyOrder.serial;

interface Report {
  seed: number;
  node: string;
  threads: number;
  operations: number;
  kills: number;
  recoveries: number;
  blocksReturned: number;
  worstRecoveryMs: number;
  corrupted: number;
  lost: number;
  stuck: number;
  verify: { ok: boolean; problems: { invariant: string; address: number; message: string }[] };
}

function reportOf(t: ExecutionContext, { code, stdout, stderr }: Finished, exit = 0): Report {
  t.is(code, exit, `${stderr}${stdout}`);
  if (exit === 0) t.is(stderr, '');
  return JSON.parse(stdout) as Report;
}

function assertNothingWrong(t: ExecutionContext, report: Report): void {
  const { corrupted, lost, stuck, verify } = report;
  t.deepEqual([corrupted, lost, stuck], [0, 0, 0], JSON.stringify(report));
  t.deepEqual(verify, { ok: true, problems: [] });
}

/** A short run without kills, for planted mistakes. */
const SHORT = ['--threads', '2', '--kills', '0', '--operations', '5000'];

test('stress --kills 40: nothing is lost, corrupted or stuck', async (t) => {
  const finished = await shmalloc('stress', '--kills', '40', '--seed', '7', '--json');
  const report = reportOf(t, finished);
  t.deepEqual(Object.keys(report), [
    'seed',
    'node',
    'threads',
    'operations',
    'kills',
    'recoveries',
    'blocksReturned',
    'worstRecoveryMs',
    'corrupted',
    'lost',
    'stuck',
    'verify',
  ]);
  assertNothingWrong(t, report);
  t.is(report.seed, 7);
  t.is(report.node, process.version);
  t.is(report.threads, 4);
  t.is(report.kills, 40);
  t.true(report.operations > 1000);
  // The other workers ended by process.exit(), and detached.
  t.true(report.recoveries > 10 && report.recoveries <= 40, `${report.recoveries} recoveries`);
  t.true(report.blocksReturned > 0);
  t.true(report.worstRecoveryMs > 0 && report.worstRecoveryMs < 20_000);
});

test('stress: a heap that is often full is not an error', async (t) => {
  const { code, stdout, stderr } = await shmalloc(
    ...['stress', '--size', '6MiB', '--kills', '12', '--operations', '40000', '--seed', '3'],
  );
  t.is(code, 0, `${stderr}${stdout}`);
  const full = /times the heap was full\s+([\d,]+)/.exec(stdout);
  t.true(Number(full?.[1].replaceAll(',', '')) > 0, stdout);
});

test('stress: without --json a table on stdout, seed and progress on stderr', async (t) => {
  const finished = await shmalloc('stress', '--seconds', '2', '--kills', '2', '--threads', '2');
  const { code, stdout, stderr } = finished;
  t.is(code, 0, stderr);
  const seed = /^seed (\d+)$/m.exec(stderr)?.[1];
  t.regex(stdout, new RegExp(`^ {2}seed +${seed}$`, 'm'));
  t.regex(stdout, /^ {2}kills +2$/m);
  t.regex(stdout, /^ {2}blocks corrupted +0$/m);
  t.regex(stdout, /^ {2}blocks lost +0$/m);
  t.regex(stdout, /^ {2}workers stuck +0$/m);
  t.regex(stdout, /^ {2}invariants +all hold$/m);
  t.regex(
    stderr,
    /^ *\d+ % {2}[012] of 2 kills, [\d,]+ operations, [\d,]+ a second, in use [\d.]+ \w*B/m,
  );
});

test('stress --operations: runs at least that many operations', async (t) => {
  const report = reportOf(t, await shmalloc('stress', ...SHORT, '--json'));
  assertNothingWrong(t, report);
  t.is(report.threads, 2);
  t.is(report.kills, 0);
  t.true(report.operations >= 5000);
  t.is(report.worstRecoveryMs, 0);
});

test('stress --threads 1: one worker, killed again and again', async (t) => {
  const report = reportOf(t, await shmalloc('stress', '--threads', '1', '--kills', '5', '--json'));
  assertNothingWrong(t, report);
  t.is(report.kills, 5);
});

// ---- exit code 1: planted mistakes are found

for (const [plant, wrong, says] of [
  ['lost', { lost: 1 }, /0x[\da-f]+, 112 bytes: live, but in no worker's books/],
  ['gone', { lost: 1 }, /0x[\da-f]+, \d+ bytes: held by worker \d, but it is not live/],
  ['corrupt', { corrupted: 1 }, /block 0x[\da-f]+, .*held by worker \d: byte 0 was changed/],
  ['overlap', { corrupted: 1 }, /held by .* overlaps 0x[\da-f]+, .*held by /],
] as const) {
  test(`stress --plant ${plant}: found, exit code 1`, async (t) => {
    const finished = await shmalloc('stress', ...SHORT, '--seed', '5', '--json', '--plant', plant);
    const { corrupted, lost, stuck, verify } = reportOf(t, finished, 1);
    t.deepEqual({ corrupted, lost, stuck }, { corrupted: 0, lost: 0, stuck: 0, ...wrong });
    t.true(verify.ok, 'the heap itself is intact');
    t.regex(finished.stderr, says);
    t.regex(finished.stderr, /seed 5/);
    t.notRegex(finished.stderr, /\n\s+at /);
  });
}

test('stress --plant stray: a broken heap is reported, exit code 1', async (t) => {
  const finished = await shmalloc('stress', ...SHORT, '--json', '--plant', 'stray');
  const { corrupted, lost, stuck, verify } = reportOf(t, finished, 1);
  t.deepEqual([corrupted, lost, stuck], [0, 0, 0]);
  t.false(verify.ok);
  t.is(verify.problems.length, 1);
  t.regex(finished.stderr, /^shmalloc: the heap is broken, 1 problem\(s\):\n {2}0x\d+: /m);
});

test('stress --plant throw: a failed worker is reported, exit code 1', async (t) => {
  // The run ends when worker 0 throws. A short run may end before that if worker 1 is faster.
  const endless = ['--threads', '2', '--kills', '0', '--operations', '1000000000'];
  const finished = await shmalloc('stress', ...endless, '--json', '--plant', 'throw');
  const report = reportOf(t, finished, 1);
  assertNothingWrong(t, report);
  t.regex(finished.stderr, /^shmalloc: worker 0: Error: planted: this worker throws$/m);
});

test('stress --plant hang: a stuck worker is reported, exit code 1', async (t) => {
  const finished = await shmalloc(
    ...['stress', '--threads', '2', '--kills', '0', '--operations', '1000000000', '--json'],
    ...['--plant', 'hang', '--patience', '3'],
  );
  const { stuck, corrupted, lost } = reportOf(t, finished, 1);
  t.deepEqual([stuck, corrupted, lost], [1, 0, 0]);
  t.regex(finished.stderr, /^shmalloc: stuck worker 0: between two operations$/m);
  t.regex(finished.stderr, /^shmalloc: worker 1: /m);
});

// ---- exit code 2

for (const [args, says] of [
  [['--threads', '0'], /--threads.*'0'/],
  [['--threads', '251'], /--threads.*'251'/],
  [['--threads', 'two'], /--threads.*'two'/],
  [['--seconds', '0'], /--seconds.*'0'/],
  [['--seconds', '1.5'], /--seconds.*'1\.5'/],
  [['--operations', '-1'], /operations/],
  [['--operations', 'many'], /--operations.*'many'/],
  [['--seconds', '5', '--operations', '5'], /--seconds and --operations/],
  [['--kills=-1'], /--kills.*'-1'/],
  [['--kills', '100001'], /--kills.*'100001'/],
  [['--seed', '4294967296'], /--seed.*'4294967296'/],
  [['--seed', 'x'], /--seed.*'x'/],
  [['--size', 'banana'], /size.*'banana'/],
  [['--size', '8GiB'], /size.*'8GiB'/],
  [['--size', '2MiB', '--threads', '250'], /no room/],
  [['--patience', '0'], /--patience.*'0'/],
  [['--plant', 'roses'], /--plant.*'roses'/],
  [['--fast'], /--fast/],
  [['somewhere'], /somewhere/],
] as const) {
  test(`stress ${args.join(' ')}: exit code 2, with the reason`, async (t) => {
    const { code, stdout, stderr } = await shmalloc('stress', ...args);
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, says);
    t.regex(stderr, /^shmalloc: /);
    t.notRegex(stderr, /\n\s+at /, 'a wrong call is not a crash');
  });
}

test('stress --help, help stress: help on stdout, exit code 0', async (t) => {
  for (const args of [
    ['stress', '--help'],
    ['stress', '-h'],
    ['help', 'stress'],
  ]) {
    const { code, stdout, stderr } = await shmalloc(...args);
    t.is(code, 0);
    t.regex(stdout, /^shmalloc stress \[options\]/);
    t.is(stderr, '');
  }
});
