/**
 * Metrics: a heap's statistics in the formats of monitoring systems.
 *
 * Called by SharedHeap.metrics(). Pure. metric-table.ts has the metrics, this file the two formats.
 * No counter falls (counters.ts I2), since a monitoring system takes a falling counter for a
 * restart and counts its whole value again.
 */

import { type OptionValue, printable, show, typeError } from '../base/index.js';
import type { HeapStats } from './heap-stats.js';
import { type MetricKind, type MetricPoint, type MetricUnit, prometheusName } from './metric.js';
import { METRICS } from './metric-table.js';

/** Labels added to every value, such as a name of the heap: `{ heap: 'images' }`. */
export type MetricLabels = Readonly<Record<string, string>>;

/** A metric in OpenTelemetry's terms: `kind` names the instrument. */
export interface OtelMetric {
  /** For example `shmalloc.heap.memory`. */
  readonly name: string;
  readonly kind: 'observable_counter' | 'observable_up_down_counter' | 'observable_gauge';
  /** `By`, `s`, `1`, or the counted thing: `{block}`. */
  readonly unit: MetricUnit;
  readonly description: string;
  readonly points: readonly MetricPoint[];
}

/** Content type of a response with the Prometheus text. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const OTEL_KINDS: Record<MetricKind, OtelMetric['kind']> = {
  counter: 'observable_counter',
  level: 'observable_up_down_counter',
  gauge: 'observable_gauge',
};

/** The metrics in Prometheus' text format. */
export function renderPrometheus(stats: HeapStats, labels: MetricLabels): string {
  const lines = METRICS.flatMap((metric) => {
    const name = prometheusName(metric);
    return [
      `# HELP ${name} ${escapeHelp(metric.description)}.`,
      `# TYPE ${name} ${metric.kind === 'counter' ? 'counter' : 'gauge'}`,
      ...metric
        .read(stats)
        .map(
          ({ value, attributes }) =>
            `${name}${renderLabels({ ...labels, ...attributes })} ${value}`,
        ),
    ];
  });
  return `${lines.join('\n')}\n`;
}

/** The metrics as values for OpenTelemetry's instruments. */
export function listOtelMetrics(stats: HeapStats, labels: MetricLabels): OtelMetric[] {
  return METRICS.map((metric) => ({
    name: metric.name,
    kind: OTEL_KINDS[metric.kind],
    unit: metric.unit,
    description: metric.description,
    points: metric
      .read(stats)
      .map(({ value, attributes }) => ({ value, attributes: { ...labels, ...attributes } })),
  }));
}

/** Labels as an option of a call: a private copy, so that no caller can change it later. */
export const LABELS: OptionValue<MetricLabels> = {
  allowed: "an object of names and texts, as in { heap: 'images' }",
  types: [],
  fromCode(given) {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
    const labels = { ...given } as MetricLabels;
    checkLabels(labels);
    return labels;
  },
};

/** Refuses names that the table uses and names that Prometheus reserves. */
function checkLabels(labels: MetricLabels): void {
  for (const [name, value] of Object.entries(labels)) {
    const own = ['state', 'block_bytes', 'slot'].includes(name);
    if (/^(?!__)[a-zA-Z_]\w*$/.test(name) && !own && typeof value === 'string') continue;
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `metrics: a label is a name of letters, digits and _ that is not state, block_bytes or slot, ` +
        `with a string; got ${show(name)} with ${show(value)}`,
    );
  }
}

function renderLabels(attributes: MetricPoint['attributes']): string {
  const pairs = Object.entries(attributes).map(
    ([name, value]) => `${name}="${escapeLabel(String(value))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
/** Prometheus can escape line breaks; other control characters are written in `printable` form. */
const escapeLabel = (text: string): string =>
  text
    .split('\n')
    .map((line) => escapeHelp(printable(line)).replaceAll('"', '\\"'))
    .join('\\n');
