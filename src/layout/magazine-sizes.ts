/**
 * Stack depths: how many blocks each of a thread's stacks may hold, and where it stands in the thread's
 * part of the stack region.
 *
 * Used by geometry.ts, which chooses the depths of a heap, and by pages/thread-cache.ts, which keeps to them.
 * Pure arithmetic. Deep stacks spare a program that frees much and allocates it again the way through the
 * spans (docs/performance.md); how deep they get is for the traffic to say (pages/thread-cache.ts).
 *
 *     stack region   of slot 0: stacks of class 1..44, home and away in turn | of slot 1: ... | ...
 *     a stack        0 | entry entry entry ... | SENTINEL SENTINEL
 */

import {
  AWAY,
  BLOCK_BYTES,
  KIB,
  LINE_WORDS,
  roundUp,
  SIZE_CLASS_COUNT,
  type SizeClass,
  STACK_ENTRIES,
  WORD_BYTES,
} from '../base/index.js';

/** The deepest local stack has so many blocks, in a heap that is large enough; the others half, ... */
const BLOCKS_MAX = 4096;
const BLOCKS_MIN = 128;
/** A local stack holds no more than so many bytes for each block of the deepest one. */
const BYTES_PER_BLOCK = 128;
const BYTES_MIN = 128 * KIB;
/** On an remote stack lie no more than these: others may want them. */
const AWAY_BLOCKS_MAX = 128;
const AWAY_BYTES_MAX = 64 * KIB;
/** A zero word before a stack's entries, two fences behind. */
export const SENTINEL_WORDS = 2;
const FRAME_WORDS = 1 + SENTINEL_WORDS;

export interface StackDepths {
  /** The most blocks that a stack holds, by stack; 0 where it is none of a size class. */
  readonly limits: Uint32Array;
  /** Where a stack's first entry stands in a slot's part, in words. */
  readonly offsets: Uint32Array;
  /** Length of a slot's part. */
  readonly words: number;
}

function makeDepths(blocks: number): StackDepths {
  const limits = new Uint32Array(STACK_ENTRIES);
  const offsets = new Uint32Array(STACK_ENTRIES);
  let next = 0;
  const place = (stack: number, limit: number): void => {
    limits[stack] = limit;
    offsets[stack] = next + 1;
    next += FRAME_WORDS + limit;
  };
  const bytes = Math.max(BYTES_MIN, blocks * BYTES_PER_BLOCK);
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    const size = BLOCK_BYTES[c];
    place(c, Math.max(2, Math.min(blocks, Math.floor(bytes / size))));
    place(c + AWAY, Math.max(1, Math.min(AWAY_BLOCKS_MAX, Math.floor(AWAY_BYTES_MAX / size))));
  }
  return { limits, offsets, words: roundUp(next, LINE_WORDS) };
}

const choices: StackDepths[] = [];
for (let blocks = BLOCKS_MAX; blocks >= BLOCKS_MIN; blocks /= 2) choices.push(makeDepths(blocks));
const shallowest = choices.at(-1) as StackDepths;

/** The least that a slot's stacks take. */
export const STACK_BYTES_MIN = shallowest.words * WORD_BYTES;

/** The deepest stacks that fit into so many bytes a slot; the shallowest where none do. */
export const depthsFor = (bytesPerSlot: number): StackDepths =>
  choices.find(({ words }) => words * WORD_BYTES <= bytesPerSlot) ?? shallowest;
