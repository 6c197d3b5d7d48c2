/**
 * A metric: its name, unit and kind, and how to read its values from the statistics.
 *
 * Used by metric-table.ts, which makes the rows of the table, and by metrics.ts. Pure.
 */

import type { HeapStats, SizeClassStats, ThreadStats } from './heap-stats.js';

/**
 * How a metric behaves: a counter only grows; the levels of one metric can be summed over their
 * attributes; gauges cannot.
 */
export type MetricKind = 'counter' | 'level' | 'gauge';

/** Units in OpenTelemetry's notation (UCUM). Values are in exactly these units. */
export type MetricUnit = 'By' | 's' | '1' | `{${string}}`;

export interface MetricPoint {
  readonly value: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface Metric {
  /** Dots between namespaces, no unit: OpenTelemetry's convention. */
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: MetricUnit;
  /** One sentence without its full stop. */
  readonly description: string;
  read(stats: HeapStats): MetricPoint[];
}

const UNIT_SUFFIXES: Readonly<Record<string, string>> = { By: '_bytes', s: '_seconds' };

/** A metric's name in Prometheus, the same that OpenTelemetry's own exporters make of it. */
export function prometheusName({ name, unit, kind }: Metric): string {
  const total = kind === 'counter' ? '_total' : '';
  return `${name.replaceAll('.', '_')}${UNIT_SUFFIXES[unit] ?? ''}${total}`;
}

// ---- rows of the table

type Read<T> = (from: T) => number;
type Row<T> = (unit: MetricUnit, name: string, description: string, value: Read<T>) => Metric;

/** What makes a row of each kind; `pointsOf` reads all points of a metric. */
function rowsOf<T>(
  prefix: string,
  pointsOf: (stats: HeapStats, value: Read<T>) => MetricPoint[],
): Record<MetricKind, Row<T>> {
  const rowOf =
    (kind: MetricKind): Row<T> =>
    (unit, name, description, value) => ({
      name: `shmalloc.${prefix}${name}`,
      kind,
      unit,
      description,
      read: (stats) => pointsOf(stats, value),
    });
  return { counter: rowOf('counter'), level: rowOf('level'), gauge: rowOf('gauge') };
}

/** Metrics with one value. */
export const whole = rowsOf<HeapStats>('', (stats, value) => [
  { value: value(stats), attributes: {} },
]);

/** Metrics with one value for each size class that was ever used. */
export const eachClass = rowsOf<SizeClassStats>('class.', (stats, value) =>
  usedClasses(stats).map((c) => ({ value: value(c), attributes: { block_bytes: c.blockBytes } })),
);

/** Metrics with one value for each thread slot that was ever used. */
export const eachSlot = rowsOf<ThreadStats>('slot.', ({ threads }, value) =>
  threads.map((thread) => ({ value: value(thread), attributes: { slot: thread.slot } })),
);

/** The size classes that have spans, or had blocks allocated. */
export function usedClasses({ sizeClasses }: HeapStats): SizeClassStats[] {
  return sizeClasses.filter((c) => c.allocations > 0 || c.spans > 0);
}
