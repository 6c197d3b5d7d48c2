/**
 * cache-thrash: active false sharing (Berger et al. 2000, Hoard).
 *
 * As cache-scratch, but no thread is given a block: each thread repeatedly allocates a byte,
 * increments it very often and frees it. An allocator that cuts the blocks of several threads out
 * of one cache line makes them wait for each other.
 *
 * The number shows the same as that of cache-scratch. An operation is an increment.
 */

import { cacheLines } from './cache-lines.js';

export const cacheThrash = cacheLines('cache-thrash', false);
