/** api: the public class, the default heap and the C-style functions. */
export type { HeapBlocks } from './block-views.js';
export { workerDataWith } from './default-heap.js';
export {
  HEAP_CHANNELS,
  type HeapCorruptedEvent,
  type HeapEvent,
  type HeapExhaustedEvent,
  type HeapLifeEvent,
  type HeapRecoveredEvent,
} from './events.js';
export type { HeapCalls } from './heap-calls.js';
export { type HeapHandle, slotsOf } from './heap-handle.js';
export type { HeapReports, HeapSummary, MetricsOptions } from './heap-reports.js';
export type { Inspection, Printable, PrintHistoryOptions } from './inspection.js';
export { SharedHeap } from './shared-heap.js';
export type { WatchedWorker } from './watched-worker.js';
