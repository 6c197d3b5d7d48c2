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
  FragmentationStats,
  HeapStats,
  LargeStats,
  LockStats,
  RecoveryStats,
  SizeClassStats,
  ThreadStats,
} from './observe/index.js';
