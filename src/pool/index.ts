/** pool: worker pools over a heap. The only part that loads piscina. */
export * from './heap-pool.js';
