/**
 * Page records: one record of fixed size per page of the data region. The record of a run's head
 * page describes the run; that of a span's head page also holds the bitmap of free blocks.
 *
 * Read and written by pages/, read by stats/ and inspect/. Runs are written under the page lock,
 * except that their owner turns RESERVED into LARGE or SPAN, or back, by one store. Spans are
 * written under the class lock.
 *
 *     word   field      written under  meaning
 *     0      run        page lock      SOURCE kind, owner and length of the run that starts here
 *     1      tail       page lock      derived at the last page of a FREE run its length, else 0
 *     2      next       page or class  derived next run of its list (the bin of a FREE run, a list
 *                                      of spans), by page; 0 = none
 *     3      prev       page or class  derived the run before it in that list; 0 = none
 *     4      spanHead   class lock     SOURCE while in a span: the span's head page
 *     5      freeCount  class lock     derived at a span's head: bits set in its bitmap
 *     6..21  bitmap     class lock     SOURCE at a span's head: bit set = block free
 *     22,23  -                         unused; with 96 bytes, words 0..7 lie in one cache line,
 *                                      which is all that a span of up to 64 blocks needs
 *
 *     run word   31..29 kind   28..20 owner: slot (RESERVED) or size class (SPAN)   19..0 pages
 *
 * I1  Source and derived: one walk over the run heads rebuilds all words that are marked derived.
 * I2  A run changes kind, owner and length by one store of its head's run word.
 * I3  The words of pages inside a run are leftovers that no code reads, except spanHead inside a
 *     span.
 */

import { LINE_WORDS, type PageIndex, WORD_BYTES, type WordIndex } from '../base/index.js';

const RUN = 0;
const TAIL = RUN + 1;
const NEXT = TAIL + 1;
const PREV = NEXT + 1;
const SPAN_HEAD = PREV + 1;
const FREE_COUNT = SPAN_HEAD + 1;
const BITMAP = FREE_COUNT + 1;
const BITMAP_WORDS = 16;

export const WORDS = 24;
export const BYTES = WORDS * WORD_BYTES;

if (BITMAP + BITMAP_WORDS > WORDS) throw new Error('page record: bitmap does not fit');
if ((WORDS * 2) % LINE_WORDS !== 0) throw new Error('page record: not on half lines');

/** A page's record; `table` is the place where page 0's record would be. */
export const at = (table: number, page: number): WordIndex => (table + page * WORDS) as WordIndex;

/** The kind of a run. */
export type RunKind = number & { readonly kind: 'RunKind' };
export const FREE_RUN = 1 as RunKind;
export const UNTOUCHED_RUN = 2 as RunKind;
export const RESERVED_RUN = 3 as RunKind;
export const SPAN_RUN = 4 as RunKind;
export const LARGE_RUN = 5 as RunKind;

/** Run kinds as error messages and listings name them, by kind. */
export const RUN_KIND_NAMES = [
  'invalid',
  'free',
  'untouched',
  'reserved',
  'span',
  'large',
] as const;

const KIND_SHIFT = 29;
const OWNER_SHIFT = 20;
const OWNER_MASK = 0x1ff;
const PAGES_MASK = 0xfffff;

/** Maximum owner number in a run word. */
export const RUN_OWNER_MAX = OWNER_MASK;
/** Maximum pages of a run. */
export const RUN_PAGES_MAX = PAGES_MASK;

/** A run word, signed, as the 32-bit view stores it. */
export const wordOf = (kind: RunKind, owner: number, pages: number): number =>
  (kind << KIND_SHIFT) | (owner << OWNER_SHIFT) | pages;
export const kindOf = (word: number): RunKind => (word >>> KIND_SHIFT) as RunKind;
export const ownerOf = (word: number): number => (word >>> OWNER_SHIFT) & OWNER_MASK;
export const pagesOf = (word: number): number => word & PAGES_MASK;

/** True for a span of this class. */
export const isSpanOf = (word: number, sizeClass: number): boolean =>
  kindOf(word) === SPAN_RUN && ownerOf(word) === sizeClass;

export const getRun = (i32: Int32Array, r: WordIndex): number => i32[r + RUN];
export const setRun = (i32: Int32Array, r: WordIndex, word: number): void => {
  i32[r + RUN] = word;
};

export const getTail = (i32: Int32Array, r: WordIndex): number => i32[r + TAIL];
export const setTail = (i32: Int32Array, r: WordIndex, pages: number): void => {
  i32[r + TAIL] = pages;
};

export const getNext = (i32: Int32Array, r: WordIndex): PageIndex => i32[r + NEXT] as PageIndex;
export const setNext = (i32: Int32Array, r: WordIndex, page: PageIndex): void => {
  i32[r + NEXT] = page;
};

export const getPrev = (i32: Int32Array, r: WordIndex): PageIndex => i32[r + PREV] as PageIndex;
export const setPrev = (i32: Int32Array, r: WordIndex, page: PageIndex): void => {
  i32[r + PREV] = page;
};

export const getSpanHead = (i32: Int32Array, r: WordIndex): PageIndex =>
  i32[r + SPAN_HEAD] as PageIndex;
export const setSpanHead = (i32: Int32Array, r: WordIndex, head: PageIndex): void => {
  i32[r + SPAN_HEAD] = head;
};

export const getFreeCount = (i32: Int32Array, r: WordIndex): number => i32[r + FREE_COUNT];
export const setFreeCount = (i32: Int32Array, r: WordIndex, blocks: number): void => {
  i32[r + FREE_COUNT] = blocks;
};

/** The `n`-th 32 bits of a span's bitmap; a set bit is a free block. */
export const getBitmap = (i32: Int32Array, r: WordIndex, n: number): number => i32[r + BITMAP + n];
export const setBitmap = (i32: Int32Array, r: WordIndex, n: number, bits: number): void => {
  i32[r + BITMAP + n] = bits;
};
