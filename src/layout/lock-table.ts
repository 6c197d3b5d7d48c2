/**
 * Locks: one 64-byte line each, in the order in which threads may take them.
 *
 * Taken and released by sync/mutex.ts; the lock word itself belongs to sync/lock-word.ts. Recovery,
 * verification and poison read the words; repair and stats/ use the counters.
 *
 *     word   field          access   meaning
 *     0      lock word      atomic   0 = free, else the owner's thread word; bit 31 = waiters
 *     1      -
 *     2,3    acquisitions   plain    Float64, written by the holder
 *     4,5    contentions    plain    Float64, written by the holder: acquisitions that had to wait
 *     6,7    waitNs         plain    Float64, written by the holder: nanoseconds of all waits
 *     8,9    longestNs      plain    Float64, written by the holder: nanoseconds of the longest
 *                                    wait
 *     10,11  ownerDeaths    plain    Float64, written by the holder: takeovers from dead threads
 *     12,13  closed         plain    Float64, written by the holder: blocks of open transits
 *                                    returned
 *
 * I1  A thread takes locks in ascending order of index only: recovery, the class locks, the page
 *     lock.
 * I2  A lock's counters are written by its holder only.
 */

import {
  LINE_WORDS,
  SIZE_CLASS_COUNT,
  type SizeClass,
  WORD_BYTES,
  type WordIndex,
} from '../base/index.js';
import { atomics } from './atomics.js';

/** The n-th lock in the order of locks. */
export type LockIndex = number & { readonly lock: 'LockIndex' };

export const RECOVERY = 0 as LockIndex;
/** The lock of a size class; it has the class's number. */
export const ofClass = (sizeClass: SizeClass): LockIndex => sizeClass as number as LockIndex;
export const PAGE = (SIZE_CLASS_COUNT + 1) as LockIndex;
export const COUNT = PAGE + 1;

const LOCK_WORD = 0;
const COUNTERS = 2;

export const WORDS = LINE_WORDS;
export const BYTES = COUNT * WORDS * WORD_BYTES;

/** Indexes of the counters of a lock. */
export const ACQUISITIONS = 0;
export const CONTENTIONS = 1;
export const WAIT_NANOSECONDS = 2;
export const LONGEST_WAIT_NANOSECONDS = 3;
export const OWNER_DEATHS = 4;
export const CLOSED_BLOCKS = 5;

export const at = (table: WordIndex, lock: LockIndex): WordIndex =>
  (table + lock * WORDS) as WordIndex;

/** The lock word, on which Atomics.wait waits. */
export const wordOf = (line: WordIndex): number => line + LOCK_WORD;
/** The lock that a lock word belongs to. */
export const ofWord = (table: WordIndex, word: number): LockIndex =>
  ((word - LOCK_WORD - table) / WORDS) as LockIndex;
export const peek = (i32: Int32Array, line: WordIndex): number => i32[line + LOCK_WORD];
export const swap = (i32: Int32Array, line: WordIndex, to: number): number =>
  atomics.exchange(i32, line + LOCK_WORD, to);

export const getCounter = (f64: Float64Array, line: WordIndex, counter: number): number =>
  f64[((line + COUNTERS) >>> 1) + counter];
export const addCounter = (
  f64: Float64Array,
  line: WordIndex,
  counter: number,
  amount: number,
): void => {
  f64[((line + COUNTERS) >>> 1) + counter] += amount;
};
