/** stats: counters and metrics, read while the heap runs. */
export { readCounters } from './counters.js';
export type {
  ContextTotals,
  FragmentationStats,
  HeapStats,
  LargeStats,
  LockStats,
  RecoveryStats,
  SizeClassStats,
  ThreadStats,
} from './heap-stats.js';
export type { MetricKind, MetricPoint, MetricUnit } from './metric.js';
export {
  LABELS,
  listOtelMetrics,
  type MetricLabels,
  type OtelMetric,
  PROMETHEUS_CONTENT_TYPE,
  renderPrometheus,
} from './metrics.js';
export { identityGap, readQuiet, readStats, readTotals, resetStats } from './stats.js';
export { formatBytes, formatCount, renderStats, table } from './stats-table.js';
export { sum } from './sum.js';
