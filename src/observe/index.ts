/** observe: reading the heap while it runs. Imports base, layout. */
export * from './stats.js';
export * from './stats-table.js';
