/**
 * cache-scratch: passive false sharing (Berger et al. 2000, Hoard).
 *
 * The main thread allocates one byte for each thread, one block directly after the other. Each
 * thread frees the block that it was given, and then repeatedly allocates a byte, increments it
 * very often and frees it. An allocator that hands a thread the block that it has just freed makes
 * two threads write into one cache line from then on, although neither of them did anything wrong.
 *
 * In the original it is chance whether the first two blocks are in one line. Here the main thread
 * puts blocks aside until one is in the first half of a line, and begins with that one.
 *
 * All threads together do the same number of increments for any number of threads: on N threads a
 * run should take an Nth of its time on one. What the number does not show: the cost of malloc and
 * free, which come once in 300,000 increments. It shows nothing at all if the processors share the
 * cache that they write to, as those of a virtual machine may. An operation is an increment.
 */

import { cacheLines } from './cache-lines.js';

export const cacheScratch = cacheLines('cache-scratch', true);
