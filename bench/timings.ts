/**
 * Tables of timings: ours beside its peers, with ratios; memory; scaling; other Node versions.
 *
 * All tables take any timings and select what they show, so that calls, traces and workloads look
 * alike.
 */

import { availableParallelism } from 'node:os';
import type { BarPlot } from './plots.js';
import { type Figures, MIB, OURS, type Section, type Timing } from './section.js';
import { geometricMean, median, ratios, spread } from './statistics.js';
import { NOTHING, number, within } from './tables.js';

/** Finds timings; NaN if nothing was measured. */
export class Timings {
  readonly all: readonly Timing[];

  constructor(all: readonly Timing[]) {
    this.all = all;
  }

  /** The timings of some allocators, in their order. */
  of(allocators: readonly string[]): Timings {
    return new Timings(
      allocators.flatMap((one) => this.all.filter(({ allocator }) => allocator === one)),
    );
  }

  at(threads: number): Timings {
    return new Timings(this.all.filter((one) => one.threads === threads));
  }

  named(name: string): Timings {
    return new Timings(this.all.filter((one) => one.name === name));
  }

  find(name: string, threads: number, allocator: string): Timing | undefined {
    return this.all.find(
      (one) => one.name === name && one.threads === threads && one.allocator === allocator,
    );
  }

  get allocators(): string[] {
    return [...new Set(this.all.map(({ allocator }) => allocator))];
  }

  get names(): string[] {
    return [...new Set(this.all.map(({ name }) => name))];
  }

  get threads(): number[] {
    return [...new Set(this.all.map(({ threads }) => threads))].sort((a, b) => a - b);
  }

  /** Ratios of ours to a peer, by round. */
  ratios(name: string, threads: number, peer: string, ours: string = OURS): number[] {
    return ratios(
      this.find(name, threads, ours)?.ns ?? [],
      this.find(name, threads, peer)?.ns ?? [],
    );
  }

  ratio(name: string, threads: number, peer: string, ours: string = OURS): number {
    return median(this.ratios(name, threads, peer, ours));
  }

  /** Geometric mean over all names that have times of both. */
  meanRatio(threads: number, peer: string): number {
    const all = this.names.map((name) => this.ratio(name, threads, peer));
    return geometricMean(all.filter((ratio) => !Number.isNaN(ratio)));
  }

  /** Work of this many threads relative to the work of one thread in the same time. */
  scaling(name: string, threads: number, allocator: string): number {
    const one = this.find(name, 1, allocator)?.ns ?? [];
    const many = this.find(name, threads, allocator)?.ns ?? [];
    return median(ratios(one, many));
  }
}

/** The settings of a table of times. */
export interface TimeTable {
  readonly title: string;
  /** Heading of the column of names. */
  readonly what: string;
  /** The allocators that ours is compared with. */
  readonly peers: readonly string[];
  /** Allocators whose times are shown without a ratio. */
  readonly beside?: readonly string[];
  /** Whether a mean over all names is meaningful. */
  readonly mean?: boolean;
  /** Prefix of the plots' file names; without it there are no plots. */
  readonly plot?: string;
  readonly notes?: readonly string[];
}

/** Nanoseconds per operation, and ratios of ours to each peer; means if there are several names. */
export function timeSection(all: readonly Timing[], table: TimeTable): Section {
  const { title, what, peers, beside = [], mean = false, plot, notes = [] } = table;
  const timings = new Timings(all);
  const shown = [OURS, ...beside, ...peers].filter((one) => timings.allocators.includes(one));
  const compared = peers.filter((one) => shown.includes(one));
  const rows = places(timings).map(([name, threads]) => [
    name,
    String(threads),
    ...shown.map((one) => nsCell(timings.find(name, threads, one), one === OURS)),
    ...compared.map((peer) => {
      const found = timings.ratios(name, threads, peer);
      return within(median(found), spread(found));
    }),
  ]);
  const means = timings.threads
    .filter((threads) => mean && timings.at(threads).names.length > 1)
    .map((threads) => [
      'geometric mean',
      String(threads),
      ...shown.map(() => ''),
      ...compared.map((peer) => number(timings.at(threads).meanRatio(threads, peer), 2)),
    ]);
  return {
    title,
    columns: [
      what,
      'threads',
      ...shown.map((one) => `${one} ns`),
      ...compared.map((one) => `to ${one}`),
    ],
    rows: [...rows, ...means],
    notes: [...notes, ...reasons(all)],
    plots:
      plot === undefined || compared.length === 0
        ? []
        : timings.threads.map((threads) =>
            ratioPlot(timings.at(threads), plot, threads, compared, peers),
          ),
    timings: all,
  };
}

