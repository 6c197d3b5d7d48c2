/** pool: worker pools over a heap. The only part of the package that loads piscina. */
export { HeapPool, type HeapPoolStats } from './heap-pool.js';
export type {
  HeapPoolOptions,
  HeapPoolRunOptions,
  PoolLoadBalancer,
  PoolTask,
  PoolTaskQueue,
  PoolWorker,
} from './pool-options.js';
