/**
 * What one thread has seen of a heap's counters so far: the least that each of them can be.
 *
 * Used by the readings (slot-readings.ts, page-readings.ts). One per attachment.
 *
 * I1  What is kept here was true at some moment, and is of what never falls: so it is still true. What
 *     is read later and says less was read in the middle of something.
 */

import { CLASS_ENTRIES } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';

export interface Seen {
  /** Frees of each slot's threads, by slot * CLASS_ENTRIES + class. */
  readonly frees: Float64Array;
  /** Data pages that were ever taken from the reserve. */
  footprintPages: number;
  /** Large blocks, and bytes, that ended with a thread that died before it had counted them. */
  largeLost: number;
  largeBytesLost: number;
}

const seenBy = new WeakMap<HeapMemory, Seen>();

export function seenOf(memory: HeapMemory): Seen {
  const seen = seenBy.get(memory) ?? nothingSeen(memory);
  seenBy.set(memory, seen);
  return seen;
}

/** For a heap whose threads are quiet, where each figure is exact, and where it may be broken. */
export function nothingSeen({ geometry }: HeapMemory): Seen {
  const frees = new Float64Array(geometry.threads * CLASS_ENTRIES);
  return { frees, footprintPages: 0, largeLost: 0, largeBytesLost: 0 };
}
