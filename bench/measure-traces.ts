/** Traces of real programs as a part of the benchmark: the results of traces.ts as sections. */

import { readdirSync } from 'node:fs';
import { NATIVE } from './native.js';
import type { Part, Setting } from './part.js';
import { ROOT, runModule } from './processes.js';
import { takeTurns } from './rounds.js';
import { MIB, OURS, type Section, type Timing } from './section.js';
import {
  memorySection,
  scalingSection,
  type TimeTable,
  timeSection,
  versionsSection,
} from './timings.js';
import { measureTraces, repeatsFor, type TraceResult, WARM_UP_TIMES } from './traces.js';

/** The figure that marks a mean over all traces. */
export const ALL_TRACES = 'all traces';

const FOLDER = new URL('bench/traces/', ROOT);
const COMMAND = new URL('dist/src/cli/main.js', ROOT);
/** Minimum length of a peer's replay. */
const MILLISECONDS = { smoke: 10, full: 100 };
/** Traces of a smoke run: a short one and a longer one. */
const SMOKE_TRACES = ['cat', 'vim'];

export const traceNames = (): string[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.mtr.gz'))
    .map((file) => file.replace('.mtr.gz', ''));

export const traces: Part = {
  name: 'traces',
  about: 'allocations of real programs, replayed; trace:NAME for one',
  measure,
};

function measure(setting: Setting): Section[] {
  const { peers, smoke, rounds, nodes, tell, traces: names } = setting;
  const milliseconds = MILLISECONDS[smoke ? 'smoke' : 'full'];
  const some = smoke && names.length === 0 ? SMOKE_TRACES : names;
  const found = measureTraces(peers, { smoke, rounds, milliseconds, names: some }, (name) =>
    tell(`trace ${name}`),
  );
  const timings = found.flatMap(timingsOf);
  const rates = timings.filter(({ group }) => group === 'traces-rate');
  const long = timings.filter(({ group }) => group === 'traces');
  const short = timings.filter(({ group }) => group === 'traces-short');
  const elsewhere = nodes.length === 0 ? [] : measureVersions(found, setting);
  const operations = found.map(
    (one) => `${one.name} ${one.operations.toLocaleString('en-US')} operations`,
  );
  const table: TimeTable = {
    title: 'traces, ns an operation',
    what: 'trace',
    peers: NATIVE,
    mean: true,
    plot: 'traces',
    notes: [
      'On one thread the best repetition of each round; on two, the work of both in its last third. ' +
        `${operations.join(', ')}.`,
    ],
  };
  const scaling = scalingSection(rates, {
    ...table,
    title: 'traces, scaling',
    plot: 'traces-scaling',
  });
  return [
    long.length === 0
      ? null
      : {
          ...timeSection(long, table),
          figures: names.length === 0 && !smoke ? { [ALL_TRACES]: found.length } : {},
        },
    short.length === 0
      ? null
      : timeSection(short, {
          title: 'short traces, ns an operation',
          what: 'trace',
          peers: NATIVE,
          notes: ['Under 5,000 operations: these traces time the clock as much as the heap.'],
        }),
    memorySection([...long, ...short], {
      ...table,
      title: 'traces, memory: footprint to peak live bytes',
      plot: 'traces-memory',
      notes: [
        'Of peers: the maximum growth of the process’s resident set, with all blocks written ' +
          'completely.',
      ],
    }),
    scaling === null ? null : { ...scaling, timings: rates },
    versionsSection(
      elsewhere,
      'traces',
      'trace',
      nodes.map(({ label }) => label),
    ),
    settledSection(found),
  ].filter((section) => section !== null);
}

/** The result of a trace as timings. */
function timingsOf({ name, short, onThreads, peakLiveBytes }: TraceResult): Timing[] {
  return onThreads.flatMap((one) =>
    Object.keys(one.nsPerOperation).flatMap((allocator): Timing[] => {
      const { threads } = one;
      const rate = (one.operationsPerSecond[allocator] ?? []).map((rate) => 1e9 / rate);
      const best = one.nsPerOperation[allocator] ?? [];
      const timing: Timing = {
        group: short ? 'traces-short' : 'traces',
        name,
        threads,
        allocator,
        // The best repetition of one thread does not show how two threads affect each other.
        ns: threads === 1 ? best : rate,
        // Two threads may be at their peaks at different times.
        ...(threads === 1 && { footprintBytes: one.footprintBytes[allocator] ?? 0, peakLiveBytes }),
      };
      return short
        ? [timing]
        : [timing, { group: 'traces-rate', name, threads, allocator, ns: rate }];
    }),
  );
}

/** Our footprint of each long enough trace, with its target. */
function settledSection(results: readonly TraceResult[]): Section | null {
  const settled = results.flatMap(({ name, peakLiveBytes, footprintBytes, footprintBytesMax }) =>
    footprintBytesMax === null ? [] : [{ name, peakLiveBytes, footprintBytes, footprintBytesMax }],
  );
  if (settled.length === 0) return null;
  return {
    title: 'traces, footprint MiB, of over 50,000 operations',
    columns: ['trace', 'peak live', 'footprint', 'to 1.25 of that + 1 MiB'],
    rows: settled.map((one) => [
      one.name,
      (one.peakLiveBytes / MIB).toFixed(2),
      (one.footprintBytes / MIB).toFixed(2),
      (one.footprintBytes / one.footprintBytesMax).toFixed(2),
    ]),
    notes: [],
    figures: Object.fromEntries(
      settled.map((one) => [
        `footprint of ${one.name}`,
        one.footprintBytes / one.footprintBytesMax,
      ]),
    ),
  };
}

interface Replayed {
  readonly traces: readonly [{ readonly nsPerOperation: number }];
}

/** Ours on this Node and others, in separate rounds. */
function measureVersions(results: readonly TraceResult[], setting: Setting): Timing[] {
  const { nodes, rounds, smoke, tell } = setting;
  return results.flatMap(({ name, operations }) => {
    tell(`trace ${name} on other Node versions`);
    const milliseconds = smoke ? MILLISECONDS.smoke : MILLISECONDS.full * WARM_UP_TIMES;
    const repeat = String(repeatsFor(operations, milliseconds));
    const packed = new URL(`${name}.mtr.gz`, FOLDER).pathname;
    const replay = (executable?: string) => {
      const args = ['replay', packed, '--json', '--threads', '1', '--repeat', repeat];
      const report = runModule<Replayed>(COMMAND, args, executable ? { executable } : {});
      return { ns: report.traces[0].nsPerOperation };
    };
    return takeTurns(rounds, [
      { allocator: OURS, run: () => replay() },
      ...nodes.map(({ label, executable }) => ({
        allocator: label,
        run: () => replay(executable),
      })),
    ]).map(({ results: _, ...one }) => ({ group: 'traces', name, threads: 1, ...one }));
  });
}
