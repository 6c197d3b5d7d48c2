/**
 * Names: the operating system's thread for each thread word. They follow the registry's words.
 *
 * Written and read by sync/names.ts. Any thread.
 *
 *     per entry, 16 bytes:
 *     low half    atomic, 64 bits   bits 0..30   thread word, 0 = the entry is free
 *                                   bits 32..61  the system's id of the thread, 0 = not known
 *                                   bit 62       the thread's end was reported
 *     high half   atomic, 64 bits   bits 0..29   low bits of the thread word that the start time is
 *                                                for
 *                                   bits 30..63  start time in ticks (5 years of uptime), 0 = not
 *                                                known
 *
 * One word before the first entry counts the threads that have attached.
 *
 * I1  Thread word and id are set and cleared in one compare-and-swap: if the thread dies after it,
 *     others can look for it. The start time names its thread word, so that a leftover of an
 *     earlier thread is recognised.
 * I2  Free entries are not cleared: the low half alone says whether an entry has a thread.
 */

import { LINE_BYTES, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import type { HeapMemory } from './memory.js';

/**
 * Number of entries in addition to the slots: for threads that wait for a slot, or died while
 * waiting. A thread that finds no free entry takes back those of dead threads that own no lock.
 */
const VISITORS = 32;
const ENTRY_BYTES = 16;
const ENTRY_HALVES = 2;
const ENTRY_WORDS = ENTRY_BYTES / WORD_BYTES;

const WORD_MASK = 0x7fffffffn;
const ID_SHIFT = 32n;
const ID_MASK = (1n << 30n) - 1n;
const REPORTED = 1n << 62n;
const OWNER_MASK = (1n << 30n) - 1n;
const START_SHIFT = 30n;
const START_MASK = (1n << 34n) - 1n;

/** The low half of a free entry. */
export const NONE = 0n;

export const count = (threads: number): number => threads + VISITORS;
export const bytes = (threads: number): number => LINE_BYTES + count(threads) * ENTRY_BYTES;

/** The low half of an entry. `id` is the system's id of the thread, 0 = not known. */
export const pack = (word: number, id: number): bigint => BigInt(word) | (BigInt(id) << ID_SHIFT);
export const wordAt = (name: bigint): number => Number(name & WORD_MASK);
export const idOf = (name: bigint): number => Number((name >> ID_SHIFT) & ID_MASK);
export const isReported = (name: bigint): boolean => (name & REPORTED) !== 0n;
export const asReported = (name: bigint): bigint => name | REPORTED;

/** The place of an entry, in 64-bit words. `names` is the first word of the region. */
const half = (names: WordIndex, n: number): number =>
  (names * WORD_BYTES + LINE_BYTES) / 8 + n * ENTRY_HALVES;

/** The entry's thread word, read plainly for a search; `load` confirms it. */
export const peek = ({ i32, geometry }: HeapMemory, n: number): number =>
  i32[geometry.names + LINE_BYTES / WORD_BYTES + n * ENTRY_WORDS];
export const load = ({ i64, geometry }: HeapMemory, n: number): bigint =>
  atomics.load(i64, half(geometry.names, n));
export const cas = ({ i64, geometry }: HeapMemory, n: number, from: bigint, to: bigint): bigint =>
  atomics.compareExchange(i64, half(geometry.names, n), from, to);

/** The start time of the thread with this word; 0 = not known, or not written yet. */
export function loadStart({ i64, geometry }: HeapMemory, n: number, word: number): number {
  const start = atomics.load(i64, half(geometry.names, n) + 1);
  return (start & OWNER_MASK) === (BigInt(word) & OWNER_MASK)
    ? Number((start >> START_SHIFT) & START_MASK)
    : 0;
}
export function storeStart(
  { i64, geometry }: HeapMemory,
  n: number,
  word: number,
  start: number,
): void {
  const packed = ((BigInt(start) & START_MASK) << START_SHIFT) | (BigInt(word) & OWNER_MASK);
  atomics.store(i64, half(geometry.names, n) + 1, BigInt.asIntN(64, packed));
}
/** True if two start times are equal in the bits that an entry keeps. */
export const isSameStart = (kept: number, start: number): boolean =>
  BigInt(kept) === (BigInt(start) & START_MASK);

/** Number of threads that have attached, modulo 2^32. */
export const loadComings = ({ i32, geometry }: HeapMemory): number =>
  atomics.load(i32, geometry.names);
export const addComing = ({ i32, geometry }: HeapMemory): void => {
  atomics.add(i32, geometry.names, 1);
};
