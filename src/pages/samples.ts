/**
 * Samples: what the fast paths cannot count, looked at by the calls that end in a slow path anyway.
 *
 * Used by allocator.ts, in a section (after it where no block is reserved), with no lock held; nothing
 * here takes one, and a thread that dies in the middle loses a sample. Owner thread only.
 *
 * Sizes: a call that has to refill a class's magazine notes how many bytes it wants: the first 64 such
 * calls of a thread, then every fourth, so one in about 64 to 256 allocations (to note all of them
 * costs the trace bash 4 %). Of large blocks all sizes are counted.
 * Peak of live bytes: looked at when the heap has grown by a 64th since this thread last did, and at
 * about every 256th of its slow allocations. What comes and goes in between is not seen: the true peak may
 * be higher, mostly by no more than threads have in their caches.
 */

import { PAGE_BYTES, pagesOf, type SizeClass, type WordIndex } from '../base/index.js';
import {
  addSample,
  addSlotCounter,
  getMappedPages,
  getPeakLiveBytes,
  type HeapMemory,
  LARGE_ROUNDING_BYTES,
  LARGE_SIZINGS,
} from '../layout/index.js';
import { samplePeakLive } from './live-bytes.js';

/** One thread's part in a heap's samples. */
export interface Samples {
  /** A block of class `c` was asked for with `bytes` bytes, and its magazine had to be refilled. */
  small(c: SizeClass, bytes: number): void;
  /** A large block is given `bytes` bytes: a new one, or one that stays where it is. */
  large(bytes: number): void;
}

/** So many refills of a thread are all noted, then every fourth. */
const EARLY_REFILLS = 64;
const REFILLS_MASK = 3;
/** Of the calls that are noted. */
const CALLS_BETWEEN_PEAKS = 64;
const GROWTH_SHIFT = 6;

export function createSamples(memory: HeapMemory, slot: WordIndex): Samples {
  const { i32, f64, geometry } = memory;
  let refills = 0;
  let callsLeft = CALLS_BETWEEN_PEAKS;
  /** The next look at the peak is due when so many pages are mapped. */
  let nextPages = 1;
  /** The peak as this thread saw it last: less is there after resetStats(). */
  let peak = 0;

  function lookAtPeak(): void {
    if (getPeakLiveBytes(f64, geometry.pageHeap) < peak) nextPages = 1;
    const pages = getMappedPages(i32, geometry.pageHeap);
    if (--callsLeft > 0 && pages < nextPages) return;
    callsLeft = CALLS_BETWEEN_PEAKS;
    nextPages = Math.max(nextPages, pages + (pages >>> GROWTH_SHIFT) + 1);
    samplePeakLive(memory);
    peak = getPeakLiveBytes(f64, geometry.pageHeap);
  }

  return {
    small(c, bytes) {
      refills++;
      if (refills > EARLY_REFILLS && (refills & REFILLS_MASK) !== 0) return;
      addSample(f64, slot, c, bytes);
      lookAtPeak();
    },
    large(bytes) {
      addSlotCounter(f64, slot, LARGE_ROUNDING_BYTES, pagesOf(bytes) * PAGE_BYTES - bytes);
      addSlotCounter(f64, slot, LARGE_SIZINGS, 1);
      lookAtPeak();
    },
  };
}
