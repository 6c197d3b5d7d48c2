/**
 * Reports of a heap: statistics, metrics, the check of its invariants, and the line that console.log
 * shows.
 *
 * Used by SharedHeap. Any thread.
 */

import { append, FLAG, type OptionValues, oneOf, readOptions } from '../base/index.js';
import type { ThreadHeap } from '../heap/index.js';
import type { HeapMemory } from '../layout/index.js';
import {
  formatBytes,
  type HeapStats,
  identityGap,
  LABELS,
  listOtelMetrics,
  type MetricLabels,
  type OtelMetric,
  readQuiet,
  readStats,
  readTotals,
  renderPrometheus,
} from '../stats/index.js';
import { isPoisoned } from '../sync/index.js';
import type { VerifyOptions, VerifyReport } from '../verify/index.js';

/** Options of `metrics`. */
export interface MetricsOptions {
  /** `prometheus`: a text. `otel`: values for OpenTelemetry. Default `prometheus`. */
  format?: 'prometheus' | 'otel' | undefined;
  /** Labels put on every value, such as `{ heap: 'images' }`. Default none. */
  labels?: MetricLabels | undefined;
}

const METRICS_VALUES: OptionValues<MetricsOptions> = {
  format: oneOf('prometheus', 'otel'),
  labels: LABELS,
};
const VERIFY_VALUES: OptionValues<VerifyOptions> = { quiet: FLAG };

/** A heap as JSON.stringify shows it. */
export interface HeapSummary {
  /** As in `heap.handle.id`. */
  heap: string;
  /** Length of the heap in bytes. */
  reservedBytes: number;
  /** Usable bytes of live blocks. */
  inUseBytes: number;
  /** Number of attached threads. */
  threads: number;
}

/** What a heap reports about itself. */
export interface HeapReports {
  /**
   * What the heap holds, and what was done with it since it was made or since resetStats().
   *
   * While other threads run, the figures are those of about one moment: none is below 0, no part is
   * more than its whole, and no count falls from one call of a thread to its next, except by
   * resetStats(). A count may lack the last calls. While other threads are quiet, all figures are
   * exact, except sampled ones.
   * @returns a plain object; sizes in bytes, times in nanoseconds
   *
   * Threads: any; holds up nobody. Cost: about 40 microseconds.
   */
  stats(): HeapStats;
  /**
   * The statistics for monitoring: what is in use and where, fragmentation, calls, locks, threads and
   * size classes; docs/metrics.md lists them. Counters count since the heap was made: resetStats()
   * does not change them, and they never fall from one call of a thread to its next.
   * @param options format and labels
   * @returns a text that Prometheus scrapes, to be served as PROMETHEUS_CONTENT_TYPE; with
   *   `format: 'otel'`, values for OpenTelemetry's observable instruments
   * @throws TypeError ERR_SHMALLOC_INVALID_OPTION for a label that cannot be one
   *
   * Threads: any; one of them should ask. Cost: about 0.2 milliseconds.
   */
  metrics(options?: MetricsOptions & { format?: 'prometheus' | undefined }): string;
  metrics(options: MetricsOptions & { format: 'otel' }): OtelMetric[];
  /**
   * Starts all counts anew, for all threads; those of metrics() go on. The heap itself does not
   * change. A thread that reads statistics meanwhile may see counts from before and from after.
   *
   * Threads: any. Cost: about 40 microseconds.
   */
  resetStats(): void;
  /**
   * Checks the whole heap against its invariants, and counts what is in it. Changes nothing, except
   * that it takes over locks of dead threads. The report of a poisoned heap begins with the reason.
   * @param options `quiet: true` says that no other thread uses the heap: then every block must be
   *   exactly one of live, cached and free, and counters must equal a recount. Otherwise the check is
   *   of what holds at any moment: runs tile the data, bins and lists are true, no free block is live
   * @returns `ok`, the problems with their invariants, and counts
   * @throws TypeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_DETACHED
   *
   * Threads: any; holds up those that need the same locks. Cost: a walk over everything, about 35 ms
   * for 100 MiB in use.
   */
  verify(options?: VerifyOptions): VerifyReport;
}

/** The metrics in the format that the options name. */
export function readMetrics(
  memory: HeapMemory,
  options: MetricsOptions | undefined,
): string | OtelMetric[] {
  const { format, labels = {} } = readOptions('metrics', options, METRICS_VALUES);
  const totals = readTotals(memory);
  return format === 'otel' ? listOtelMetrics(totals, labels) : renderPrometheus(totals, labels);
}

/** The report of all invariants, those of the statistics included. */
export function verifyHeap(core: ThreadHeap, options: VerifyOptions | undefined): VerifyReport {
  const { quiet = false } = readOptions('verify', options, VERIFY_VALUES);
  const report = core.verify(quiet);
  const gap = report.quiet ? identityGap(readQuiet(core.memory)) : 0;
  if (gap !== 0) {
    const message = `the parts of the heap add up to ${gap} bytes less than there are`;
    append(report.problems, { invariant: 'stats I1', address: 0, message });
    report.ok = false;
  }
  return report;
}

/** The figures that JSON.stringify shows. */
export function summaryOf(memory: HeapMemory, heapId: string): HeapSummary {
  const { reservedBytes, inUseBytes, threads } = readStats(memory);
  const attached = threads.filter((thread) => thread.attached).length;
  return { heap: heapId, reservedBytes, inUseBytes, threads: attached };
}

/** The line that console.log shows. */
export function describeHeap(core: ThreadHeap, heapId: string): string {
  const { heap, inUseBytes, reservedBytes, threads } = summaryOf(core.memory, heapId);
  const use = `${formatBytes(inUseBytes)} of ${formatBytes(reservedBytes)} in use`;
  const state = isPoisoned(core.memory) ? ', broken' : '';
  const here = core.isAttached() ? '' : ', this thread has detached';
  const count = `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return `SharedHeap ${heap}: ${use}, ${count}${state}${here}`;
}
