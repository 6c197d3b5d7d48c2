/**
 * What one thread has read of a heap's counters so far: a lower bound for each of them.
 *
 * Used by slot-readings.ts and page-readings.ts. One per attachment.
 *
 * I1  Each value here was true at some moment and belongs to a count that never falls, so it is
 *     still a lower bound. A later reading with a smaller value was taken in the middle of an
 *     operation.
 */

import { CLASS_ENTRIES } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';

export interface Seen {
  /** Frees by the threads of each slot, at slot * CLASS_ENTRIES + class. */
  readonly frees: Float64Array;
  /** Data pages ever taken from the reserve. */
  footprintPages: number;
  /**
   * Large blocks, and their bytes, that ended with a thread that died before it counted the free.
   */
  largeLost: number;
  largeBytesLost: number;
}

const seenBy = new WeakMap<HeapMemory, Seen>();

export function seenOf(memory: HeapMemory): Seen {
  const seen = seenBy.get(memory) ?? nothingSeen(memory);
  seenBy.set(memory, seen);
  return seen;
}

/** No bounds: for a heap whose threads are quiet (figures are exact) and which may be broken. */
export function nothingSeen({ geometry }: HeapMemory): Seen {
  const frees = new Float64Array(geometry.threads * CLASS_ENTRIES);
  return { frees, footprintPages: 0, largeLost: 0, largeBytesLost: 0 };
}
