/**
 * Words: run words, size classes and the small numbers of the model's heap.
 *
 * So small a heap reaches every special case within a few calls: two classes, with spans of one and
 * of two pages; four granules to a page; a reserve taken in steps of two.
 */

/** Granules in a page. */
export const PAGE_GRANULES = 4;
/** Pages per step in which the reserve is taken from the bottom. */
export const BRK_STEP = 2;

export interface SizeClass {
  readonly pages: number;
  readonly granules: number;
  readonly blocks: number;
}

/** By class, from 1. Spans of class 2 leave two granules at their end unused. */
export const CLASSES: readonly SizeClass[] = [
  { pages: 0, granules: 0, blocks: 0 },
  { pages: 1, granules: 1, blocks: 4 },
  { pages: 2, granules: 3, blocks: 2 },
];
export const CLASS_COUNT = CLASSES.length - 1;
/** The tag of a large block. */
export const LARGE_TAG = 9;
/** Tags of blocks that belong to an object of the heap: in a span, and runs of their own. */
export const OWNED_TAG = 10;
export const OWNED_LARGE_TAG = 11;
export const isOwned = (tag: number): boolean => tag === OWNED_TAG || tag === OWNED_LARGE_TAG;

/** Locks, outermost first: recovery, the classes, the page heap. */
export const RECOVERY_LOCK = 0;
export const PAGE_LOCK = CLASS_COUNT + 1;
export const LOCK_COUNT = CLASS_COUNT + 2;
export const WAITERS = 1 << 30;

// ---- Run words: kind, owner (slot or class) and length in one word

export const FREE = 1;
export const UNTOUCHED = 2;
export const RESERVED = 3;
export const SPAN = 4;
export const LARGE = 5;
export const KIND_NAMES = ['nothing', 'FREE', 'UNTOUCHED', 'RESERVED', 'SPAN', 'LARGE'] as const;

export const runWord = (kind: number, owner: number, pages: number): number =>
  (kind << 16) | (owner << 8) | pages;
export const kindOf = (word: number): number => word >>> 16;
export const ownerOf = (word: number): number => (word >>> 8) & 0xff;
export const pagesOf = (word: number): number => word & 0xff;

// ---- States of records: kind and slot in one word

export const LIVE_BLOCK = 1;
export const FREED_BLOCK = 2;
export const PENDING_BLOCK = 3;

export const blockState = (kind: number, slot: number): number => kind | (slot << 2);
export const stateKind = (state: number): number => state & 3;
export const stateSlot = (state: number): number => state >>> 2;

// ---- States of contexts: phase, slot and generation in one word; 0 = the record is free

export const UNRESOLVED = 1;
export const LIVE_CONTEXT = 2;
export const RELEASED = 3;

/** The slot has no meaning in a RELEASED context, and in a LIVE one that has a parent. */
export const contextState = (phase: number, slot: number, generation: number): number =>
  phase | (slot << 2) | (generation << 8);
export const phaseOf = (state: number): number => state & 3;
export const contextSlot = (state: number): number => (state >>> 2) & 63;
export const contextGeneration = (state: number): number => state >>> 8;

// ---- Words that blocks are placed into

/** A word that is always 0, like those of the null page: nothing is published there. */
export const NOWHERE = 1;
/** First number of words in the data of blocks: this plus their granule. */
const DATA_WORDS = 1000;

export const isDataWord = (word: number): boolean => word >= DATA_WORDS;
export const dataWord = (granule: number): number => DATA_WORDS + granule;
export const granuleOf = (word: number): number => word - DATA_WORDS;

/** The class of a vector's header, a block with the data word and the lock word. */
export const HEADER_CLASS = 2;
export const headerData = (header: number): number => dataWord(header);
export const headerLock = (header: number): number => header + 1;

// ---- Thread words: OS thread id and start time

const ID_BITS = 8;
export const ID_COUNT = 1 << 6;

export const threadWord = (id: number, start: number): number => id | (start << ID_BITS);
export const idOf = (word: number): number => word & ((1 << ID_BITS) - 1);
export const startOf = (word: number): number => word >>> ID_BITS;

/** The owner of a lock that a failed takeover has left: no thread has the id 0. */
export const ABANDONED = threadWord(0, 1);

// ---- Magazines

/** Index of a magazine's first entry; the zero word stands below it. */
export const BOTTOM = 1;
/** The top of a parked magazine, outside of it. */
export const PARKED = 0;
export const SENTINEL = -1;
/** The value that replaces a sentinel: neither 0 nor SENTINEL, and not an address. */
export const NO_ENTRY = -2;
export const SENTINEL_WORDS = 2;

export function countBits(word: number): number {
  let bits = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
