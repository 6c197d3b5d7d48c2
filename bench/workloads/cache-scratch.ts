/**
 * cache-scratch: passive false sharing (Berger et al. 2000, Hoard).
 *
 * The main thread allocates one byte for each thread, one block right after the other. Each thread
 * frees the block that it was given, and then again and again allocates a byte, increments it very
 * often and frees it. An allocator that hands a thread the block that it just freed has two threads
 * write into one cache line from then on, though neither of them did anything wrong.
 *
 * In the original it is luck whether the first two blocks are in one line. Here the main thread
 * puts blocks aside until it has one in the first half of a line, and begins with that.
 *
 * All threads together do as many increments however many they are: on N threads a run should take
 * an Nth of what it takes on one. What the number does not show: what malloc and free cost, since
 * they come once in 300,000 increments. And nothing at all where the processors share the cache
 * that they write to, as those of a virtual machine may. An operation is an increment.
 */

import { cacheLines } from './cache-lines.js';

export const cacheScratch = cacheLines('cache-scratch', true);
