/**
 * Thread slots: a thread's caches and counters.
 *
 * Written by the slot's owner only, but for recovery and the closing of a transit, which need the
 * class lock; read by any thread (sums may be a moment old, never torn).
 *
 *     words      field             meaning, one entry per class or magazine where it says so
 *     0          thread            the owner's worker_threads threadId + 1
 *     1          in-flight header  SOURCE 0, or a vector's header that is being made or deleted
 *     2          intentWord        SOURCE 0, or word index: a placement into this shared word is under way
 *     3          intentIn          SOURCE the block that is to come in there; 0 = none
 *     4          intentOut         SOURCE the block that is to go; 0 = none
 *     5..15      -
 *     [magazine] top               SOURCE word index of the magazine's next free entry
 *     [magazine] transit           SOURCE 0, or word index: entries below it, and from `top` on, belong to
 *                                  their spans
 *     [magazine] from              SOURCE while a transit is open and the magazine parked: what stands here
 *                                  for its top
 *     [magazine] limit             how many blocks the magazine may hold now: where its sentinel is
 *     [class]    held              SOURCE Float64: blocks taken from spans less blocks given back
 *     [class]    mallocs           Float64: blocks popped for the program, times MALLOC_STEP
 *     counters                     Float64: see below
 *     [class]    partial           derived: first of the spans owned here that have a free block, but for
 *                                  retired spans, by page; under the class lock, by any thread
 *                                  (class-record.ts)
 *     [class]    retired spans     derived: the same of those that are wholly free and kept
 *     [magazine] bottom            where the magazine begins: word index of its first entry
 *                                  (magazine-sizes.ts)
 *     parked                       a magazine without room: a zero word, two sentinel words
 *     [class]    sampledBytes      Float64: bytes asked for by the calls that had to refill this magazine
 *     [class]    sampledRequests   Float64: how many such calls; both only ever grow
 *
 *     a magazine    0 | entry entry entry ... | SENTINEL SENTINEL
 *                    ^ bottom        ^ top   ^ bottom + limit
 *
 * A class has two magazines. Its local magazine is what malloc pops; in its remote magazine lie blocks
 * of spans that are owned by other threads, on their way back there (page owners: page-owners.ts).
 *
 * I1  The word below bottom is 0 and the words at bottom + limit and above it are SENTINEL, so that
 *     empty and full are seen in the entry itself. Nothing else in a magazine is 0 or SENTINEL.
 * I2  A free pushes over the first sentinel and flushes after; the flush writes the sentinel again.
 * I3  A transit is open only under the class lock, and on one of the class's magazines. The magazine is
 *     parked meanwhile: should V8 cut the call there and the thread live on, no malloc or free touches
 *     it before the transit is closed (heap/section.ts I6).
 * I4  Tags 0, LARGE and those of owned blocks have tops that point at the parked magazine, whose only word
 *     is a sentinel: a bad free and a large free need no test of their own. So have magazines that were not
 *     used yet, until thread-cache.ts opens them: theirs is the last store of that.
 * I5  A cached block has no tag (for a moment of a malloc or a free it has).
 * I6  Over all slots, held is how many of the class's blocks are not free in a span, and never less
 *     than what is cached. Blocks in use, held less cached, were all counted by mallocs.
 * I7  An intent stands while intentWord is not 0. Of its two blocks one that the shared word names is
 *     there; one in this slot's own magazine, or RESERVED by it, is with the heap; any other is nobody's.
 */

import {
  type Address,
  CLASS_ENTRIES,
  LINE_WORDS,
  List,
  MAGAZINE_ENTRIES,
  type MagazineIndex,
  REMOTE,
  roundUp,
  type SizeClass,
  type SlotIndex,
  WORD_BYTES,
  type WordIndex,
} from '../base/index.js';
import { atomics } from './atomics.js';
import { type MagazineSizes, SENTINEL_WORDS } from './magazine-sizes.js';
import { orderWrites } from './memory-order.js';

/** Marks the end of a magazine. No address: it is no multiple of 16. */
export const SENTINEL = -1;
/** What stands where a sentinel was: neither 0 nor SENTINEL, and no address. */
const NO_ENTRY = 1;

export const remoteMagazine = (c: SizeClass): MagazineIndex => (c + REMOTE) as MagazineIndex;
/** The class whose blocks a magazine holds. */
export const classOfMagazine = (magazine: MagazineIndex): SizeClass =>
  (magazine < REMOTE ? magazine : magazine - REMOTE) as SizeClass;
