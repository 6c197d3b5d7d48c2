/**
 * cache-thrash: active false sharing (Berger et al. 2000, Hoard).
 *
 * As cache-scratch, but no thread is given a block: each allocates a byte, increments it very often
 * and frees it, again and again. An allocator that cuts the blocks of several threads out of one
 * cache line makes them wait for each other.
 *
 * What the number shows, and what it does not, is the same too. An operation is an increment.
 */

import { cacheLines } from './cache-lines.js';

export const cacheThrash = cacheLines('cache-thrash', false);
