/**
 * Size-class records: one 64-byte line per class.
 *
 * Read and written by pages/spans.ts under the class lock; read by stats/ at any time, and the last
 * two words by heap/fullness.ts.
 *
 *     word   field      meaning (derived: rebuilt by a walk)
 *     0      partial    derived: first of the unowned spans that have a free block, by head page; 0
 *                       = none
 *     1      spans      derived: number of spans of the class
 *     2      returns    number of times that blocks returned to its spans, modulo 2^32
 *     3      kept       number of times that one of its spans became a retired span, modulo 2^32
 *
 * Each thread also has lists of its own: of the spans that it owns (slot.ts, page-owners.ts), and
 * of its retired spans, which are wholly free.
 *
 * I1  The lists hold exactly the class's spans whose freeCount is not 0, each in a list of its
 *     owner.
 * I2  `spans` is the number of spans, except between a change of the page heap and its own update.
 */

import {
  CLASS_ENTRIES,
  LINE_WORDS,
  type PageIndex,
  type SizeClass,
  WORD_BYTES,
  type WordIndex,
} from '../base/index.js';
import { atomics } from './atomics.js';

const PARTIAL = 0;
const SPANS = PARTIAL + 1;
const RETURNS = SPANS + 1;
const KEPT = RETURNS + 1;

const CLASS_RECORD_WORDS = LINE_WORDS;
export const TABLE_BYTES = CLASS_ENTRIES * CLASS_RECORD_WORDS * WORD_BYTES;

export const at = (table: WordIndex, sizeClass: SizeClass): WordIndex =>
  (table + sizeClass * CLASS_RECORD_WORDS) as WordIndex;

/** Word index of the head of the list of unowned partial spans. */
export const unownedPartial = (r: WordIndex): WordIndex => (r + PARTIAL) as WordIndex;
/** The first span of a list, by the word of its head: the unowned list's, or a slot's. */
export const getPartial = (i32: Int32Array, list: WordIndex): PageIndex => i32[list] as PageIndex;
export const setPartial = (i32: Int32Array, list: WordIndex, head: PageIndex): void => {
  i32[list] = head;
};

export const getSpanCount = (i32: Int32Array, r: WordIndex): number => i32[r + SPANS];
export const setSpanCount = (i32: Int32Array, r: WordIndex, spans: number): void => {
  i32[r + SPANS] = spans;
};
export const addSpanCount = (i32: Int32Array, r: WordIndex, spans: number): void => {
  i32[r + SPANS] += spans;
};

export const getReturns = (u32: Uint32Array, r: WordIndex): number => u32[r + RETURNS];
/** Counts blocks that returned to spans of the class: a thread that found none may look again. */
export const bumpReturns = (u32: Uint32Array, r: WordIndex): void => {
  u32[r + RETURNS] += 1;
};

export const getRetiredKept = (u32: Uint32Array, r: WordIndex): number => u32[r + KEPT];
/** Loaded before lists of retired spans are read without their locks: the lists are not older. */
export const loadRetiredKept = (u32: Uint32Array, r: WordIndex): number =>
  atomics.load(u32, r + KEPT);
/**
 * Counts a span that became a retired span, and so a run for a thread that releases it. Called
 * last.
 */
export const bumpRetiredKept = (u32: Uint32Array, r: WordIndex): void => {
  atomics.add(u32, r + KEPT, 1);
};
