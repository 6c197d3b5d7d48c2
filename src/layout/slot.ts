/**
 * Thread slots: a thread's caches and counters.
 *
 * Written by the slot's owner only, except by recovery, and when another thread closes a transit,
 * which needs the class lock. Read by any thread (sums may be a moment old, never torn).
 *
 *     words      field             meaning; one entry per class or magazine where it says so
 *     0          thread            the owner's worker_threads threadId + 1
 *     1          in-flight header  SOURCE 0, or the header of the vector that is being made or
 *                                  deleted
 *     2          intentWord        SOURCE 0, or word index: a placement into this shared word is
 *                                  under way
 *     3          intentIn          SOURCE the block that is to come into the word; 0 = none
 *     4          intentOut         SOURCE the block that is to leave the word; 0 = none
 *     5..15      -
 *     [magazine] top               SOURCE word index of the magazine's next free entry
 *     [magazine] transit           SOURCE 0, or word index: entries below it, and from `top` on,
 *                                  belong to their spans
 *     [magazine] from              SOURCE the magazine's top while a transit is open and the
 *                                  magazine is parked
 *     [magazine] limit             maximum blocks of the magazine now: the place of its sentinel
 *     [class]    held              SOURCE Float64: blocks taken from spans minus blocks returned
 *     [class]    mallocs           Float64: blocks popped for the program, times MALLOC_STEP
 *     counters                     Float64: see below
 *     [class]    partial           derived: first of this slot's spans that have a free block,
 *                                  except retired ones, by page; written under the class lock, by
 *                                  any thread (class-record.ts)
 *     [class]    retired spans     derived: first of this slot's retired spans, likewise
 *     [magazine] bottom            word index of the magazine's first entry (magazine-sizes.ts)
 *     parked                       a magazine without room: a zero word, two sentinel words
 *     [class]    sampledBytes      Float64: bytes that calls asked for which had to refill this
 *                                  magazine
 *     [class]    sampledRequests   Float64: number of these calls; both only grow
 *
 *     a magazine    0 | entry entry entry ... | SENTINEL SENTINEL
 *                    ^ bottom        ^ top   ^ bottom + limit
 *
 * A class has two magazines. Malloc pops from the local magazine. The remote magazine holds freed
 * blocks of spans that other threads own, on their way back to these spans (page-owners.ts).
 *
 * I1  The word below bottom is 0 and the words at bottom + limit and above it are SENTINEL, so that
 *     an entry itself shows whether the magazine is empty or full. No other word of a magazine is 0
 *     or SENTINEL.
 * I2  A free pushes over the first sentinel and then flushes; the flush writes the sentinel again.
 * I3  A transit is open only under the class lock, and on one of the class's magazines. The
 *     magazine is parked meanwhile: if V8 cuts the call there and the thread lives on, no malloc or
 *     free uses the magazine before the transit is closed (heap/section.ts I6).
 * I4  The tops of tags 0, LARGE and owned blocks point at the parked magazine, whose only entry is
 *     a sentinel: so a bad free and a large free need no test of their own. So do the tops of
 *     magazines that were never used, until thread-cache.ts opens them; the top is its last store.
 * I5  A cached block has no tag, except for a moment of a malloc or a free.
 * I6  Over all slots, held is the number of the class's blocks that are not free in a span, and
 *     never less than the number of cached blocks. Mallocs has counted all blocks in use, which are
 *     held minus cached.
 * I7  An intent is open while intentWord is not 0. Of its two blocks, one that the shared word
 *     names is in place; one in a magazine of this slot, or RESERVED by it, belongs to the heap;
 *     any other is an orphan.
 */

import {
  type Address,
  CLASS_ENTRIES,
  LINE_WORDS,
  List,
  MAGAZINE_ENTRIES,
  type MagazineIndex,
  roundUp,
  type SizeClass,
  type SlotIndex,
  WORD_BYTES,
  type WordIndex,
} from '../base/index.js';
import { atomics } from './atomics.js';
import { type MagazineSizes, remoteMagazine, SENTINEL_WORDS } from './magazine-sizes.js';
import { orderWrites } from './memory-order.js';

