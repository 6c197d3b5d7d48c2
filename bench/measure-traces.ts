/** Traces of real programs as a part of the benchmark: what traces.ts measured, as sections. */

import { readdirSync } from 'node:fs';
import { NATIVE } from './native.js';
import type { Part, Setting } from './part.js';
import { ROOT, runModule } from './processes.js';
import { takeTurns } from './rounds.js';
import { type Group, MIB, OURS, type Section, type Timing } from './section.js';
import {
  memorySection,
  scalingSection,
  type TimeTable,
  timeSection,
  versionsSection,
} from './timings.js';
import { measureTraces, type TraceResult } from './traces.js';

const FOLDER = new URL('bench/traces/', ROOT);
const COMMAND = new URL('dist/src/cli/main.js', ROOT);
/** How long a replay takes, at least. */
const MILLISECONDS = { smoke: 10, full: 300 };
/** Memory is judged where a trace is long enough to settle. */
export const SETTLED_OPERATIONS = 50_000;

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
  const { peers, smoke, rounds, nodes, tell } = setting;
  const milliseconds = MILLISECONDS[smoke ? 'smoke' : 'full'];
  const found = measureTraces(peers, { smoke, rounds, milliseconds }, (name) =>
    tell(`trace ${name}`),
  );
  const wanted = found.filter(
    ({ name }) => setting.traces.length === 0 || setting.traces.includes(name),
  );
  const timings = wanted.flatMap(timingsOf);
  const elsewhere = nodes.length === 0 ? [] : measureVersions(wanted, setting);
  const table: TimeTable = {
    title: 'traces, ns an operation',
    what: 'trace',
    peers: NATIVE,
    mean: true,
    plot: 'traces',
    notes: [
      `Longest first: ${wanted.map(({ name, operations }) => `${name} ${operations.toLocaleString('en-US')}`).join(', ')} operations.`,
    ],
  };
  return [
    timeSection(timings, table),
    memorySection(timings, {
      ...table,
      title: 'traces, memory: footprint to peak live bytes',
      plot: 'traces-memory',
      notes: ['Of peers: by how much the resident set of the process grew at most.'],
    }),
    scalingSection(timings, { ...table, title: 'traces, scaling', plot: 'traces-scaling' }),
    versionsSection(
      elsewhere,
      'traces',
      'trace',
      nodes.map(({ label }) => label),
    ),
    settledSection(wanted),
  ].filter((section) => section !== null);
}

/** A trace's result as timings: all that has to change with what traces.ts gives. */
function timingsOf({ name, ns, footprintBytes, peakLiveBytes }: TraceResult): Timing[] {
  return Object.entries(ns).map(([allocator, best]) => ({
    group: 'traces',
    name,
    threads: 1,
    allocator,
    ns: [best],
    ...(allocator === OURS && { footprintBytes, peakLiveBytes }),
  }));
}

/** Our footprint where a trace is long enough, to 1.25 times what lived at most and 1 MiB. */
function settledSection(results: readonly TraceResult[]): Section | null {
  const settled = results.filter(({ operations }) => operations > SETTLED_OPERATIONS);
  if (settled.length === 0) return null;
  const limitOf = ({ peakLiveBytes }: TraceResult) => 1.25 * peakLiveBytes + MIB;
  return {
    title: 'traces, footprint MiB, of over 50,000 operations',
    columns: ['trace', 'peak live', 'footprint', 'to 1.25 of that + 1 MiB'],
    rows: settled.map((one) => [
      one.name,
      (one.peakLiveBytes / MIB).toFixed(2),
      (one.footprintBytes / MIB).toFixed(2),
      (one.footprintBytes / limitOf(one)).toFixed(2),
    ]),
    notes: [],
    figures: Object.fromEntries(
      settled.map((one) => [`footprint of ${one.name}`, one.footprintBytes / limitOf(one)]),
    ),
  };
}

interface Replayed {
  readonly traces: readonly [{ readonly nsPerOperation: number }];
}

/** Ours on this Node and others, in rounds of their own. */
function measureVersions(results: readonly TraceResult[], setting: Setting): Timing[] {
  const { nodes, rounds, smoke, tell } = setting;
  const group: Group = 'traces';
  return results.flatMap(({ name, operations }) => {
    tell(`trace ${name} on other Node versions`);
    const wanted = (MILLISECONDS[smoke ? 'smoke' : 'full'] * 1e5) / operations;
    const repeat = String(Math.max(3, Math.min(Math.ceil(wanted), 100_000)));
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
    ]).map(({ results: _, ...one }) => ({ group, name, threads: 1, ...one }));
  });
}
