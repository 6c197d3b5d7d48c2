/** Proves the verdicts on targets, and the tables that show them and other results. */

import test from 'ava';
import { NATIVE } from '../../bench/native.js';
import { OURS, type Section, type Timing } from '../../bench/section.js';
import { evidenceOf, judge, targetsSection, type Verdict } from '../../bench/targets.js';
import { memorySection, scalingSection, timeSection } from '../../bench/timings.js';

const timing = (
  group: Timing['group'],
  name: string,
  threads: number,
  allocator: string,
  ...ns: number[]
): Timing => ({ group, name, threads, allocator, ns });

const sectionOf = (timings: Timing[], figures = {}): Section => ({
  title: '',
  columns: [],
  rows: [],
  notes: [],
  timings,
  figures,
});

const verdictOn = (name: string, section: Section): Verdict =>
  judge(evidenceOf([section])).find((one) => one.name === name) as Verdict;

test('judge: ratios are medians of the ratios of rounds', (t) => {
  const section = sectionOf([
    timing('calls', 'pair 64 B', 1, OURS, 5, 50, 5),
    timing('calls', 'pair 64 B', 1, 'glibc', 10, 100, 10),
    timing('calls', 'pair 64 B', 1, 'tcmalloc', 4, 40, 4),
  ]);
  const { measured, verdict } = verdictOn('pair 64 B, to glibc', section);
  t.is(measured, 0.5);
  t.is(verdict, 'met');
  t.is(verdictOn('pair 64 B, to the best native', section).verdict, 'missed');
  t.is(verdictOn('pair 64 B, to the best native', section).measured, 1.25);
});

test('judge: a target without numbers is not measured, nor is a mean over a part of the names', (t) => {
  const section = sectionOf([
    timing('traces', 'perl', 1, OURS, 1),
    timing('traces', 'perl', 1, 'glibc', 2),
  ]);
  t.is(verdictOn('pair 64 B, to glibc', section).verdict, 'not measured');
  t.is(verdictOn('traces, mean to glibc', section).verdict, 'not measured');
  t.is(verdictOn('traces, worst to glibc', section).verdict, 'met');
});

test('judge: scaling is compared with mimalloc’s of the same run', (t) => {
  const larson = (allocator: string, one: number, two: number) => [
    timing('workloads', 'larson', 1, allocator, one),
    timing('workloads', 'larson', 2, allocator, two),
  ];
  const name = '2 threads to 1: larson, to mimalloc’s';
  const worse = sectionOf([...larson(OURS, 10, 8), ...larson('mimalloc', 10, 5)]);
  t.deepEqual(verdictOn(name, worse), {
    name,
    measured: 1.25,
    is: 'at least',
    limit: 2,
    verdict: 'missed',
  });
  const better = sectionOf([...larson(OURS, 10, 5), ...larson('mimalloc', 10, 6)]);
  t.is(verdictOn(name, better).verdict, 'met');
});

test('judge: other Node versions are compared with Node 20', (t) => {
  const isOldest = process.versions.node.startsWith('20.');
  const section = sectionOf([
    timing('workloads', 'larson', 2, isOldest ? OURS : 'Node 20', 10),
    timing('workloads', 'larson', 2, 'Node 24', 12),
    timing('workloads', 'larson', 2, 'Node 26', 13),
  ]);
  t.is(verdictOn('Node 24: slowest workload, to Node 20', section).verdict, 'met');
  t.is(verdictOn('Node 26: slowest workload, to Node 20', section).verdict, 'missed');
});

test('targetsSection: counts the judged targets, and names the others', (t) => {
  const verdicts = judge(evidenceOf([sectionOf([], { 'hand-over': 30, 'growth of near': 1.5 })]));
  const { title, rows, notes } = targetsSection(verdicts, false);
  t.is(title, 'targets: 1 of 2 met');
  t.deepEqual(
    rows.map((row) => row.at(-1)),
    ['met', 'missed'],
  );
  t.regex(notes[0] as string, /^Not measured: pair 64 B, to glibc; /);
});

const WORKLOAD_TIMINGS = [
  ...[1, 2].flatMap((threads) => [
    timing('workloads', 'larson', threads, OURS, 10, 12, 14),
    timing('workloads', 'larson', threads, 'glibc', 20, 24, 28),
  ]),
  { ...timing('workloads', 'larson', 2, 'mimalloc'), absent: 'over 10 s' },
];

test('timeSection: times, ratios with their spread, and runs that took too long', (t) => {
  const { columns, rows, plots } = timeSection(WORKLOAD_TIMINGS, {
    title: 'workloads',
    what: 'workload',
    peers: NATIVE,
    plot: 'workloads',
  });
  t.deepEqual(columns, [
    ...['workload', 'threads', 'shmalloc ns', 'glibc ns', 'mimalloc ns', 'to glibc', 'to mimalloc'],
  ]);
  t.deepEqual(rows[1], ['larson', '2', '12.0 ±17 %', '24.0', 'over 10 s', '0.50 ±0 %', '-']);
  t.deepEqual(
    plots?.map(({ file }) => file),
    ['workloads-1', 'workloads-2'],
  );
});

test('memorySection: footprint relative to peak live bytes', (t) => {
  const timings = WORKLOAD_TIMINGS.map((one) => ({
    ...one,
    footprintBytes: 3 * 2 ** 20,
    peakLiveBytes: 2 ** 21,
  }));
  const { rows } = memorySection(timings, { title: '', what: 'workload', peers: ['glibc'] });
  t.deepEqual(rows[0], ['larson', '1', '2.00', '3.00', '1.50', '1.50']);
});

test('scalingSection: has the machine’s number of cores, and marks rows with more threads', (t) => {
  const timings = [1, 4096].map((threads) => timing('workloads', 'larson', threads, OURS, threads));
  const table = { title: 'workloads', what: 'workload', peers: [] };
  const section = scalingSection(timings, table);
  t.regex(section?.title ?? '', /\(\d+ cores\)$/);
  t.is(section?.columns.at(-1), '4096 threads *');
  t.regex(section?.notes[0] ?? '', /More threads than the \d+ cores/);
  t.is(scalingSection(timings.slice(0, 1), table), null);
});
