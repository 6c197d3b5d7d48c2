/**
 * Magazine sizes: the capacity of each of a thread's magazines, and its place in the thread's part
 * of the magazine region.
 *
 * Used by geometry.ts, which chooses the sizes for a heap, and by pages/thread-cache.ts, which
 * stays within them. Pure arithmetic. A program that frees many blocks and allocates them again is
 * faster with large magazines, since its blocks skip the spans (docs/performance.md). The traffic
 * of a class decides how much of its magazine is used (pages/thread-cache.ts).
 *
 *     magazine region   of slot 0: magazines of class 1..44, local and remote in turn | of slot 1: ... | ...
 *     a magazine        0 | entry entry entry ... | SENTINEL SENTINEL
 */

import {
  BLOCK_BYTES,
  KIB,
  LINE_WORDS,
  MAGAZINE_ENTRIES,
  type MagazineIndex,
  REMOTE,
  roundUp,
  SIZE_CLASS_COUNT,
  type SizeClass,
  WORD_BYTES,
} from '../base/index.js';

/**
 * Maximum blocks of a local magazine, in a large heap; smaller heaps halve it until the sizes fit.
 */
const BLOCKS_MAX = 4096;
const BLOCKS_MIN = 128;
/** Maximum bytes in a local magazine, per block of the largest magazine. */
const BYTES_PER_BLOCK = 128;
const BYTES_MIN = 128 * KIB;
/** Maximum blocks of a remote magazine: blocks in it are missing for their owners. */
const REMOTE_BLOCKS_MAX = 128;
const REMOTE_BYTES_MAX = 64 * KIB;
/** Sentinel words after a magazine's entries; one zero word stands before them. */
export const SENTINEL_WORDS = 2;
const FRAME_WORDS = 1 + SENTINEL_WORDS;

export interface MagazineSizes {
  /** Maximum blocks of a magazine, by magazine; 0 = no such magazine. */
  readonly limits: Uint32Array;
  /** Words from the start of a slot's part to a magazine's first entry, by magazine. */
  readonly offsets: Uint32Array;
  /** Words of a slot's part. */
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

/** Minimum bytes of a slot's magazines. */
export const MAGAZINE_BYTES_MIN = shallowest.words * WORD_BYTES;

/** The largest magazine sizes that fit into this many bytes per slot; the smallest if none fit. */
export const magazineSizesFor = (bytesPerSlot: number): MagazineSizes =>
  choices.find(({ words }) => words * WORD_BYTES <= bytesPerSlot) ?? shallowest;

export const remoteMagazine = (c: SizeClass): MagazineIndex => (c + REMOTE) as MagazineIndex;
/** The class whose blocks a magazine holds. */
export const classOfMagazine = (magazine: MagazineIndex): SizeClass =>
  (magazine < REMOTE ? magazine : magazine - REMOTE) as SizeClass;
/** Both magazines of a class. */
export const magazinesOf = (c: SizeClass): readonly MagazineIndex[] => [c, remoteMagazine(c)];