/** The end mark of a magazine. Not an address, since it is not a multiple of 16. */
export const SENTINEL = -1;
/** The value that replaces a sentinel: neither 0 nor SENTINEL, and not an address. */
const NO_ENTRY = 1;

const THREAD = 0;
const IN_FLIGHT_HEADER = THREAD + 1;
const INTENT_WORD = IN_FLIGHT_HEADER + 1;
const INTENT_IN = INTENT_WORD + 1;
const INTENT_OUT = INTENT_IN + 1;
const TOPS = LINE_WORDS;
const TRANSITS = TOPS + MAGAZINE_ENTRIES;
const FROMS = TRANSITS + MAGAZINE_ENTRIES;
const LIMITS = FROMS + MAGAZINE_ENTRIES;
const HELD = LIMITS + MAGAZINE_ENTRIES;
const MALLOCS = HELD + CLASS_ENTRIES * 2;
/** Places of the fields of slot-counters.ts. */
export const COUNTERS = MALLOCS + CLASS_ENTRIES * 2;
export const COUNTER_WORDS = LINE_WORDS;
const PARTIALS = COUNTERS + COUNTER_WORDS;
const RETIRED = PARTIALS + CLASS_ENTRIES;
const BOTTOMS = RETIRED + CLASS_ENTRIES;
/** The bottom of the parked magazine, behind its zero word. */
const PARKED = BOTTOMS + MAGAZINE_ENTRIES + 1;

export const SAMPLED_BYTES = roundUp(PARKED + SENTINEL_WORDS, LINE_WORDS);
export const SAMPLED_REQUESTS = SAMPLED_BYTES + CLASS_ENTRIES * 2;

export const WORDS = roundUp(SAMPLED_REQUESTS + CLASS_ENTRIES * 2, LINE_WORDS);
export const BYTES = WORDS * WORD_BYTES;

if (TOPS % LINE_WORDS !== 0) throw new Error('slot: tops are not on their own lines');
if (HELD % 2 !== 0 || COUNTERS % 2 !== 0) throw new Error('slot: counters not 8-byte aligned');
if (SAMPLED_BYTES % 2 !== 0) throw new Error('slot: samples not 8-byte aligned');

/**
 * Amount that a malloc adds to its count. It is not 1, since V8 14 (Node 26) adds whole numbers as
 * 64-bit integers, and the conversions before and after take a third of a malloc's time.
 */
export const MALLOC_STEP = 0.5;

export const at = (slots: WordIndex, slot: number): WordIndex =>
  (slots + slot * WORDS) as WordIndex;

/** Word index of the tops: entry `topsOf(slot) + magazine` is that magazine's top. */
export const topsOf = (slot: WordIndex): WordIndex => (slot + TOPS) as WordIndex;
/** Index of the malloc counts, in 8-byte words. */
export const mallocsOf = (slot: WordIndex): number => (slot + MALLOCS) >>> 1;
/** Word index of a magazine's first entry; 0 = no thread has ever had the slot. */
export const magazineBottom = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
): number => u32[slot + BOTTOMS + magazine];

export const getTop = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): number =>
  u32[slot + TOPS + magazine];
export const setTop = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  top: number,
): void => {
  u32[slot + TOPS + magazine] = top;
};

/** The top of a magazine, also while it is parked for a transit. */
export const topOf = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): number => {
  const top = getTop(u32, slot, magazine);
  const isInTransit = top === slot + PARKED && u32[slot + TRANSITS + magazine] !== 0;
  return isInTransit ? u32[slot + FROMS + magazine] : top;
};

