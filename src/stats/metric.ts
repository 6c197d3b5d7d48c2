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

// ---- kinds of rows

type Read<T> = (from: T) => number;

/** A metric with one value. */
export function one(
  kind: MetricKind,
  unit: MetricUnit,
  name: string,
  description: string,
  value: Read<HeapStats>,
): Metric {
  const read = (stats: HeapStats) => [{ value: value(stats), attributes: {} }];
  return { name: `shmalloc.${name}`, kind, unit, description, read };
}

/** A metric with one value for each size class that was ever used. */
export function each(
  kind: MetricKind,
  unit: MetricUnit,
  name: string,
  description: string,
  value: Read<SizeClassStats>,
): Metric {
  const read = (stats: HeapStats) =>
    usedClasses(stats).map((c) => ({ value: value(c), attributes: { block_bytes: c.blockBytes } }));
  return { name: `shmalloc.class.${name}`, kind, unit, description, read };
}

/** A metric with one value for each thread slot that was ever used. */
export function slot(
  kind: MetricKind,
  unit: MetricUnit,
  name: string,
  description: string,
  value: Read<ThreadStats>,
): Metric {
  const read = ({ threads }: HeapStats) =>
    threads.map((thread) => ({ value: value(thread), attributes: { slot: thread.slot } }));
  return { name: `shmalloc.slot.${name}`, kind, unit, description, read };
}

/** The size classes that have spans, or had blocks allocated. */
export const usedClasses = ({ sizeClasses }: HeapStats): SizeClassStats[] =>
  sizeClasses.filter((c) => c.allocations > 0 || c.spans > 0);
