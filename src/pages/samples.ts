/**
 * Samples: facts that the fast paths cannot count, sampled by calls that take a slow path anyway.
 *
 * Used by slow-path.ts, in a section (after the section if no block is reserved), with no lock
 * held. Nothing here takes a lock, and a thread that dies in the middle loses a sample. Owner
 * thread only.
 *
 * Sizes: a call that has to refill a class's magazine records its requested bytes: the first 64
 * such calls of a thread, then every fourth, which is one in about 64 to 256 allocations (to record
 * all of them costs the trace bash 4 %). The sizes of large blocks are all counted. Peak of live
 * bytes: sampled when the heap has grown by a 64th since this thread's last sample, and at about
 * every 256th of its slow allocations. Blocks that come and go in between are not seen: the true
 * peak may be higher, usually by no more than the threads' caches.
 */

import { PAGE_BYTES, pagesOf, type SizeClass, type WordIndex } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as SlotCounters from '../layout/slot-counters.js';
import { samplePeakLive } from './live-bytes.js';

/** One thread's part in a heap's samples. */
export interface Samples {
  /**
   * Called for a block of class `c` and `bytes` requested bytes, if its magazine had to be
   * refilled.
   */
  small(c: SizeClass, bytes: number): void;
  /** Called when a large block gets `bytes` bytes: a new block, or one that stays in place. */
  large(bytes: number): void;
}

/** Number of refills of a thread that are all recorded; later, every fourth is. */
const EARLY_REFILLS = 64;
const REFILLS_MASK = 3;
/** Recorded calls between two samples of the peak. */
const CALLS_BETWEEN_PEAKS = 64;
const GROWTH_SHIFT = 6;

export function createSamples(memory: HeapMemory, slot: WordIndex): Samples {
  const { i32, f64, geometry } = memory;
  let refills = 0;
  let callsLeft = CALLS_BETWEEN_PEAKS;
  /** Mapped pages at which the next sample of the peak is due. */
  let nextPages = 1;
  /** The peak at this thread's last sample; the shared one is lower after resetStats(). */
  let peak = 0;

  function lookAtPeak(): void {
    if (PageHeapRecord.getPeakLiveBytes(f64, geometry.pageHeap) < peak) nextPages = 1;
    const pages = PageHeapRecord.getMappedPages(i32, geometry.pageHeap);
    if (--callsLeft > 0 && pages < nextPages) return;
    callsLeft = CALLS_BETWEEN_PEAKS;
    nextPages = Math.max(nextPages, pages + (pages >>> GROWTH_SHIFT) + 1);
    samplePeakLive(memory);
    peak = PageHeapRecord.getPeakLiveBytes(f64, geometry.pageHeap);
  }

  return {
    small(c, bytes) {
      refills++;
      if (refills > EARLY_REFILLS && (refills & REFILLS_MASK) !== 0) return;
      SlotCounters.addSample(f64, slot, c, bytes);
      lookAtPeak();
    },
    large(bytes) {
      SlotCounters.add(
        f64,
        slot,
        SlotCounters.LARGE_ROUNDING_BYTES,
        pagesOf(bytes) * PAGE_BYTES - bytes,
      );
      SlotCounters.add(f64, slot, SlotCounters.LARGE_SIZINGS, 1);
      lookAtPeak();
    },
  };
}
