/** The package's main entry: the heap. Loads nothing but Node's own modules. */

export {
  HEAP_CHANNELS,
  type HeapBlocks,
  type HeapCalls,
  type HeapCorruptedEvent,
  type HeapEvent,
  type HeapExhaustedEvent,
  type HeapHandle,
  type HeapLifeEvent,
  type HeapRecoveredEvent,
  type HeapReports,
  type HeapSummary,
  type Inspection,
  type MetricsOptions,
  type Printable,
  type PrintHistoryOptions,
  SharedHeap,
  type WatchedWorker,
} from './api/index.js';
export {
  type Address,
  type BlockDamage,
  BlockDamagedError,
  type ErrorCode,
  type ErrorJson,
  HeapCorruptionError,
  HeapError,
  HeapExhaustedError,
  InvalidAddressError,
  type InvalidAddressReason,
  NULL,
} from './base/index.js';
export type { Block, BlockUser, ContextLabel } from './blocks/index.js';
export {
  type AnyElement,
  type ElementInput,
  type ElementOf,
  type ElementType,
  type NumberElements,
  Vector,
  type VectorEntry,
  type VectorHandle,
  type VectorHandleOf,
  type VectorOptions,
  type Vectors,
  type ViewOf,
} from './collections/index.js';
export {
  type AnyContext,
  type BumpContext,
  Context,
  type ContextHandle,
  type ContextNode,
  type ContextOf,
  type ContextOptions,
  type ContextStats,
  type ContextSummary,
  type Contexts,
  type ContextType,
  type SetContext,
  type ViewConstructor,
} from './contexts/index.js';
export type { Allocation, HistoryEvent, HistoryFilter } from './debug/index.js';
export type {
  HeapMap,
  HexdumpOptions,
  LeakedContext,
  LeakGroup,
  Leaks,
  MapPlainRun,
  MapRegion,
  MapRun,
  MapSpan,
  RunZone,
  ZoneTotals,
} from './inspect/index.js';
export type { HeapViews, Operation } from './layout/index.js';
export type { DebugOptions, HeapOptions, PrintOptions } from './options/index.js';
export type { Recovered } from './recovery/index.js';
export {
  type ContextTotals,
  type FragmentationStats,
  type HeapStats,
  type LargeStats,
  type LockStats,
  type MetricKind,
  type MetricLabels,
  type MetricPoint,
  type MetricUnit,
  type OtelMetric,
  PROMETHEUS_CONTENT_TYPE,
  type RecoveryStats,
  type SizeClassStats,
  type ThreadStats,
} from './stats/index.js';
export type { VerifyOptions, VerifyProblem, VerifyReport } from './verify/index.js';
