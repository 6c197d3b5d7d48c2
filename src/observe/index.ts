/** observe: reading the heap while it runs. Imports base, layout, heap. */
export { type ContextNode, readContextTree, renderContextTree } from './context-tree.js';
export * from './heap-map.js';
export * from './heap-stats.js';
export { type HexdumpOptions, hexRows, renderHexdump } from './hexdump.js';
export * from './leaks.js';
export { type ListingSource, writeLines, writeListing } from './listing.js';
export { isSpan, readMap } from './map.js';
export type { MetricKind, MetricPoint, MetricUnit } from './metric.js';
export * from './metrics.js';
export { identityGap, readQuiet, readStats, readTotals, resetStats } from './stats.js';
export * from './stats-table.js';
