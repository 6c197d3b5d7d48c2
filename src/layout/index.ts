/**
 * layout: one file per structure of the shared memory, with its drawing and then its accessors. No
 * other folder knows an offset. Imports base/ only.
 *
 * `get`/`set` are plain accesses (the caller says what protects them), `load`/`store`/`cas`/`swap`
 * are atomic. A record is identified by the index of its first word.
 */
export * from './atomics.js';
export * from './baseline.js';
export * from './block-record.js';
export * from './chunk-record.js';
export * from './class-record.js';
export * from './context-record.js';
export * from './debug-record.js';
export * from './event-ring.js';
export * from './geometry.js';
export * from './header.js';
export * from './lock-table.js';
export * from './magazine-sizes.js';
export * from './memory.js';
export * from './memory-order.js';
export * from './names.js';
export * from './page-heap-record.js';
export * from './page-owners.js';
export * from './page-record.js';
export * from './record-table.js';
export * from './regions.js';
export * from './registry.js';
export * from './slot.js';
export * from './stack-store.js';
export * from './trace-buffer.js';
export * from './vector-header.js';
