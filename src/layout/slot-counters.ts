/**
 * Counters and samples of a thread slot: what a thread's calls did that the magazines do not show.
 *
 * Drawing and places: slot.ts. Written by the slot's owner, except by recovery. Read by any thread.
 */

import type { SizeClass, WordIndex } from '../base/index.js';

import * as Slot from './slot.js';

/** Indexes of a slot's counters. */
export const REFILLS = 0;
export const FLUSHES = 1;
export const LARGE_MALLOCS = 2;
export const LARGE_FREES = 3;
/** Usable bytes of large blocks, growth in place included. */
export const LARGE_MALLOC_BYTES = 4;
/** Bytes added by rounding large blocks up to whole pages, each time that one was given a size. */
export const LARGE_ROUNDING_BYTES = 5;
/** Number of times that a large block was given a size: allocations, and reallocations in place. */
export const LARGE_SIZINGS = 6;
/** Usable bytes of freed large blocks, including pages returned by a reallocation in place. */
export const LARGE_FREED_BYTES = 7;
export const COUNT = 8;
if (COUNT * 2 > Slot.COUNTER_WORDS) throw new Error('slot: too many counters for their line');

export const get = (f64: Float64Array, slot: WordIndex, counter: number): number =>
  f64[((slot + Slot.COUNTERS) >>> 1) + counter];
export const add = (f64: Float64Array, slot: WordIndex, counter: number, amount: number): void => {
  f64[((slot + Slot.COUNTERS) >>> 1) + counter] += amount;
};

/** Bytes that the sampled calls of this class asked for, and the number of these calls. */
export const getSampledBytes = (f64: Float64Array, slot: WordIndex, c: SizeClass): number =>
  f64[((slot + Slot.SAMPLED_BYTES) >>> 1) + c];
export const getSampledRequests = (f64: Float64Array, slot: WordIndex, c: SizeClass): number =>
  f64[((slot + Slot.SAMPLED_REQUESTS) >>> 1) + c];
/** Adds a sample. Slot's owner only; a death between its two stores only skews the average. */
export const addSample = (
  f64: Float64Array,
  slot: WordIndex,
  c: SizeClass,
  bytes: number,
): void => {
  f64[((slot + Slot.SAMPLED_BYTES) >>> 1) + c] += bytes;
  f64[((slot + Slot.SAMPLED_REQUESTS) >>> 1) + c] += 1;
};
