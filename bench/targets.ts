/**
 * Targets: what the project demands of itself, and whether the numbers of a run meet it. The table
 * below has all of them.
 *
 * 'met' and 'missed' follow from one run: on a busy machine run again. A target without numbers in
 * the run is 'not measured', which is neither.
 */

import { PAIR, REPLACE } from './measure-calls.js';
import { ALL_TRACES } from './measure-traces.js';
import { NATIVE } from './native.js';
import { BASELINE, type Figures, type Group, OURS, type Section, type Timing } from './section.js';
import { geometricMean } from './statistics.js';
import { short } from './tables.js';
import { memoryRatio, mergeFigures, Timings } from './timings.js';
import { WORKLOADS } from './workloads/index.js';

/** The results of a run, for targets to query. NaN stands for missing numbers. */
export interface Evidence {
  readonly timings: Readonly<Record<Group, Timings>>;
  readonly figures: Figures;
}

interface Target {
  readonly name: string;
  readonly measured: (evidence: Evidence) => number;
  readonly is: 'at most' | 'at least';
  /** A number, or one that is computed from the run itself. */
  readonly limit: number | ((evidence: Evidence) => number);
}

export interface Verdict {
  readonly name: string;
  readonly measured: number | null;
  readonly is: Target['is'];
  readonly limit: number | null;
  readonly verdict: 'met' | 'missed' | 'not measured';
}

const MIMALLOC = 'mimalloc';
const JEMALLOC = 'jemalloc';
const NODES_JUDGED = ['Node 24', 'Node 26'];
const OLDEST_NODE = 20;

// ---- queries of the evidence

type Ask = Target['measured'];

const figure =
  (name: string): Ask =>
  ({ figures }) =>
    figures[name] ?? Number.NaN;

const ratio =
  (group: Group, name: string, threads: number, peer: string): Ask =>
  ({ timings }) =>
    timings[group].ratio(name, threads, peer);

/** Ratio to the fastest of the native allocators that were measured. */
const toBestNative =
  (name: string): Ask =>
  ({ timings: { calls } }) =>
    greatest(NATIVE.map((peer) => calls.ratio(name, 1, peer)));

/** How many times slower a peer is. */
const slower =
  (name: string, peer: string): Ask =>
  ({ timings }) =>
    1 / timings['calls-js'].ratio(name, 1, peer);

/** Mean over all names in the group at that number of threads; NaN if one is missing. */
const meanRatio =
  (group: 'traces' | 'workloads', threads: number, peer: string): Ask =>
  (evidence) => {
    const found = evidence.timings[group].at(threads);
    return isWhole(group, found, peer, evidence) ? found.meanRatio(threads, peer) : Number.NaN;
  };

const worstRatio =
  (group: 'traces' | 'workloads', threads: number, peer: string): Ask =>
  ({ timings }) => {
    const found = timings[group].at(threads);
    return greatest(found.names.map((name) => found.ratio(name, threads, peer)));
  };

/** The work of two threads in the time of one thread's. */
const scaling =
  (name: string, allocator: string): Ask =>
  ({ timings: { workloads } }) =>
    workloads.scaling(name, 2, allocator);

const traceScaling =
  (allocator: string): Ask =>
  (evidence) => {
    const found = evidence.timings['traces-rate'].of([allocator]);
    if (!isWhole('traces', found.at(2), allocator, evidence)) return Number.NaN;
    return geometricMean(found.names.map((one) => found.scaling(one, 2, allocator)));
  };

/** Memory to peak live bytes, the geometric mean over all traces. */
const traceMemory =
  (allocator: string): Ask =>
  (evidence) => {
    const found = evidence.timings.traces.at(1);
    const all = found.of([allocator]).all.flatMap((timing) => memoryRatio(timing) ?? []);
    return isWhole('traces', found, allocator, evidence) ? geometricMean(all) : Number.NaN;
  };

