/** face: the public class and the default heap. */
export type {
  Block,
  BlockUser,
  ContextLabel,
  Recovered,
  VerifyOptions,
  VerifyProblem,
  VerifyReport,
} from '../heap/index.js';
export type { DebugOptions } from './debug-options.js';
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
export type { HeapOptions } from './heap-options.js';
export type { HeapSummary } from './inspectable-heap.js';
export { parseBytes } from './parse-bytes.js';
export * from './shared-heap.js';
export { type ShowOptions, writeToStderr, writeToStdout } from './write-out.js';
