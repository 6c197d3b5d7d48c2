/**
 * Block records: what the debug layer knows of each block. Only instrumented heaps have them: one
 * for every 64 bytes of data, out of line, so that no overrun of user data can damage them. Blocks
 * of such a heap are 64 bytes at least, so no two begin in the same 64.
 *
 * Found by the block's own address, red zone included. Written by the thread that allocates or
 * frees the block; by recovery, for a dead thread; read by any.
 *
 *     word   field        access   meaning
 *     0      state        both     SOURCE: bits 0..1 kind, 2..9 slot, 10..22 how many granules the
 *                                  user's part begins after the block, 23..24 at which granule of
 *                                  its 64 bytes the block begins
 *     1      requested    plain    bytes that were asked for
 *     2      allocStack   plain    call stack of the allocation (stack-store.ts); 0 = not known
 *     3      freeStack    plain    the same of the free
 *     4      allocThread  plain    threadId + 1 of who allocated it
 *     5      freeThread   plain    the same of who freed it
 *     6      turn         plain    counts up with every allocation
 *     7      scribbled    atomic   the turn in which the freed block was filled; no other: it was not
 *
 *     kind     meaning, for a block with a tag (without one the record is a leftover)
 *     NONE     never seen: see I1
 *     PENDING  allocated by the thread of `slot`, in a call that has not returned
 *     LIVE     in the program's hands
 *     FREED    the program has freed it, by the thread of `slot`: in quarantine, or on its way
 *
 * I1  A block's record is written before its tag is: a tagged block has a record of its own.
 * I2  A tagged block that is FREED or PENDING belongs to its slot: when the slot's thread is dead,
 *     recovery frees it.
 */

import { GRANULE_SHIFT, type SlotIndex, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import { orderWrites } from './memory-order.js';

/** A record, by its first word in the buffer. */
export type BlockRecord = WordIndex;

/** So many bytes of data have one record; a block is no smaller. */
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

export const BLOCK_RECORD_WORDS = 8;
export const BLOCK_RECORD_BYTES = BLOCK_RECORD_WORDS * WORD_BYTES;

if (SCRIBBLED >= BLOCK_RECORD_WORDS) throw new Error('block record: too many fields');

export const NO_BLOCK = 0;
export const LIVE_BLOCK = 1;
export const FREED_BLOCK = 2;
export const PENDING_BLOCK = 3;

const KIND_MASK = 3;
const SLOT_SHIFT = 2;
const SLOT_MASK = 0xff;
const FRONT_SHIFT = 10;
const FRONT_MASK = 0x1fff;
const PLACE_SHIFT = 23;
const PLACE_MASK = 3;

const placeOf = (block: number): number => (block >>> GRANULE_SHIFT) & PLACE_MASK;

/** A block's state word. `frontBytes`: how far the user's part begins behind the block's start. */
export const blockState = (kind: number, slot: number, frontBytes: number, block: number): number =>
  kind |
  (slot << SLOT_SHIFT) |
  ((frontBytes >>> GRANULE_SHIFT) << FRONT_SHIFT) |
  (placeOf(block) << PLACE_SHIFT);

/** Is this the state of the block at this address? Others share its record, one after the other. */
export const isStateOf = (state: number, block: number): boolean =>
  stateKind(state) !== NO_BLOCK && ((state >>> PLACE_SHIFT) & PLACE_MASK) === placeOf(block);
export const stateKind = (state: number): number => state & KIND_MASK;
export const stateSlot = (state: number): SlotIndex =>
  ((state >>> SLOT_SHIFT) & SLOT_MASK) as SlotIndex;
/** The same state with another kind. */
export const withKind = (state: number, kind: number): number => (state & ~KIND_MASK) | kind;
export const stateFrontBytes = (state: number): number =>
  ((state >>> FRONT_SHIFT) & FRONT_MASK) << GRANULE_SHIFT;

/** The record of a block; `table` is where that of address 0 would stand. */
export const blockRecord = (table: number, address: number): BlockRecord =>
  (table + (address >>> RECORD_SPAN_SHIFT) * BLOCK_RECORD_WORDS) as BlockRecord;

export const getState = (i32: Int32Array, r: BlockRecord): number => i32[r + STATE];
export const setState = (i32: Int32Array, r: BlockRecord, state: number): void => {
  i32[r + STATE] = state;
};
/**
 * The same, and nothing that is stored after it is seen before it: for a state that must be there
 * when the block's tag is.
 */
export const storeState = (i32: Int32Array, r: BlockRecord, state: number): void => {
  atomics.store(i32, r + STATE, state);
  orderWrites();
};
/** For a reader who has found the tag by loadTag, or reads the rest of the record after it. */
export const loadState = (i32: Int32Array, r: BlockRecord): number => atomics.load(i32, r + STATE);
/** A block's tag, read before its record is. */
export const loadTag = (tags: Uint8Array, address: number): number =>
  atomics.load(tags, address >>> GRANULE_SHIFT);
/** Changes the state if it is still `from`; what it was. */
export const casState = (i32: Int32Array, r: BlockRecord, from: number, to: number): number =>
  atomics.compareExchange(i32, r + STATE, from, to);

export const getRequested = (u32: Uint32Array, r: BlockRecord): number => u32[r + REQUESTED];
export const getTurn = (u32: Uint32Array, r: BlockRecord): number => u32[r + TURN];

/** Who did something to a block: `worker_threads` threadId, and a stack or 0. */
export interface Doer {
  readonly threadId: number;
  readonly stack: number;
}

export const getAllocator = (u32: Uint32Array, r: BlockRecord): Doer => ({
  threadId: u32[r + ALLOC_THREAD] - 1,
  stack: u32[r + ALLOC_STACK],
});
/** Who freed it; threadId -1 while nobody has. */
export const getFreer = (u32: Uint32Array, r: BlockRecord): Doer => ({
  threadId: u32[r + FREE_THREAD] - 1,
  stack: u32[r + FREE_STACK],
});

/** The record of a new block, but for its state and the stack. */
export function writeAllocated(
  u32: Uint32Array,
  r: BlockRecord,
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
export const setAllocStack = (u32: Uint32Array, r: BlockRecord, stack: number): void => {
  u32[r + ALLOC_STACK] = stack;
};

export function writeFreed(
  u32: Uint32Array,
  r: BlockRecord,
  threadId: number,
  stack: number,
): void {
  u32[r + FREE_STACK] = stack;
  u32[r + FREE_THREAD] = threadId + 1;
}

/** The freed block is filled now, to its end. */
export const storeScribbled = (i32: Int32Array, r: BlockRecord): void => {
  atomics.store(i32, r + SCRIBBLED, i32[r + TURN]);
};
export const isScribbled = (i32: Int32Array, r: BlockRecord): boolean =>
  atomics.load(i32, r + SCRIBBLED) === i32[r + TURN];
