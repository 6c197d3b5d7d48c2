/**
 * Access: how what threads share is looked at, without changing it.
 *
 * Made by thread-heap.ts for verify.ts, list-blocks.ts and locate.ts. A sound heap is looked at under its
 * locks. A poisoned one refuses all work, but what is left of it can be seen: its locks may be
 * anybody's for ever, so they are not asked for, and what contradicts itself ends a walk there.
 */

import { isCorruption } from '../base/index.js';
import type { LockIndex } from '../layout/index.js';

export interface HeapAccess {
  acquire(lock: LockIndex): void;
  release(lock: LockIndex): void;
  /** The heap is poisoned: nobody works on it any more, and it may be wrong anywhere. */
  readonly broken: boolean;
}

/** Of a poisoned heap. */
export const POST_MORTEM: HeapAccess = { acquire() {}, release() {}, broken: true };

/** Walks, with an access: of a broken heap as far as it can be walked. */
export function walkAsFar({ broken }: HeapAccess, walk: () => void): void {
  try {
    walk();
  } catch (error) {
    if (!broken || !isCorruption(error)) throw error;
  }
}

/** So often is looked at what seems wrong and no lock guards, before it is. */
const LOOKS = 16;

/** Is it wrong every time that one looks? What was read of two words may be of two moments. */
export function isStable(wrong: () => boolean): boolean {
  for (let look = 0; look < LOOKS; look++) if (!wrong()) return false;
  return true;
}