/** The greatest of all figures whose names have the prefix. */
const greatestFigure =
  (prefix: string): Ask =>
  ({ figures }) =>
    greatest(
      Object.entries(figures).flatMap(([name, value]) => (name.startsWith(prefix) ? value : [])),
    );

/** The slowest workload on another Node, relative to the oldest supported one. */
const worstOnNode =
  (label: string): Ask =>
  ({ timings: { workloads } }) => {
    const isOldest = process.versions.node.startsWith(`${OLDEST_NODE}.`);
    const oldest = isOldest ? OURS : `Node ${OLDEST_NODE}`;
    return greatest(
      workloads
        .of([label])
        .all.map(({ name, threads }) => workloads.ratio(name, threads, oldest, label)),
    );
  };

/** NaN for an empty list; values that were not measured are ignored. */
const greatest = (values: readonly number[]): number => {
  const found = values.filter((value) => !Number.isNaN(value));
  return found.length === 0 ? Number.NaN : Math.max(...found);
};

/** True if everything is there that a mean must include. */
function isWhole(
  group: 'traces' | 'workloads',
  timings: Timings,
  allocator: string,
  { figures }: Evidence,
): boolean {
  const there = timings.of([allocator]).names;
  if (group === 'traces') return ALL_TRACES in figures && there.length > 0;
  const counted = WORKLOADS.filter(
    ({ threads, apart }) => threads === 'many' && apart === undefined,
  );
  return counted.every(({ name }) => there.includes(name));
}

// ---- the table

const row = (name: string, measured: Ask, is: Target['is'], limit: Target['limit']): Target => ({
  name,
  measured,
  is,
  limit,
});

const TARGETS: readonly Target[] = [
  row(`${PAIR}, to glibc`, ratio('calls', PAIR, 1, BASELINE), 'at most', 0.6),
  row(`${PAIR}, to the best native`, toBestNative(PAIR), 'at most', 1.0),
  row(`${REPLACE}, to glibc`, ratio('calls', REPLACE, 1, BASELINE), 'at most', 0.5),
  row(`${REPLACE}, to the best native`, toBestNative(REPLACE), 'at most', 1.4),
  row(`${PAIR}: times slower is @thi.ng/malloc`, slower(PAIR, 'thi.ng'), 'at least', 3),
  row(`${REPLACE}: times slower is @thi.ng/malloc`, slower(REPLACE, 'thi.ng'), 'at least', 1000),

  row('traces, mean to glibc', meanRatio('traces', 1, BASELINE), 'at most', 0.6),
  row('traces, mean to mimalloc', meanRatio('traces', 1, MIMALLOC), 'at most', 1.4),
  row('traces, worst to glibc', worstRatio('traces', 1, BASELINE), 'at most', 1.0),
  row('traces, mean memory, to mimalloc’s', traceMemory(OURS), 'at most', traceMemory(MIMALLOC)),
  row('traces, mean memory, to jemalloc’s', traceMemory(OURS), 'at most', traceMemory(JEMALLOC)),
  row(
    'traces over 50,000 operations, worst footprint to 1.25 of peak live + 1 MiB',
    greatestFigure('footprint of '),
    'at most',
    1,
  ),

  row('workloads, 2 threads, mean to glibc', meanRatio('workloads', 2, BASELINE), 'at most', 0.6),
  row(
    'workloads, 2 threads, mean to mimalloc',
    meanRatio('workloads', 2, MIMALLOC),
    'at most',
    1.4,
  ),
  row(
    'workloads, 2 threads, worst to mimalloc',
    worstRatio('workloads', 2, MIMALLOC),
    'at most',
    2.5,
  ),

  row(`2 threads to 1: ${PAIR}`, figure(`scaling of ${PAIR}`), 'at least', 1.95),
  ...['larson', 'mstress'].map((name) =>
    row(
      `2 threads to 1: ${name}, to mimalloc’s`,
      scaling(name, OURS),
      'at least',
      scaling(name, MIMALLOC),
    ),
  ),
  row(
    '2 threads to 1: traces, mean, to mimalloc’s',
    traceScaling(OURS),
    'at least',
    traceScaling(MIMALLOC),
  ),

  row('malloc of a full heap, microseconds', greatestFigure('malloc of a full heap'), 'at most', 2),
  row(
    '64 threads at one lock: most calls to least',
    figure('most to least of 64 threads'),
    'at most',
    1000,
  ),

  row('hand-over: times faster than structured clone', figure('hand-over'), 'at least', 20),
  // Cache misses on random blocks grow, on any allocator.
  row('growth with live blocks, side by side', figure('growth of near'), 'at most', 1.15),
  row('growth with the size of the heap', figure('growth of heap'), 'at most', 1.15),
  row('growth with free runs', figure('growth of runs'), 'at most', 1.15),
  ...NODES_JUDGED.map((label) =>
    row(`${label}: slowest workload, to Node 20`, worstOnNode(label), 'at most', 1.25),
  ),

  row('create 1 GiB, ms', figure('create 1 GiB, ms'), 'at most', 5),
  row('create 1 GiB, resident MiB', figure('create 1 GiB, resident MiB'), 'at most', 2),
  row('attach, ms', figure('attach, ms'), 'at most', 1),
  row('bump malloc, to malloc_ts', figure('bump malloc'), 'at most', 0.5),
  row(
    'bump malloc after a reset, to malloc_ts',
    figure('bump malloc after a reset'),
    'at most',
    0.5,
  ),
  row(
    'end of 100,000 objects, bump, to as many frees',
    figure('end of 100,000 objects, bump'),
    'at most',
    1 / 50,
  ),
];