/** Both magazines of a class. */
export const magazinesOf = (c: SizeClass): readonly MagazineIndex[] => [c, remoteMagazine(c)];

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
const COUNTERS = MALLOCS + CLASS_ENTRIES * 2;
const COUNTER_WORDS = LINE_WORDS;
const PARTIALS = COUNTERS + COUNTER_WORDS;
const RETIRED = PARTIALS + CLASS_ENTRIES;
const BOTTOMS = RETIRED + CLASS_ENTRIES;
/** Where a magazine without entries begins: behind its zero word. */
const PARKED = BOTTOMS + MAGAZINE_ENTRIES + 1;

const SAMPLED_BYTES = roundUp(PARKED + SENTINEL_WORDS, LINE_WORDS);
const SAMPLED_REQUESTS = SAMPLED_BYTES + CLASS_ENTRIES * 2;

export const SLOT_WORDS = roundUp(SAMPLED_REQUESTS + CLASS_ENTRIES * 2, LINE_WORDS);
export const SLOT_BYTES = SLOT_WORDS * WORD_BYTES;

if (TOPS % LINE_WORDS !== 0) throw new Error('slot: tops are not on their own lines');
if (HELD % 2 !== 0 || COUNTERS % 2 !== 0) throw new Error('slot: counters not 8-byte aligned');
if (SAMPLED_BYTES % 2 !== 0) throw new Error('slot: samples not 8-byte aligned');

/**
 * What a malloc adds to its count. Not 1: a sum of whole numbers is computed by V8 14 (Node 26) as
 * one of 64-bit integers, with conversions before and after that are a third of a malloc's time.
 */
export const MALLOC_STEP = 0.5;

export const slotRecord = (slots: WordIndex, slot: number): WordIndex =>
  (slots + slot * SLOT_WORDS) as WordIndex;

/** Where the tops stand: entry `topsOf(slot) + magazine` is that magazine's top. */
export const topsOf = (slot: WordIndex): WordIndex => (slot + TOPS) as WordIndex;
/** Where the malloc counts stand, as an index of 8-byte words. */
export const mallocsOf = (slot: WordIndex): number => (slot + MALLOCS) >>> 1;
/** Word index of a magazine's first entry; 0 where no thread ever had the slot. */
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

/** The top of a magazine, be it parked for a transit or not. */
export const topOf = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): number => {
  const top = getTop(u32, slot, magazine);
  const isInTransit = top === slot + PARKED && u32[slot + TRANSITS + magazine] !== 0;
  return isInTransit ? u32[slot + FROMS + magazine] : top;
};

/** How many blocks a magazine holds; 0 too where its owner has not written its tops yet. */
export const magazineBlocks = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
): number => Math.max(0, topOf(u32, slot, magazine) - magazineBottom(u32, slot, magazine));
/** How many blocks of a class a slot has cached, in both magazines. */
export const cachedBlocks = (u32: Uint32Array, slot: WordIndex, c: SizeClass): number =>
  magazineBlocks(u32, slot, c) + magazineBlocks(u32, slot, remoteMagazine(c));

export const getTransit = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): number =>
  u32[slot + TRANSITS + magazine];
export const setTransit = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  end: number,
): void => {
  u32[slot + TRANSITS + magazine] = end;
};
/**
 * Opens a transit of the entries in [from, end), and parks the magazine. Stores alone, as the next one: V8
 * cannot cut it between them.
 */
export const openTransit = (
  u32: Uint32Array,
  slot: WordIndex,
  magazine: MagazineIndex,
  from: number,
  end: number,
): void => {
  u32[slot + FROMS + magazine] = from;
  // point: transit.end
  u32[slot + TRANSITS + magazine] = end;
  // point: transit.park
  u32[slot + TOPS + magazine] = slot + PARKED;
};
/** Ends it; the magazine has this top from now on. */
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
/** Moves a magazine's sentinel: the new one stands before the old one goes. The magazine is shorter. */
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

/** Slot counters, by their place. */
export const REFILLS = 0;
export const FLUSHES = 1;
export const LARGE_MALLOCS = 2;
export const LARGE_FREES = 3;
/** Usable bytes of large blocks, growth in place included. */
export const LARGE_MALLOC_BYTES = 4;
/** Bytes that rounding up to whole pages added, each time that a large block was given a size. */
export const LARGE_ROUNDING_BYTES = 5;
/** How often one was: allocations, and reallocations in place. */
export const LARGE_SIZINGS = 6;
/** Usable bytes of large blocks that were freed, those given back in place included. */
export const LARGE_FREED_BYTES = 7;
export const SLOT_COUNTERS = 8;
if (SLOT_COUNTERS * 2 > COUNTER_WORDS) throw new Error('slot: too many counters for their line');

