/** Proves which command lines the benchmark accepts and refuses. */

import test from 'ava';
import { helpText, parseOptions, UsageError } from '../../bench/options.js';
import { PARTS } from '../../bench/parts.js';
import { WORKLOADS } from '../../bench/workloads/index.js';

test('parseOptions: without arguments everything runs, in five rounds', (t) => {
  const options = parseOptions([]);
  t.deepEqual(
    options.parts,
    PARTS.map(({ name }) => name),
  );
  t.deepEqual([options.workloads, options.traces], [[], []]);
  t.is(options.rounds, 5);
  t.is(options.threads, null);
  t.is(options.label, 'all');
});

test('parseOptions: a workload or a trace by its name', (t) => {
  const one = parseOptions(['larson', '--threads', '4,1', '--node']);
  t.deepEqual(one.parts, ['workloads']);
  t.deepEqual(one.workloads, ['larson']);
  t.deepEqual(one.threads, [1, 4]);
  t.true(one.alone);
  t.is(one.label, 'larson-node');

  const trace = parseOptions(['trace:perl', 'calls']);
  t.deepEqual(trace.parts, ['calls', 'traces']);
  t.deepEqual(trace.traces, ['perl']);
  t.is(trace.label, 'trace-perl+calls');
});

test('parseOptions: a whole part takes precedence over one item of it', (t) => {
  t.deepEqual(parseOptions(['workloads', 'larson']).workloads, []);
  t.deepEqual(parseOptions(['traces', 'trace:perl']).traces, []);
});

test('parseOptions --smoke: one round by default', (t) => {
  t.is(parseOptions(['--smoke']).rounds, 1);
  t.is(parseOptions(['--smoke', '--rounds', '2']).rounds, 2);
});

test('parseOptions --scaling: selects workloads that are meaningful on several threads', (t) => {
  const options = parseOptions(['--scaling']);
  t.deepEqual(options.parts, ['workloads']);
  t.deepEqual(options.threads, [1, 2, 4, 8, 16]);
  const many = WORKLOADS.filter(({ threads }) => threads === 'many').map(({ name }) => name);
  t.deepEqual(options.workloads, many);
});

test('parseOptions --versions: a list of Node versions', (t) => {
  t.deepEqual(parseOptions(['--versions', '22,24.1.0,22']).versions, ['22', '24.1.0']);
});

test('parseOptions --publish: whole runs only', (t) => {
  t.true(parseOptions(['--publish']).publish);
  t.true(parseOptions(['--publish', '--versions', '24,26', '--rounds', '7']).publish);
  for (const extra of [
    ['larson'],
    ['--smoke'],
    ['--node'],
    ['--scaling'],
    ['--threads', '2'],
    ['--rounds', '4'],
  ]) {
    t.throws(() => parseOptions(['--publish', ...extra]), {
      instanceOf: UsageError,
      message: /--publish takes no names/,
    });
  }
});

test('parseOptions: the error says what is wrong', (t) => {
  const wrong: [args: string[], message: RegExp][] = [
    [['larsn'], /nothing is named 'larsn': there are calls, .*larson/],
    [['trace:nothing'], /nothing is named 'trace:nothing'/],
    [['--threads', '0'], /--threads: whole numbers from 1 to 64, got '0'/],
    [['--threads', '1,x'], /got 'x'/],
    [['--rounds', '1.5'], /--rounds: whole numbers from 1/],
    [['--versions', 'lts'], /--versions: .*got 'lts'/],
    [['--thread', '2'], /--thread/],
    [['--threads'], /--threads/],
    [['--scaling', '--threads', '2'], /leave out --threads/],
    [['--scaling', 'calls'], /--scaling is for workloads alone/],
  ];
  for (const [args, message] of wrong) {
    t.throws(() => parseOptions(args), { instanceOf: UsageError, message }, args.join(' '));
  }
});

test('helpText: names every part and workload, in lines that fit', (t) => {
  const text = helpText();
  for (const { name } of [...PARTS, ...WORKLOADS]) t.true(text.includes(name), name);
  for (const line of text.split('\n')) t.true(line.length <= 102, line);
});
