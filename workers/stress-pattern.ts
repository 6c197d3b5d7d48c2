/**
 * Block contents of the stress run: a pattern that is unique to each block, and its check.
 *
 * Used by stress-worker.ts and stress-auditor.ts, by a block's holder only. A pattern is a word
 * every `stride` bytes: 4 fills the block; 16 has a word in each granule, so that no block can
 * overlap another undetected; 4096 has one or two in each page and leaves the thread its time for
 * the heap.
 */

import type { SharedHeap } from 'shmalloc';

type HeapViews = Pick<SharedHeap, 'i32' | 'u8'>;

/** Fills all usable bytes of a block: a whole number of granules. */
export function fillBlock(
  { i32 }: HeapViews,
  address: number,
  usable: number,
  seed: number,
  stride: number,
): void {
  const step = stride >>> 2;
  const end = (address + usable) >>> 2;
  for (let word = address >>> 2, n = 0; word < end; word += step, n++) i32[word] = mix(seed, n);
}

/** The first changed byte within the first `bytes`, to the word; -1 if none is. */
export function findDamage(
  { i32 }: HeapViews,
  address: number,
  bytes: number,
  seed: number,
  stride: number,
): number {
  const step = stride >>> 2;
  const first = address >>> 2;
  const end = first + (bytes >>> 2);
  for (let word = first, n = 0; word < end; word += step, n++) {
    if (i32[word] !== mix(seed, n)) return (word - first) << 2;
  }
  return -1;
}

/** The first byte that is not zero, to the word if the whole word was requested; -1 if all are. */
export function findNonZero({ i32, u8 }: HeapViews, address: number, bytes: number): number {
  const first = address >>> 2;
  const words = bytes >>> 2;
  for (let n = 0; n < words; n++) if (i32[first + n] !== 0) return n << 2;
  for (let at = words << 2; at < bytes; at++) if (u8[address + at] !== 0) return at;
  return -1;
}

/** Never 0, since memory that was never written is 0. */
function mix(seed: number, n: number): number {
  return Math.imul(seed + n, 0x9e3779b1) | 1;
}
