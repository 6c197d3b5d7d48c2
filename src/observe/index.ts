/** observe: reading the heap while it runs: statistics, the map. Imports base, layout. */
export * from './heap-map.js';
export * from './heap-stats.js';
export { isSpan, readMap } from './map.js';
export { identityGap, readStats, resetStats } from './stats.js';
export * from './stats-table.js';
