/** The package's main entry: the heap. Loads nothing but Node's own modules. */
export {
  type Address,
  type ErrorCode,
  HeapCorruptionError,
  HeapError,
  InvalidAddressError,
  type InvalidAddressReason,
  NULL,
  ThreadSafetyError,
} from './base/index.js';
export {
  type Block,
  HEAP_CHANNELS,
  type HeapCorruptedEvent,
  type HeapEvent,
  type HeapExhaustedEvent,
  type HeapHandle,
  type HeapLifeEvent,
  type HeapOptions,
  type HeapRecoveredEvent,
  type Recovered,
  SharedHeap,
  type VerifyOptions,
  type VerifyProblem,
  type VerifyReport,
  type ViewConstructor,
} from './face/index.js';
export type {
  FragmentationStats,
  HeapStats,
  LargeStats,
  LockStats,
  MetricLabels,
  MetricPoint,
  OtelMetric,
  RecoveryStats,
  SizeClassStats,
  ThreadStats,
} from './observe/index.js';
export { PROMETHEUS_CONTENT_TYPE } from './observe/index.js';
