/**
 * layout: one file per structure of the shared memory, with its drawing and then its accessors. No
 * other folder knows an offset. Imports base/ only.
 *
 * Each structure is a namespace: `import * as Slot from '../layout/slot.js'`, then `Slot.getTop`. Other
 * folders import the file itself: in some bundlers a namespace that a second module hands on becomes an
 * object with a getter for each name. This index has the types, and what belongs to no structure.
 *
 * `get`/`set` are plain accesses (the caller says what protects them), `load`/`store`/`cas`/`swap`
 * are atomic. A record is identified by the index of its first word.
 */
export * from './atomics.js';
export type { Doer } from './block-record.js';
export type { ContextIndex, ContextPhase } from './context-record.js';
export type { DebugSettings } from './debug-record.js';
export type { Operation, RingEvent } from './event-ring.js';
export * from './geometry.js';
export type { HeaderFields } from './header.js';
export type { LockIndex } from './lock-table.js';
export * from './magazine-sizes.js';
export * from './memory.js';
export * from './memory-order.js';
export type { RunKind } from './page-record.js';
export type { RecordTable } from './record-table.js';
export * from './regions.js';
export type { TraceEvent } from './trace-buffer.js';
export type { VectorFields } from './vector-header.js';
