/**
 * Locks: one 64-byte line each, in the order in which they may be taken.
 *
 * Taken and released by sync/mutex.ts, the word itself by sync/lock-word.ts; recovery, verification
 * and poison look at the words, repair and stats/ have to do with the counters.
 *
 *     word   field          access   meaning
 *     0      lock word      atomic   0 = free, else the owner's thread word; bit 31 = waiters
 *     1      -
 *     2,3    acquisitions   plain    Float64, written by the holder
 *     4,5    contentions    plain    Float64, written by the holder: it had to wait
 *     6,7    waitNs         plain    Float64, written by the holder: nanoseconds waited in all
 *     8,9    longestNs      plain    Float64, written by the holder: the longest wait
 *     10,11  ownerDeaths    plain    Float64, written by the holder: taken over from the dead
 *     12,13  closed         plain    Float64, written by the holder: blocks of open transits returned
 *
 * I1  A thread takes locks in rising order of index only: recovery, the class locks, the page lock.
 * I2  Counters are written while holding the lock they belong to.
 */

import {
  LINE_WORDS,
  SIZE_CLASS_COUNT,
  type SizeClass,
  WORD_BYTES,
  type WordIndex,
} from '../base/index.js';
import { atomics } from './atomics.js';

/** The n-th lock of the ranked list. */
export type LockIndex = number & { readonly lock: 'LockIndex' };

export const RECOVERY_LOCK = 0 as LockIndex;
/** The lock of a size class: its own number. */
export const classLock = (sizeClass: SizeClass): LockIndex => sizeClass as number as LockIndex;
export const PAGE_LOCK = (SIZE_CLASS_COUNT + 1) as LockIndex;
export const LOCK_COUNT = PAGE_LOCK + 1;

const LOCK_WORD = 0;
const COUNTERS = 2;

export const LOCK_WORDS = LINE_WORDS;
export const LOCK_TABLE_BYTES = LOCK_COUNT * LOCK_WORDS * WORD_BYTES;

/** Lock counters, by their place. */
export const ACQUISITIONS = 0;
export const CONTENTIONS = 1;
export const WAIT_NANOSECONDS = 2;
export const LONGEST_WAIT_NANOSECONDS = 3;
export const OWNER_DEATHS = 4;
export const CLOSED_BLOCKS = 5;

export const lockLine = (table: WordIndex, lock: LockIndex): WordIndex =>
  (table + lock * LOCK_WORDS) as WordIndex;

/** The word that is taken, and that Atomics.wait waits on. */
export const lockWordIndex = (line: WordIndex): number => line + LOCK_WORD;
/** The lock whose word this is. */
export const lockOfWord = (table: WordIndex, word: number): LockIndex =>
  ((word - LOCK_WORD - table) / LOCK_WORDS) as LockIndex;
export const peekLock = (i32: Int32Array, line: WordIndex): number => i32[line + LOCK_WORD];
export const swapLock = (i32: Int32Array, line: WordIndex, to: number): number =>
  atomics.exchange(i32, line + LOCK_WORD, to);

export const getLockCounter = (f64: Float64Array, line: WordIndex, counter: number): number =>
  f64[((line + COUNTERS) >>> 1) + counter];
export const addLockCounter = (
  f64: Float64Array,
  line: WordIndex,
  counter: number,
  amount: number,
): void => {
  f64[((line + COUNTERS) >>> 1) + counter] += amount;
};
