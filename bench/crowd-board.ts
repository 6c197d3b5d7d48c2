/**
 * What the threads of bench/crowd-run.ts tell each other: orders and figures in shared memory, since
 * threads that do nothing but call the heap answer no messages.
 */

import type { HeapHandle } from 'shmalloc';

/** What a thread does until it is told to end. */
export type CrowdRole = 'idle' | 'trade' | 'evict' | 'victim';

export interface CrowdJob {
  readonly role: CrowdRole;
  readonly heap: HeapHandle;
  readonly orders: Int32Array<SharedArrayBuffer>;
  /** FIGURES for each thread. */
  readonly figures: Float64Array<SharedArrayBuffer>;
  readonly index: number;
  /** The word of `orders` that the thread waits at before it begins. */
  readonly startWord: number;
}

/** Words of the orders: what all are to do, threads that have attached, kills so far. */
export const ORDER = 0;
export const ATTACHED = 1;
export const KILLS = 2;
/** First of the words at which victims wait. */
export const VICTIMS = 3;

export const WAIT = 0;
export const GO = 1;
export const END = 2;

/** Figures of a thread: a cache line of doubles. */
export const FIGURES = 8;
/** Calls of malloc that have returned. */
export const CALLS = 0;
/** The kill after which a call returned last, and when the first one after it did, in ms. */
export const SEEN_KILL = 1;
export const SEEN_MS = 2;
/** Calls that answered 0, and the time that they took together, in ms. */
export const FAILED = 3;
export const FAILED_MS = 4;
/** 1: the victim is in the call in which it is to die. */
export const INSIDE = 5;

/** Bytes of a block that is evicted. */
export const EVICTED_BYTES = 1000;

/** The clock of the process, the same in all threads. */
export const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6;