/** `all`: all possible peers, in the order of their colours. */
function ratioPlot(
  timings: Timings,
  file: string,
  threads: number,
  peers: readonly string[],
  all: readonly string[],
): BarPlot {
  return {
    file: `${file}-${threads}`,
    title: `${file.replaceAll('-', ' ')}, ${threads === 1 ? '1 thread' : `${threads} threads`}`,
    axis: 'time of shmalloc to that of the peer; left of 1 = faster',
    scale: 'log',
    reference: 1,
    groups: timings.names,
    series: peers.map((peer) => ({
      name: `to ${peer}`,
      ink: 1 + all.indexOf(peer),
      values: timings.names.map((name) => finite(timings.ratio(name, threads, peer))),
    })),
  };
}

/** Minimum live bytes of a row: below, most of the memory is not the blocks'. */
const LIVE_BYTES_MIN = 65_536;

/**
 * Maximum memory of each allocator, relative to the maximum requested bytes that were live at once.
 */
export function memorySection(all: readonly Timing[], table: TimeTable): Section {
  const { title, what, peers, plot, notes = [] } = table;
  const timings = new Timings(
    all.filter((one) => memoryRatio(one) !== null && (one.peakLiveBytes ?? 0) >= LIVE_BYTES_MIN),
  );
  const tiny = new Timings(all).names.filter((name) => !timings.names.includes(name));
  const shown = [OURS, ...peers].filter((one) => timings.allocators.includes(one));
  const rows = places(timings).map(([name, threads]) => {
    const found = shown.map((one) => timings.find(name, threads, one));
    return [
      name,
      String(threads),
      number((found.find(Boolean)?.peakLiveBytes ?? Number.NaN) / MIB, 2),
      number((found[0]?.footprintBytes ?? Number.NaN) / MIB, 2),
      ...found.map((one) => number((one && memoryRatio(one)) ?? Number.NaN, 2)),
    ];
  });
  return {
    title,
    columns: [
      what,
      'threads',
      'peak live MiB',
      `${OURS} MiB`,
      ...shown.map((one) => `${one} to live`),
    ],
    rows,
    notes: tiny.length === 0 ? notes : [...notes, `Under 64 KiB at once: ${tiny.join(', ')}.`],
    plots:
      plot === undefined
        ? []
        : timings.threads.map((threads) => ({
            file: `${plot}-${threads}`,
            title: `${plot.replaceAll('-', ' ')}, ${threads === 1 ? '1 thread' : `${threads} threads`}`,
            axis: 'footprint (of peers, resident set) to peak live bytes',
            scale: 'log' as const,
            reference: 1,
            groups: timings.at(threads).names,
            series: shown.map((one) => ({
              name: one,
              ink: [OURS, ...peers].indexOf(one),
              values: timings.at(threads).names.map((name) => {
                const found = timings.find(name, threads, one);
                return found === undefined ? null : memoryRatio(found);
              }),
            })),
          })),
  };
}

/** Null if it was not measured. */
export function memoryRatio({ footprintBytes, peakLiveBytes }: Timing): number | null {
  if (!footprintBytes || !peakLiveBytes) return null;
  return footprintBytes / peakLiveBytes;
}

