/**
 * The report: aligned tables, targets beside the measured numbers, and the same as a JSON file.
 *
 * 'met' and 'missed' follow from this run's numbers alone: on a busy machine run again.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Contention } from './contention.js';
import type { ContextCost } from './contexts.js';
import type { OptionCost } from './debug-options.js';
import { BASELINE, ROOT } from './native.js';
import type { StartupResult } from './startup.js';
import { geometricMean, type TraceResult } from './traces.js';

const RESULTS = new URL('bench/results/', ROOT);
const OURS = 'shmalloc';
const MIB = 2 ** 20;

/** One micro scenario: median nanoseconds of a round, by allocator. */
export interface MicroRow {
  readonly name: string;
  readonly ns: Record<string, number>;
  /** Most that ours may be of the baseline's; null where there is no target. */
  readonly ratioMax: number | null;
}

export interface Results {
  readonly smoke: boolean;
  readonly peers: readonly string[];
  readonly missing: readonly string[];
  readonly micro: readonly MicroRow[];
  readonly contention: Contention;
  readonly startup: StartupResult;
  readonly traces: readonly TraceResult[];
  readonly options: readonly OptionCost[];
  readonly contexts: readonly ContextCost[];
}

/** A target, and whether it was met. */
interface Target {
  readonly name: string;
  readonly measured: number;
  readonly target: number;
  readonly met: boolean;
}

const TRACE_RATIO_MAX = 1.0;
const GEOMEAN_MAX = 0.7;
const SCALING_MIN = 1.9;
const CREATE_MS_MAX = 5;
const CREATE_RESIDENT_MAX = 2 * MIB;
const ATTACH_MS_MAX = 1;

export function printReport(results: Results): void {
  const { micro, traces, contention, startup, peers, missing } = results;
  const allocators = [OURS, ...peers];
  heading('calls, ns a round (median; best of the rounds of this benchmark)');
  print([
    ['scenario', ...allocators, `ours/${BASELINE}`, 'target', ''],
    ...micro.map(({ name, ns, ratioMax }) => {
      const ratio = ratioOf(ns);
      const verdict = ratioMax === null ? ['', ''] : judged(ratio, ratioMax, ratio <= ratioMax);
      return [name, ...allocators.map((one) => number(ns[one])), number(ratio, 2), ...verdict];
    }),
  ]);

  heading('traces, ns an operation (best)');
  const ratios = traces.map(({ ns }) => ratioOf(ns));
  print([
    ['trace', 'operations', ...allocators, `ours/${BASELINE}`, 'target', ''],
    ...traces.map(({ name, operations, ns }, n) => {
      const ratio = ratios[n] ?? Number.NaN;
      return [
        name,
        operations.toLocaleString('en-US'),
        ...allocators.map((one) => number(ns[one])),
        number(ratio, 2),
        ...judged(ratio, TRACE_RATIO_MAX, ratio <= TRACE_RATIO_MAX),
      ];
    }),
    [
      'geometric mean',
      '',
      ...allocators.map((one) => number(geometricMean(traces.map(({ ns }) => ns[one] ?? NaN)))),
      number(geometricMean(ratios), 2),
      ...judged(geometricMean(ratios), GEOMEAN_MAX, geometricMean(ratios) <= GEOMEAN_MAX),
    ],
  ]);

  heading('footprint, MiB (target: 1.25 x most live bytes + 1 MiB, over 50,000 operations)');
  print([
    ['trace', 'most live', 'footprint', 'target', ''],
    ...traces.map(({ name, peakLiveBytes, footprintBytes, footprintBytesMax }) => [
      name,
      number(peakLiveBytes / MIB, 2),
      number(footprintBytes / MIB, 2),
      ...(footprintBytesMax === null
        ? ['', '']
        : judged(footprintBytes, footprintBytesMax / MIB, footprintBytes <= footprintBytesMax)),
    ]),
  ]);

  heading('two threads, million rounds a second');
  print([
    ['scenario', '1 thread', '2 threads', 'scaling', 'target', ''],
    ...contention.scalings.map(({ scenario, one, two, scaling }) => [
      scenario,
      number(one),
      number(two),
      number(scaling, 2),
      ...(scenario === 'pairs' ? judged(scaling, SCALING_MIN, scaling >= SCALING_MIN, '>=') : []),
    ]),
  ]);
  console.log(
    `  producer and consumer: ${number(contention.handOverNs)} ns a block; locks taken ` +
      `${contention.acquisitions.toLocaleString('en-US')}, waited for ` +
      `${contention.contentions.toLocaleString('en-US')}`,
  );

  const resident = startup.createResidentBytes ?? Number.NaN;
  heading('startup, cold');
  print([
    ['', 'measured', 'target', ''],
    [
      'create 1 GiB, ms',
      number(startup.createMs, 2),
      ...judged(startup.createMs, CREATE_MS_MAX, startup.createMs < CREATE_MS_MAX, '<'),
    ],
    [
      'create 1 GiB, resident MiB',
      number(resident / MIB, 2),
      ...judged(resident, CREATE_RESIDENT_MAX / MIB, resident < CREATE_RESIDENT_MAX, '<'),
    ],
    [
      'attach, ms',
      number(startup.attachMs, 2),
      ...judged(startup.attachMs, ATTACH_MS_MAX, startup.attachMs < ATTACH_MS_MAX, '<'),
    ],
  ]);

  const plain = results.options[0];
  heading('debug options, ns a round (and times the round without any)');
  print([
    ['option', 'pair 64 B', '', 'replacement', ''],
    ...results.options.map(({ option, pair, replace }) => [
      option,
      number(pair),
      number(pair / (plain?.pair ?? Number.NaN)),
      number(replace),
      number(replace / (plain?.replace ?? Number.NaN)),
    ]),
  ]);

  heading('memory contexts, ns (objects of 64 bytes; a ratio to malloc_ts, or to 100,000 frees)');
  print([
    ['', 'ns', 'ratio', 'target', ''],
    ...results.contexts.map(({ name, ns, ratio, ratioMax }) => [
      name,
      number(ns),
      ratio === null ? '' : number(ratio, 3),
      ...(ratio === null || ratioMax === null
        ? ['', '']
        : judged(ratio, ratioMax, ratio <= ratioMax)),
    ]),
  ]);

  const targets = targetsOf(results);
  const met = targets.filter((one) => one.met).length;
  console.log(`\n${met} of ${targets.length} targets met`);
  for (const one of targets) {
    if (!one.met)
      console.log(`  missed: ${one.name}, ${number(one.measured, 2)} for ${number(one.target, 2)}`);
  }
  for (const what of missing) console.log(`missing: ${what}`);
}

