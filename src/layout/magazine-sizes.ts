/**
 * Magazine sizes: how many blocks each of a thread's magazines may hold, and where it stands in the thread's
 * part of the magazine region.
 *
 * Used by geometry.ts, which chooses the sizes for a heap, and by pages/thread-cache.ts, which keeps to them.
 * Pure arithmetic. Deep magazines save a program that frees much and allocates it again the way through the
 * spans (docs/performance.md); how deep they get is for the traffic to say (pages/thread-cache.ts).
 *
 *     magazine region   of slot 0: magazines of class 1..44, local and remote in turn | of slot 1: ... | ...
 *     a magazine        0 | entry entry entry ... | SENTINEL SENTINEL
 */

import {
  BLOCK_BYTES,
  KIB,
  LINE_WORDS,
  MAGAZINE_ENTRIES,
  REMOTE,
  roundUp,
  SIZE_CLASS_COUNT,
  type SizeClass,
  WORD_BYTES,
} from '../base/index.js';

/** The deepest local magazine has so many blocks, in a heap that is large enough; the others half, ... */
const BLOCKS_MAX = 4096;
const BLOCKS_MIN = 128;
/** A local magazine holds no more than so many bytes for each block of the deepest one. */
const BYTES_PER_BLOCK = 128;
const BYTES_MIN = 128 * KIB;
/** In a remote magazine lie no more than these: others may want them. */
const REMOTE_BLOCKS_MAX = 128;
const REMOTE_BYTES_MAX = 64 * KIB;
/** A zero word before a magazine's entries, two sentinels behind. */
export const SENTINEL_WORDS = 2;
const FRAME_WORDS = 1 + SENTINEL_WORDS;

export interface MagazineSizes {
  /** The most blocks that a magazine holds, by magazine; 0 where it is none of a size class. */
  readonly limits: Uint32Array;
  /** Where a magazine's first entry stands in a slot's part, in words. */
  readonly offsets: Uint32Array;
  /** Length of a slot's part. */
  readonly words: number;
}

function makeSizes(blocks: number): MagazineSizes {
  const limits = new Uint32Array(MAGAZINE_ENTRIES);
  const offsets = new Uint32Array(MAGAZINE_ENTRIES);
  let next = 0;
  const place = (magazine: number, limit: number): void => {
    limits[magazine] = limit;
    offsets[magazine] = next + 1;
    next += FRAME_WORDS + limit;
  };
  const bytes = Math.max(BYTES_MIN, blocks * BYTES_PER_BLOCK);
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    const size = BLOCK_BYTES[c];
    place(c, Math.max(2, Math.min(blocks, Math.floor(bytes / size))));
    place(
      c + REMOTE,
      Math.max(1, Math.min(REMOTE_BLOCKS_MAX, Math.floor(REMOTE_BYTES_MAX / size))),
    );
  }
  return { limits, offsets, words: roundUp(next, LINE_WORDS) };
}

const choices: MagazineSizes[] = [];
for (let blocks = BLOCKS_MAX; blocks >= BLOCKS_MIN; blocks /= 2) choices.push(makeSizes(blocks));
const shallowest = choices.at(-1) as MagazineSizes;

/** The least that a slot's magazines take. */
export const MAGAZINE_BYTES_MIN = shallowest.words * WORD_BYTES;

/** The deepest magazines that fit into so many bytes a slot; the shallowest where none do. */
export const magazineSizesFor = (bytesPerSlot: number): MagazineSizes =>
  choices.find(({ words }) => words * WORD_BYTES <= bytesPerSlot) ?? shallowest;
