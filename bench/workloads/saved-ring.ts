/**
 * The ring of blocks of sh6bench and sh8bench. C twin: native/saved-ring.h.
 *
 * Blocks are put in one after the other. When the ring is full, the next fifth of it is saved, so
 * that it outlives the next pass; blocks below it are freed in the order of their allocation,
 * blocks above it in reverse, and the next pass fills the free places. So most blocks live for one
 * pass and some for two, and both orders of freeing occur.
 */

import type { Allocator } from './workload.js';

const PARTS = 5;
const BODY_ROUNDS = 2000;

export interface SavedRing {
  /** Makes a ring of `count` slots, empty. */
  open(count: number): void;
  /** Puts in a new block, and frees most others if that was the last slot. */
  put(block: number): void;
  /**
   * Frees all blocks that are left, and the ring; returns the sum of the first bytes of all freed
   * blocks.
   */
  close(): number;
}

export function createSavedRing({ malloc, free, u8, u32 }: Allocator): SavedRing {
  let address = 0;
  /** Words: the beginning and end of the slots, the place of the next block, and the saved part. */
  let start = 0;
  let end = 0;
  let cursor = 0;
  let savedStart = 0;
  let savedEnd = 0;
  let sum = 0;

  function open(count: number): void {
    address = malloc(count * 4);
    start = address >>> 2;
    end = start + count;
    cursor = start;
    savedStart = end;
    savedEnd = end;
    sum = 0;
  }

  function put(block: number): void {
    u32[cursor] = block;
    cursor++;
    if (cursor === savedStart) cursor = savedEnd;
    if (cursor === end) turn();
  }

  function turn(): void {
    savedStart = savedEnd === end ? start : savedEnd;
    savedEnd = Math.min(savedStart + Math.floor((end - start) / PARTS), end);
    freeAllUp(start, savedStart);
    freeAllDown(savedEnd, end);
    cursor = savedStart === start ? savedEnd : start;
  }

  function close(): number {
    freeAllUp(start, cursor);
    // Otherwise the saved part is below the cursor.
    if (savedStart >= cursor) freeAllUp(savedStart, savedEnd);
    free(address);
    return sum;
  }

  function freeAllUp(from: number, to: number): void {
    for (let n = from; n < to; n += BODY_ROUNDS) freeUp(n, Math.min(n + BODY_ROUNDS, to));
  }

  function freeAllDown(from: number, to: number): void {
    for (let n = to; n > from; n -= BODY_ROUNDS) freeDown(Math.max(n - BODY_ROUNDS, from), n);
  }

  function freeUp(from: number, to: number): void {
    let bytes = 0;
    for (let n = from; n < to; n++) {
      const block = u32[n] as number;
      bytes += u8[block] as number;
      free(block);
    }
    sum = (sum + bytes) | 0;
  }

  function freeDown(from: number, to: number): void {
    let bytes = 0;
    for (let n = to - 1; n >= from; n--) {
      const block = u32[n] as number;
      bytes += u8[block] as number;
      free(block);
    }
    sum = (sum + bytes) | 0;
  }

  return { open, put, close };
}
