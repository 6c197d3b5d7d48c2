/**
 * Block records: the debug layer's facts about each block. Only instrumented heaps have them. Each
 * 64 bytes of data have one record, in a table apart from the data, so that no overrun damages a
 * record. A block of such a heap has at least 64 bytes, so no two blocks begin in the same 64
 * bytes.
 *
 * Found by the block's own address, red zone included. Written by the thread that allocates or
 * frees the block, and by recovery for a dead thread. Read by any thread.
 *
 *     word   field        access   meaning
 *     0      state        both     SOURCE: bits 0..1 kind, 2..9 slot, 10..22 granules from the
 *                                  block's start to the user's part, 23..24 the granule of the
 *                                  record's 64 bytes at which the block begins
 *     1      requested    plain    bytes that were asked for
 *     2      allocStack   plain    call stack of the allocation (stack-store.ts); 0 = not known
 *     3      freeStack    plain    call stack of the free (stack-store.ts); 0 = not known
 *     4      allocThread  plain    threadId + 1 of the thread that allocated the block
 *     5      freeThread   plain    threadId + 1 of the thread that freed the block
 *     6      turn         plain    number of allocations that used this record
 *     7      scribbled    atomic   the turn in which the freed block was filled; another turn = not
 *                                  filled
 *
 *     kind     meaning, for a block with a tag (the record of a block without a tag is a leftover)
 *     NONE     not written yet: see I1
 *     PENDING  allocated by the thread of `slot`, in a call that has not returned
 *     LIVE     in use by the program
 *     FREED    freed by the thread of `slot`: in quarantine, or on its way to the heap
 *
 * I1  A block's record is written before its tag is: a tagged block has a record of its own.
 * I2  A tagged block that is FREED or PENDING belongs to its slot: when the slot's thread is dead,
 *     recovery frees it.
 */

import { GRANULE_SHIFT, type SlotIndex, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import { orderWrites } from './memory-order.js';

/** Log2 of the bytes of data per record, which is also the minimum size of a block. */
export const RECORD_SPAN_SHIFT = 6;
export const RECORDED_BYTES_MIN = 1 << RECORD_SPAN_SHIFT;

const STATE = 0;
const REQUESTED = STATE + 1;
const ALLOC_STACK = REQUESTED + 1;
const FREE_STACK = ALLOC_STACK + 1;
const ALLOC_THREAD = FREE_STACK + 1;
const FREE_THREAD = ALLOC_THREAD + 1;
const TURN = FREE_THREAD + 1;
const SCRIBBLED = TURN + 1;

export const WORDS = 8;
export const BYTES = WORDS * WORD_BYTES;

if (SCRIBBLED >= WORDS) throw new Error('block record: too many fields');

export const NONE = 0;
export const LIVE = 1;
export const FREED = 2;
export const PENDING = 3;

const KIND_MASK = 3;
const SLOT_SHIFT = 2;
const SLOT_MASK = 0xff;
const FRONT_SHIFT = 10;
const FRONT_MASK = 0x1fff;
const PLACE_SHIFT = 23;
const PLACE_MASK = 3;

const placeOf = (block: number): number => (block >>> GRANULE_SHIFT) & PLACE_MASK;

/** A block's state word. `frontBytes`: bytes from the block's start to the user's part. */
export const stateOf = (kind: number, slot: number, frontBytes: number, block: number): number =>
  kind |
  (slot << SLOT_SHIFT) |
  ((frontBytes >>> GRANULE_SHIFT) << FRONT_SHIFT) |
  (placeOf(block) << PLACE_SHIFT);

/**
 * True if the state is that of the block at this address. Blocks use a record one after the other.
 */
export const isStateOf = (state: number, block: number): boolean =>
  kindOf(state) !== NONE && ((state >>> PLACE_SHIFT) & PLACE_MASK) === placeOf(block);
export const kindOf = (state: number): number => state & KIND_MASK;
export const slotOf = (state: number): SlotIndex =>
  ((state >>> SLOT_SHIFT) & SLOT_MASK) as SlotIndex;
/** The same state with another kind. */
export const withKind = (state: number, kind: number): number => (state & ~KIND_MASK) | kind;
export const frontBytesOf = (state: number): number =>
  ((state >>> FRONT_SHIFT) & FRONT_MASK) << GRANULE_SHIFT;

/** The record of a block; `table` is the place where the record of address 0 would be. */
export const at = (table: number, address: number): WordIndex =>
  (table + (address >>> RECORD_SPAN_SHIFT) * WORDS) as WordIndex;

export const getState = (i32: Int32Array, r: WordIndex): number => i32[r + STATE];
export const setState = (i32: Int32Array, r: WordIndex, state: number): void => {
  i32[r + STATE] = state;
};
/**
 * Stores the state so that no later store is visible before it: for a state that must be there when
 * the block's tag is.
 */
export const storeState = (i32: Int32Array, r: WordIndex, state: number): void => {
  atomics.store(i32, r + STATE, state);
  orderWrites();
};
/**
 * Loads the state, for a thread that found the tag by loadTag, or reads the rest of the record
 * later.
 */
export const loadState = (i32: Int32Array, r: WordIndex): number => atomics.load(i32, r + STATE);
/** A block's tag, loaded so that its record can be read after it. */
export const loadTag = (tags: Uint8Array, address: number): number =>
  atomics.load(tags, address >>> GRANULE_SHIFT);
/** Changes the state if it is still `from`; returns the state that it found. */
export const casState = (i32: Int32Array, r: WordIndex, from: number, to: number): number =>
  atomics.compareExchange(i32, r + STATE, from, to);

export const getRequested = (u32: Uint32Array, r: WordIndex): number => u32[r + REQUESTED];
export const getTurn = (u32: Uint32Array, r: WordIndex): number => u32[r + TURN];

/**
 * The thread that allocated or freed a block: its `worker_threads` threadId, and its stack or 0.
 */
export interface Doer {
  readonly threadId: number;
  readonly stack: number;
}

export const getAllocator = (u32: Uint32Array, r: WordIndex): Doer => ({
  threadId: u32[r + ALLOC_THREAD] - 1,
  stack: u32[r + ALLOC_STACK],
});
/** The thread that freed the block; threadId -1 if no thread has. */
export const getFreer = (u32: Uint32Array, r: WordIndex): Doer => ({
  threadId: u32[r + FREE_THREAD] - 1,
  stack: u32[r + FREE_STACK],
});

/** Writes the record of a new block, except its state and its stack. */
export function writeAllocated(
  u32: Uint32Array,
  r: WordIndex,
  requested: number,
  threadId: number,
): void {
  u32[r + REQUESTED] = requested;
  u32[r + ALLOC_STACK] = 0;
  u32[r + FREE_STACK] = 0;
  u32[r + ALLOC_THREAD] = threadId + 1;
  u32[r + FREE_THREAD] = 0;
  u32[r + TURN] += 1;
}
export const setAllocStack = (u32: Uint32Array, r: WordIndex, stack: number): void => {
  u32[r + ALLOC_STACK] = stack;
};

export function writeFreed(u32: Uint32Array, r: WordIndex, threadId: number, stack: number): void {
  u32[r + FREE_STACK] = stack;
  u32[r + FREE_THREAD] = threadId + 1;
}

/** Marks the freed block as filled to its end. */
export const storeScribbled = (i32: Int32Array, r: WordIndex): void => {
  atomics.store(i32, r + SCRIBBLED, i32[r + TURN]);
};
export const isScribbled = (i32: Int32Array, r: WordIndex): boolean =>
  atomics.load(i32, r + SCRIBBLED) === i32[r + TURN];