export const getSlotCounter = (f64: Float64Array, slot: WordIndex, counter: number): number =>
  f64[((slot + COUNTERS) >>> 1) + counter];
export const addSlotCounter = (
  f64: Float64Array,
  slot: WordIndex,
  counter: number,
  amount: number,
): void => {
  f64[((slot + COUNTERS) >>> 1) + counter] += amount;
};

/** Bytes asked for by the calls of this class that were sampled, and how many these were. */
export const getSampledBytes = (f64: Float64Array, slot: WordIndex, c: SizeClass): number =>
  f64[((slot + SAMPLED_BYTES) >>> 1) + c];
export const getSampledRequests = (f64: Float64Array, slot: WordIndex, c: SizeClass): number =>
  f64[((slot + SAMPLED_REQUESTS) >>> 1) + c];
/** Adds a sample. The slot's owner only; a death between the two stores does no more than skew. */
export const addSample = (
  f64: Float64Array,
  slot: WordIndex,
  c: SizeClass,
  bytes: number,
): void => {
  f64[((slot + SAMPLED_BYTES) >>> 1) + c] += bytes;
  f64[((slot + SAMPLED_REQUESTS) >>> 1) + c] += 1;
};

// ---- placement (heap/owned-blocks.ts)

/** The word that a vector's header is placed into while it is no program's. */
export const inFlightHeaderWord = (slot: WordIndex): WordIndex =>
  (slot + IN_FLIGHT_HEADER) as WordIndex;

/** Where an intent stands: its word, the block that comes, the block that goes. */
export const intentOf = (slot: WordIndex): WordIndex => (slot + INTENT_WORD) as WordIndex;
/** The shared word that a placement is under way for; 0 = none. */
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

/** The owner's worker_threads threadId, or -1 where no thread ever had the slot. */
export const getThreadId = (u32: Uint32Array, slot: WordIndex): number => u32[slot + THREAD] - 1;
/** Says that the slot is used; what is read after that is read after it (poison I1). */
export const storeThreadId = (u32: Uint32Array, slot: WordIndex, threadId: number): void => {
  atomics.store(u32, slot + THREAD, threadId + 1);
  orderWrites();
};

/** The slots that some thread has had: the others were never written. */
export function usedSlots(u32: Uint32Array, slots: WordIndex, threads: number): List<SlotIndex> {
  const used = new List<SlotIndex>();
  for (let s = 0 as SlotIndex; s < threads; s++) {
    if (getThreadId(u32, slotRecord(slots, s)) >= 0) used.push(s);
  }
  return used;
}

/** The records of those. */
export function usedSlotRecords(
  u32: Uint32Array,
  slots: WordIndex,
  threads: number,
): List<WordIndex> {
  const used = new List<WordIndex>();
  for (let s = 0 as SlotIndex; s < threads; s++) {
    const slot = slotRecord(slots, s);
    if (getThreadId(u32, slot) >= 0) used.push(slot);
  }
  return used;
}

/**
 * Says where a slot's magazines begin, and that none is open: malloc finds them empty, free full, and what
 * a thread never uses is never touched. Counters stay.
 * @param magazines where the slot's part of the magazine region begins
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

/** Has the magazine not been used yet? So too in a poisoned heap. */
export const isParked = (u32: Uint32Array, slot: WordIndex, magazine: MagazineIndex): boolean =>
  getTop(u32, slot, magazine) === slot + PARKED;

/** Opens a parked magazine with room for `limit` blocks: its zero word, its sentinels, and then its top. */
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
 * Points every top at the parked magazine: whatever the owner tries next ends in a slow path. For a poisoned
 * heap, where the owner's last store may come over it; and for magazines that are not open yet.
 * @returns false where all of them were there already
 */
export function parkTops(u32: Uint32Array, slot: WordIndex): boolean {
  let moved = false;
  // Somebody who came here in the middle of a push may have written over them.
  u32[slot + PARKED - 1] = 0;
  u32[slot + PARKED] = SENTINEL;
  u32[slot + PARKED + 1] = SENTINEL;
  for (let magazine = 0 as MagazineIndex; magazine < MAGAZINE_ENTRIES; magazine++) {
    moved ||= u32[slot + TOPS + magazine] !== slot + PARKED;
    u32[slot + TOPS + magazine] = slot + PARKED;
  }
  return moved;
}