export function evidenceOf(sections: readonly Section[]): Evidence {
  const all: readonly Timing[] = sections.flatMap(({ timings = [] }) => timings);
  const of = (group: Group) => new Timings(all.filter((one) => one.group === group));
  return {
    timings: {
      calls: of('calls'),
      'calls-js': of('calls-js'),
      traces: of('traces'),
      'traces-short': of('traces-short'),
      'traces-rate': of('traces-rate'),
      workloads: of('workloads'),
      'workloads-apart': of('workloads-apart'),
      'workloads-js': of('workloads-js'),
    },
    figures: mergeFigures(sections),
  };
}

export function judge(evidence: Evidence): Verdict[] {
  return TARGETS.map(({ name, measured: ask, is, limit: wanted }) => {
    const measured = ask(evidence);
    const limit = typeof wanted === 'number' ? wanted : wanted(evidence);
    if (Number.isNaN(measured) || Number.isNaN(limit)) {
      return {
        name,
        measured: orNull(measured),
        is,
        limit: orNull(limit),
        verdict: 'not measured',
      };
    }
    const met = is === 'at most' ? measured <= limit : measured >= limit;
    return { name, measured, is, limit, verdict: met ? 'met' : 'missed' };
  });
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** The verdicts as a table; targets that were not measured are named below it. */
export function targetsSection(verdicts: readonly Verdict[], smoke: boolean): Section {
  const judged = verdicts.filter(({ verdict }) => verdict !== 'not measured');
  const open = verdicts.filter(({ verdict }) => verdict === 'not measured');
  const met = judged.filter(({ verdict }) => verdict === 'met').length;
  const small = smoke ? ' (at smoke size, which is meaningless)' : '';
  return {
    title: `targets: ${met} of ${judged.length} met${small}`,
    columns: ['target', 'measured', 'wanted', ''],
    rows: judged.map(({ name, measured, is, limit, verdict }) => [
      name,
      short(measured ?? Number.NaN),
      `${is} ${short(limit ?? Number.NaN)}`,
      verdict,
    ]),
    notes: open.length === 0 ? [] : [`Not measured: ${open.map(({ name }) => name).join('; ')}.`],
  };
}