/** Writes bench/results/latest.json; its path. */
export function writeResults(results: Results): string {
  mkdirSync(RESULTS, { recursive: true });
  const path = fileURLToPath(new URL('latest.json', RESULTS));
  const machine = {
    date: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
  const all = { ...machine, ...results, targets: targetsOf(results) };
  writeFileSync(path, `${JSON.stringify(all, null, 2)}\n`);
  return path;
}

function targetsOf({ micro, traces, contention, startup, contexts }: Results): Target[] {
  const atMost = (name: string, measured: number, target: number): Target => ({
    name,
    measured,
    target,
    met: measured <= target,
  });
  const ratios = traces.map(({ ns }) => ratioOf(ns));
  const scaling = contention.scalings.find(({ scenario }) => scenario === 'pairs')?.scaling ?? 0;
  const targets = [
    ...micro
      .filter(({ ratioMax }) => ratioMax !== null)
      .map(({ name, ns, ratioMax }) => atMost(name, ratioOf(ns), ratioMax ?? 0)),
    ...traces.map(({ name }, n) => atMost(`trace ${name}`, ratios[n] ?? NaN, TRACE_RATIO_MAX)),
    atMost('traces, geometric mean', geometricMean(ratios), GEOMEAN_MAX),
    ...traces
      .filter(({ footprintBytesMax }) => footprintBytesMax !== null)
      .map(({ name, footprintBytes, footprintBytesMax }) =>
        atMost(`footprint ${name}, MiB`, footprintBytes / MIB, (footprintBytesMax ?? 0) / MIB),
      ),
    { name: 'scaling', measured: scaling, target: SCALING_MIN, met: scaling >= SCALING_MIN },
    atMost('create 1 GiB, ms', startup.createMs, CREATE_MS_MAX),
    atMost(
      'create 1 GiB, resident MiB',
      (startup.createResidentBytes ?? NaN) / MIB,
      CREATE_RESIDENT_MAX / MIB,
    ),
    atMost('attach, ms', startup.attachMs, ATTACH_MS_MAX),
    ...contexts
      .filter(({ ratioMax }) => ratioMax !== null)
      .map(({ name, ratio, ratioMax }) => atMost(name, ratio ?? NaN, ratioMax ?? 0)),
  ];
  // What could not be measured here is neither met nor missed.
  return targets.filter(({ measured }) => !Number.isNaN(measured));
}

/** Ours over the baseline's; NaN without a baseline. */
function ratioOf(ns: Record<string, number>): number {
  return (ns[OURS] ?? NaN) / (ns[BASELINE] ?? NaN);
}

function judged(measured: number, target: number, met: boolean, sign = '<='): string[] {
  const shown = `${sign} ${number(target, target < 10 ? 2 : 1)}`;
  return [shown, Number.isNaN(measured) ? '' : met ? 'met' : 'missed'];
}

function number(value: number | undefined, digits = 1): string {
  return value === undefined || !Number.isFinite(value) ? '-' : value.toFixed(digits);
}

function heading(text: string): void {
  console.log(`\n${text}`);
}

/** Columns of equal width; the first to the left, the others to the right. */
function print(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, n) => {
      widths[n] = Math.max(widths[n] ?? 0, cell.length);
    });
  }
  for (const row of rows) {
    const cells = row.map((cell, n) =>
      n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0),
    );
    console.log(`  ${cells.join('  ').trimEnd()}`);
  }
}
