/**
 * Size-class records: one 64-byte line per class.
 *
 * Read and written by pages/spans.ts under the class lock; read by stats/ at any time, the last two
 * words by heap/fullness.ts.
 *
 *     word   field      meaning (index: rebuilt by a walk)
 *     0      partial    first of nobody's spans that have a free block, by head page; 0 = none
 *     1      spans      how many spans the class has
 *     2      returns    how often blocks came back to its spans: a count that goes round
 *     3      kept       how often a span of it became a retired span: likewise
 *
 * Each thread has lists of its own, too: of the spans that are owned by it (slot.ts, page-owners.ts), and
 * of those among them that are wholly free and kept, its retired spans.
 *
 * I1  The lists hold exactly the class's spans whose freeCount is not 0, each in one of its owner's.
 * I2  `spans` is how many there are, but for a moment after the page heap has one more or fewer.
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
export const CLASS_TABLE_BYTES = CLASS_ENTRIES * CLASS_RECORD_WORDS * WORD_BYTES;

export const classRecord = (table: WordIndex, sizeClass: SizeClass): WordIndex =>
  (table + sizeClass * CLASS_RECORD_WORDS) as WordIndex;

/** Word index of the head of the list of nobody's partial spans. */
export const unownedPartial = (r: WordIndex): WordIndex => (r + PARTIAL) as WordIndex;
/** A list's first span, by its head's word: that of nobody's list, or of a slot's. */
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
/** Blocks came back to spans of the class: whoever found none may look again. */
export const bumpReturns = (u32: Uint32Array, r: WordIndex): void => {
  u32[r + RETURNS] += 1;
};

export const getRetiredKept = (u32: Uint32Array, r: WordIndex): number => u32[r + KEPT];
/** The same before lists of retired spans are looked at without their locks: what is in them is no older. */
export const loadRetiredKept = (u32: Uint32Array, r: WordIndex): number =>
  atomics.load(u32, r + KEPT);
/** A span became a retired span: a run, to whoever gives it back. After it is in its list, to all. */
export const bumpRetiredKept = (u32: Uint32Array, r: WordIndex): void => {
  atomics.add(u32, r + KEPT, 1);
};