/** Number of blocks in a magazine; 0 also if its owner has not written its tops yet. */
export const magazineBlocks = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
): number => Math.max(0, topOf(u32, slot, magazine) - magazineBottom(u32, slot, magazine));
/** Number of cached blocks of a class in a slot, in both magazines. */
export const cachedBlocks = (u32: Uint32Array, slot: WordIndex, c: SizeClass): number =>
  magazineBlocks(u32, slot, c) + magazineBlocks(u32, slot, remoteMagazine(c));

export const getTransit = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): number =>
  u32[slot + TRANSITS + magazine];
/** Says where the next transit begins. The word has no meaning until then. */
export const setFrom = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  from: number,
): void => {
  u32[slot + FROMS + magazine] = from;
};
/**
 * Opens a transit of the entries from setFrom's place to `end`, and parks the magazine. It only
 * stores, like closeTransit: V8 cannot cut it in between.
 */
export const openTransit = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  end: number,
): void => {
  // point: transit.end
  u32[slot + TRANSITS + magazine] = end;
  // point: transit.park
  u32[slot + TOPS + magazine] = slot + PARKED;
};
/** Closes the transit; `top` becomes the magazine's top. */
export const closeTransit = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  top: number,
): void => {
  u32[slot + TOPS + magazine] = top;
  // point: transit.close
  u32[slot + TRANSITS + magazine] = 0;
};

/** Word index of the head of a slot's list of partial spans. */
export const partialOf = (slot: WordIndex, c: SizeClass): WordIndex =>
  (slot + PARTIALS + c) as WordIndex;
/** Word index of the head of a slot's list of retired spans. */
export const retiredOf = (slot: WordIndex, c: SizeClass): WordIndex =>
  (slot + RETIRED + c) as WordIndex;

export const getHeld = (f64: Float64Array, slot: WordIndex, c: SizeClass): number =>
  f64[((slot + HELD) >>> 1) + c];
export const setHeld = (f64: Float64Array, slot: WordIndex, c: SizeClass, blocks: number): void => {
  f64[((slot + HELD) >>> 1) + c] = blocks;
};
export const addHeld = (f64: Float64Array, slot: WordIndex, c: SizeClass, blocks: number): void => {
  f64[((slot + HELD) >>> 1) + c] += blocks;
};

export const getLimit = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): number =>
  u32[slot + LIMITS + magazine];
/** Moves a magazine's sentinel: writes the new one before it erases the old one. */
export const moveSentinel = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  limit: number,
): void => {
  const bottom = magazineBottom(u32, slot, magazine);
  const old = u32[slot + LIMITS + magazine];
  // point: sentinel.new
  u32[bottom + limit + 1] = SENTINEL;
  u32[bottom + limit] = SENTINEL;
  // point: sentinel.limit
  u32[slot + LIMITS + magazine] = limit;
  if (old !== limit) {
    // point: sentinel.old
    if (old !== limit + 1) u32[bottom + old] = NO_ENTRY;
    if (old + 1 !== limit) u32[bottom + old + 1] = NO_ENTRY;
  }
};
export const getMallocs = (f64: Float64Array, slot: WordIndex, c: SizeClass): number =>
  f64[((slot + MALLOCS) >>> 1) + c] / MALLOC_STEP;

// ---- Placement (heap/owned-blocks.ts)

/** The word for a vector's header that is being made or deleted. */
export const inFlightHeaderWord = (slot: WordIndex): WordIndex =>
  (slot + IN_FLIGHT_HEADER) as WordIndex;

/** Word index of an intent: its shared word, the block that comes, the block that goes. */
export const intentOf = (slot: WordIndex): WordIndex => (slot + INTENT_WORD) as WordIndex;
/** The shared word of the placement under way; 0 = none. */
export const getIntentWord = (u32: Uint32Array, slot: WordIndex): WordIndex =>
  u32[slot + INTENT_WORD] as WordIndex;
export const setIntentWord = (u32: Uint32Array, slot: WordIndex, word: number): void => {
  u32[slot + INTENT_WORD] = word;
};
export const getIntentIn = (u32: Uint32Array, slot: WordIndex): Address =>
  u32[slot + INTENT_IN] as Address;
