/**
 * Messages between kill.test.ts and the threads that it kills.
 */

import type { HeapHandle } from 'shmalloc';

export interface KillOrder {
  /** The main module of the instrumented copy. */
  readonly library: string;
  readonly handle: HeapHandle;
  readonly part: Part;
  /** The point to park at, at its n-th passage (from 1); '' = run to the end and count passages. */
  readonly point: string;
  readonly passage: number;
}

/** The thread's work: each part passes some of the points. */
export type Part = 'tour' | 'reserve' | 'records' | 'contexts' | 'vectors' | 'rescue';

/** Blocks that the part `records` allocates and frees before its next one: all are held back. */
export const RECORDS_HELD = 32;
