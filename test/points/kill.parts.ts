/**
 * What kill.test.ts and the threads that it kills say to each other.
 */

import type { HeapHandle } from 'shmalloc';

export interface KillOrder {
  /** The main module of the instrumented copy. */
  readonly library: string;
  readonly handle: HeapHandle;
  readonly part: Part;
  /** Where to park, at the n-th passage (from 1); '' = run through and count passages. */
  readonly point: string;
  readonly passage: number;
}

/** What the thread does: each part passes some of the points. */
export type Part = 'tour' | 'reserve' | 'unsafe' | 'records' | 'contexts' | 'vectors' | 'rescue';

/** So many blocks the part `records` allocates and frees before its next one: all are held back. */
export const RECORDS_HELD = 32;