export const setIntentIn = (u32: Uint32Array, slot: WordIndex, block: number): void => {
  u32[slot + INTENT_IN] = block;
};
export const getIntentOut = (u32: Uint32Array, slot: WordIndex): Address =>
  u32[slot + INTENT_OUT] as Address;
export const setIntentOut = (u32: Uint32Array, slot: WordIndex, block: number): void => {
  u32[slot + INTENT_OUT] = block;
};

/** The owner's worker_threads threadId; -1 = no thread has ever had the slot. */
export const getThreadId = (u32: Uint32Array, slot: WordIndex): number => u32[slot + THREAD] - 1;
/** Marks the slot as used; later reads happen after it (poison I1). */
export const storeThreadId = (u32: Uint32Array, slot: WordIndex, threadId: number): void => {
  atomics.store(u32, slot + THREAD, threadId + 1);
  orderWrites();
};

/** The slots that a thread has ever had; the others were never written. */
export function used(u32: Uint32Array, slots: WordIndex, threads: number): List<SlotIndex> {
  const used = new List<SlotIndex>();
  for (let s = 0 as SlotIndex; s < threads; s++) {
    if (getThreadId(u32, at(slots, s)) >= 0) used.push(s);
  }
  return used;
}

/** The records of the used slots. */
export function usedRecords(u32: Uint32Array, slots: WordIndex, threads: number): List<WordIndex> {
  const used = new List<WordIndex>();
  for (let s = 0 as SlotIndex; s < threads; s++) {
    const slot = at(slots, s);
    if (getThreadId(u32, slot) >= 0) used.push(slot);
  }
  return used;
}

/**
 * Writes where a slot's magazines begin, and that none is open: malloc finds them empty, free finds
 * them full, and the memory of unused magazines is never touched. Counters keep their values.
 * @param magazines the place of the slot's part of the magazine region
 */
export function resetMagazines(
  u32: Uint32Array,
  slot: WordIndex,
  magazines: WordIndex,
  { offsets }: MagazineSizes,
): void {
  parkTops(u32, slot);
  for (let magazine = 0 as MagazineIndex; magazine < MAGAZINE_ENTRIES; magazine++) {
    u32[slot + BOTTOMS + magazine] = magazines + offsets[magazine];
    u32[slot + LIMITS + magazine] = 0;
    u32[slot + TRANSITS + magazine] = 0;
  }
}

/** True if the magazine was never used, or the heap is poisoned. */
export const isParked = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): boolean =>
  getTop(u32, slot, magazine) === slot + PARKED;

/** Opens a parked magazine with room for `limit` blocks: zero word, sentinels, and the top last. */
export function openMagazine(
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  limit: number,
): void {
  const bottom = magazineBottom(u32, slot, magazine);
  u32[bottom - 1] = 0;
  u32[bottom + limit] = SENTINEL;
  u32[bottom + limit + 1] = SENTINEL;
  u32[slot + LIMITS + magazine] = limit;
  u32[slot + TOPS + magazine] = bottom;
}

/**
 * Points every top at the parked magazine, so that the owner's next call takes a slow path: for a
 * poisoned heap, where a last store of the owner may undo one of them, and for magazines that are
 * not open yet.
 * @returns false if all of them pointed there before
 */
export function parkTops(u32: Uint32Array, slot: WordIndex): boolean {
  let moved = false;
  // The slot's owner, interrupted in a push, may have overwritten these words.
  u32[slot + PARKED - 1] = 0;
  u32[slot + PARKED] = SENTINEL;
  u32[slot + PARKED + 1] = SENTINEL;
  for (let magazine = 0 as MagazineIndex; magazine < MAGAZINE_ENTRIES; magazine++) {
    moved ||= u32[slot + TOPS + magazine] !== slot + PARKED;
    u32[slot + TOPS + magazine] = slot + PARKED;
  }
  return moved;
}
