/** The package's main entry: the heap. Loads nothing but Node's own modules. */
export {
  type Address,
  type BlockDamage,
  BlockDamagedError,
  type ErrorCode,
  HeapCorruptionError,
  HeapError,
  InvalidAddressError,
  type InvalidAddressReason,
  NULL,
  ThreadSafetyError,
} from './base/index.js';
export type { HistoryEvent, HistoryFilter } from './debug/index.js';
export {
  type Block,
  type DebugOptions,
  type HeapHandle,
  type HeapOptions,
  type Recovered,
  SharedHeap,
  type VerifyOptions,
  type VerifyProblem,
  type VerifyReport,
  type ViewConstructor,
} from './face/index.js';
export type {
  HeapStats,
  LockStats,
  RecoveryStats,
  SizeClassStats,
  ThreadStats,
} from './observe/index.js';
