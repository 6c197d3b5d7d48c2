/**
 * The shared memory of bench/crowd-run.ts's threads: orders and figures, since threads that only
 * call the heap answer no messages.
 */

import type { HeapHandle } from 'shmalloc';

/** What a thread does until it is told to end. */
export type CrowdRole = 'idle' | 'trade' | 'evict' | 'victim';

export interface CrowdJob {
  readonly role: CrowdRole;
  readonly heap: HeapHandle;
  readonly orders: Int32Array<SharedArrayBuffer>;
  /** FIGURES doubles for each thread. */
  readonly figures: Float64Array<SharedArrayBuffer>;
  readonly index: number;
  /** Index in `orders` of the word that the thread waits for before it begins. */
  readonly startWord: number;
}

/** Words of the orders: the order to all, the number of attached threads, the number of kills. */
export const ORDER = 0;
export const ATTACHED = 1;
export const KILLS = 2;
/** First of the words that victims wait for. */
export const VICTIMS = 3;

export const WAIT = 0;
export const GO = 1;
export const END = 2;

/** Doubles of a thread's figures: a cache line. */
export const FIGURES = 8;
/** Number of calls of malloc that have returned. */
export const CALLS = 0;
/** The last kill after which a call has returned, and the time of the first such return, in ms. */
export const SEEN_KILL = 1;
export const SEEN_MS = 2;
/** Number of calls that returned 0, and their total time, in ms. */
export const FAILED = 3;
export const FAILED_MS = 4;
/** 1 if the victim is in the call in which it is to die. */
export const INSIDE = 5;

/** Size of a block that is evicted, in bytes. */
export const EVICTED_BYTES = 1000;

/** The clock of the process, the same in all threads. */
export const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6;