/** How much more several threads do than one; null if only one thread was measured. */
export function scalingSection(
  all: readonly Timing[],
  table: Pick<TimeTable, 'title' | 'what' | 'peers' | 'plot'>,
): Section | null {
  const timings = new Timings(all).of([OURS, ...table.peers]);
  const many = timings.threads.filter((threads) => threads > 1);
  if (many.length === 0 || !timings.threads.includes(1)) return null;
  const cores = availableParallelism();
  const crowded = many.filter((threads) => threads > cores);
  const names = timings.names.filter((name) => timings.named(name).threads.length > 1);
  const rows = names.flatMap((name) =>
    timings
      .named(name)
      .allocators.map((allocator) => [
        name,
        allocator,
        nsCell(timings.find(name, 1, allocator), false),
        ...many.map((threads) => number(timings.scaling(name, threads, allocator), 2)),
      ]),
  );
  const most = Math.max(...many.filter((threads) => threads <= cores), Math.min(...many));
  return {
    title: `${table.title}: work done in the same time, to that of one thread (${cores} cores)`,
    columns: [
      table.what,
      'allocator',
      '1 thread, ns',
      ...many.map((threads) => `${threads} threads${threads > cores ? ' *' : ''}`),
    ],
    rows,
    notes:
      crowded.length === 0
        ? []
        : [
            `* More threads than the ${cores} cores of this machine: what they do to each other ` +
              'when they take turns, not how they scale.',
          ],
    plots:
      table.plot === undefined
        ? []
        : [
            {
              file: table.plot,
              title: `${table.title}: ${most} threads on ${cores} cores`,
              axis: 'work done in the same time, to that of one thread',
              scale: 'linear',
              reference: 1,
              groups: names,
              series: timings.allocators.map((name) => ({
                name,
                ink: [OURS, ...table.peers].indexOf(name),
                values: names.map((one) => finite(timings.scaling(one, most, name))),
              })),
            },
          ],
  };
}

/** Ours on other Node versions, relative to this one; null if none was requested. */
export function versionsSection(
  all: readonly Timing[],
  title: string,
  what: string,
  labels: readonly string[],
): Section | null {
  const timings = new Timings(all).of([OURS, ...labels]);
  const shown = labels.filter((one) => timings.allocators.includes(one));
  if (shown.length === 0) return null;
  return {
    title: `${title}: ${OURS} on other Node versions, to Node ${process.versions.node}`,
    columns: [what, 'threads', 'this Node, ns', ...shown],
    rows: places(timings).map(([name, threads]) => [
      name,
      String(threads),
      nsCell(timings.find(name, threads, OURS), true),
      ...shown.map((label) => {
        const found = timings.ratios(name, threads, OURS, label);
        return within(median(found), spread(found));
      }),
    ]),
    notes: [],
  };
}

/** Names and thread counts of the timings, in the order of their measurement. */
function places({ all }: Timings): [name: string, threads: number][] {
  const found = new Map(
    all.map(({ name, threads }) => [`${threads} ${name}`, [name, threads] as [string, number]]),
  );
  return [...found.values()];
}

function nsCell(timing: Timing | undefined, withSpread: boolean): string {
  if (timing === undefined) return NOTHING;
  if (timing.ns.length === 0) return timing.absent?.startsWith('over') ? timing.absent : NOTHING;
  const ns = median(timing.ns);
  return withSpread ? within(ns, spread(timing.ns)) : within(ns, Number.NaN);
}

/** Why something was not measured, each reason once. */
function reasons(all: readonly Timing[]): string[] {
  return all
    .filter(({ absent }) => absent !== undefined && !absent.startsWith('over'))
    .map(
      ({ name, threads, allocator, absent }) => `${name} at ${threads}: ${allocator} ${absent}.`,
    );
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** The figures of several sections in one object. */
export function mergeFigures(sections: readonly Section[]): Figures {
  return Object.assign({}, ...sections.map(({ figures }) => figures));
}
