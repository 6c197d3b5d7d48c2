/**
 * Access: reads shared structures without changing them.
 *
 * Made by thread-heap.ts for verify.ts, list-blocks.ts and locate.ts. A sound heap is read under
 * its locks. A poisoned heap refuses all work, but its remains can be read: its locks may have
 * owners for ever, so they are not acquired, and a walk ends at the first contradiction.
 */

import { isCorruption } from '../base/index.js';
import type { LockIndex } from '../layout/index.js';

export interface HeapAccess {
  acquire(lock: LockIndex): void;
  release(lock: LockIndex): void;
  /**
   * True if the heap is poisoned: no thread works on it any more, and any word of it may be wrong.
   */
  readonly broken: boolean;
}

/** Access to a poisoned heap. */
export const POST_MORTEM: HeapAccess = { acquire() {}, release() {}, broken: true };

/** Walks; on a poisoned heap, until the first contradiction. */
export function walkAsFar({ broken }: HeapAccess, walk: () => void): void {
  try {
    walk();
  } catch (error) {
    if (!broken || !isCorruption(error)) throw error;
  }
}

/** Number of reads before a mismatch of words that no lock guards counts as a problem. */
const LOOKS = 16;

/** True if `wrong` is true in every read. Two words may have been read at two different moments. */
export function isStable(wrong: () => boolean): boolean {
  for (let look = 0; look < LOOKS; look++) if (!wrong()) return false;
  return true;
}
