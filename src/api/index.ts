/** api: the public class, the default heap and the C-style functions. */
export { workerDataWith } from './default-heap.js';
export {
  HEAP_CHANNELS,
  type HeapCorruptedEvent,
  type HeapEvent,
  type HeapExhaustedEvent,
  type HeapLifeEvent,
  type HeapRecoveredEvent,
} from './events.js';
export { type HeapHandle, slotsOf } from './heap-handle.js';
export type { HeapSummary } from './inspectable-heap.js';
export { SharedHeap, type WatchedWorker } from './shared-heap.js';
