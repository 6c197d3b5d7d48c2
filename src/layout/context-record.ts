/**
 * Context records: 256 bytes for each memory context, in a table apart from the data, so that no
 * overrun damages them.
 *
 * Written by the context's owner only, and by recovery once the owner is dead. Read by any thread,
 * for statistics, which may be a moment old.
 *
 *     word   field        meaning
 *     0      state        SOURCE atomic: phase, kind, slot, generation; 0 = free
 *                         (record-table.ts I1)
 *     1      generation   SOURCE number of contexts that have used the record
 *     2      parent       SOURCE atomic: index of the parent's record; 0 = a root
 *     3      firstChild   derived; this and the next two are for adoption
 *     4      nextSibling
 *     5      prevSibling
 *     6      cursor       address where the next object begins
 *     7      limit        address where the current chunk ends
 *     8      start        address where the current chunk begins
 *     9      chunk        index of the last chunk's record, the head of the chain of all chunks
 *     10     chunks       number of chunks
 *     11     bytes        bytes of all chunks
 *     12     objects      number of live objects
 *     13     usedBefore   bytes that objects take in chunks other than the current one
 *     14     freedBytes   bytes of freed objects, in all chunks (sets)
 *     15     epoch        number of resets: an object of an earlier epoch is not valid
 *     16     initialBytes bytes of the first chunk
 *     17     maxBytes     maximum bytes of a chunk that is shared by objects
 *     18     nextBytes    bytes of the next chunk
 *     19                  unused
 *     20     keeper       index of the record of the chunk that a reset keeps; 0 = none yet
 *     21..42 freeLists    sets: address of the first freed object, by the logarithm of its size
 *     43     adoptions    number of adoptions of the context: a handle can be adopted once
 *     44..53 name         one byte length, then UTF-8
 *     54..63 ident        one byte length, then UTF-8
 *
 *     state: bits 0-1 phase, bit 2 kind, bits 3-11 slot (RELEASED: low bits of adoptions), bits
 *     12-31 generation (low bits)
 *
 * I1  UNRESOLVED: the record belongs to its slot, which creates or ends the context. LIVE: the
 *     context belongs to the slot in the state of its root. RELEASED: a root without an owner, to
 *     be adopted.
 * I2  A context's parent is in use, and has the same owner. Children end before their parents.
 * I3  Record 0 is not a context: its cursor and limit are 0, so that it has no room for an object.
 * I4  While the owner does not work on a context, the chunk records that name it are exactly those
 *     of its chain; `chunks` and `bytes` are the number and the sum of the chain's chunks; the place
 *     of the next object lies inside one of them.
 */

import {
  type Address,
  GRANULE_SHIFT,
  type SlotIndex,
  WORD_BYTES,
  type WordIndex,
} from '../base/index.js';
import { atomics } from './atomics.js';
import type { Geometry } from './geometry.js';
import type { RecordTable } from './record-table.js';
import * as Records from './record-table.js';

/** The n-th context of a heap, from 1; 0 = none. */
export type ContextIndex = number & { readonly context: 'ContextIndex' };

const GENERATION = 1;
const PARENT = GENERATION + 1;
const FIRST_CHILD = PARENT + 1;
const NEXT_SIBLING = FIRST_CHILD + 1;
const PREV_SIBLING = NEXT_SIBLING + 1;
export const CURSOR = PREV_SIBLING + 1;
export const LIMIT = CURSOR + 1;
const START = LIMIT + 1;
const CHUNK = START + 1;
const CHUNKS = CHUNK + 1;
const BYTES = CHUNKS + 1;
export const OBJECTS = BYTES + 1;
const USED_BEFORE = OBJECTS + 1;
export const FREED_BYTES = USED_BEFORE + 1;
const EPOCH = FREED_BYTES + 1;
const INITIAL_BYTES = EPOCH + 1;
const MAX_BYTES = INITIAL_BYTES + 1;
const NEXT_BYTES = MAX_BYTES + 1;
const KEEPER = NEXT_BYTES + 2;
const FREE_LISTS = KEEPER + 1;
const ADOPTIONS = 43;
const NAME = ADOPTIONS + 1;
const IDENT = 54;
export const WORDS = 64;

/** Number of a set's free lists: objects have a power of two of bytes, from one granule on. */
export const FREE_LISTS_MAX = ADOPTIONS - FREE_LISTS;
/** Maximum bytes of an object in a free list. */
export const LISTED_BYTES_MAX = 2 ** (GRANULE_SHIFT + FREE_LISTS_MAX - 1);

/** Maximum UTF-8 bytes of a name or an ident. */
export const TEXT_BYTES_MAX = (IDENT - NAME) * WORD_BYTES - 1;

// ---- state

export const UNRESOLVED = 1;
export const LIVE = 2;
export const RELEASED = 3;
export type ContextPhase = 0 | 1 | 2 | 3;

export const BUMP_KIND = 0;
export const SET_KIND = 1;

const PHASE_MASK = 3;
const KIND_SHIFT = 2;
const SLOT_SHIFT = 3;
const SLOT_MASK = 0x1ff;
const GENERATION_SHIFT = 12;

export const stateOf = (
  phase: ContextPhase,
  kind: number,
  slot: number,
  generation: number,
): number => phase | (kind << KIND_SHIFT) | (slot << SLOT_SHIFT) | (generation << GENERATION_SHIFT);
export const phaseOf = (state: number): ContextPhase => (state & PHASE_MASK) as ContextPhase;
export const kindOf = (state: number): number => (state >>> KIND_SHIFT) & 1;
export const slotOf = (state: number): SlotIndex =>
  ((state >>> SLOT_SHIFT) & SLOT_MASK) as SlotIndex;
/** The state of the same context in another phase, with another slot. */
export const withPhase = (state: number, phase: ContextPhase, slot: number): number =>
  stateOf(phase, kindOf(state), slot, state >>> GENERATION_SHIFT);

/** The table of a heap's contexts. */
export const contextTable = ({ contexts, contextCount }: Geometry): RecordTable => ({
  start: contexts,
  recordWords: WORDS,
  count: contextCount,
});

// ---- Fields: plain accesses, by the owner

type Getter<T = number> = (u32: Uint32Array, record: WordIndex) => T;
type Setter = (u32: Uint32Array, record: WordIndex, value: number) => void;
const getter =
  <T = number>(field: number): Getter<T> =>
  (u32, record) =>
    u32[record + field] as T;
const setter =
  (field: number): Setter =>
  (u32, record, value) => {
    u32[record + field] = value;
  };

export const getGeneration = getter(GENERATION);
export const setGeneration = setter(GENERATION);
/** The parent, read plainly: for the owner only. */
export const getParent = getter<ContextIndex>(PARENT);
/** Sets the parent of a context that is being made: no thread reads it before its state is LIVE. */
export const setParent = setter(PARENT);
/**
 * The parent, read atomically, for a thread that looks for a context's owner. All threads read and
 * write parent and state atomically: a plain read could see the later of two writes without the
 * earlier one (docs/memory-model.md).
 */
export const loadParent = (u32: Uint32Array, record: WordIndex): ContextIndex =>
  atomics.load(u32, record + PARENT) as ContextIndex;
export const storeParent = (u32: Uint32Array, record: WordIndex, parent: number): void => {
  atomics.store(u32, record + PARENT, parent);
};
export const getFirstChild = getter<ContextIndex>(FIRST_CHILD);
export const setFirstChild = setter(FIRST_CHILD);
export const getNextSibling = getter<ContextIndex>(NEXT_SIBLING);
export const setNextSibling = setter(NEXT_SIBLING);
export const getPrevSibling = getter<ContextIndex>(PREV_SIBLING);
export const setPrevSibling = setter(PREV_SIBLING);
export const getCursor = getter<Address>(CURSOR);
export const setCursor = setter(CURSOR);
export const getChunkEnd = getter<Address>(LIMIT);
export const setChunkEnd = setter(LIMIT);
export const getChunkStart = getter<Address>(START);
export const setChunkStart = setter(START);
export const getChunk = getter(CHUNK);
export const setChunk = setter(CHUNK);
export const getChunkCount = getter(CHUNKS);
export const setChunkCount = setter(CHUNKS);
export const getBytes = getter(BYTES);
export const setBytes = setter(BYTES);
export const getObjects = getter(OBJECTS);
export const setObjects = setter(OBJECTS);
export const getUsedBefore = getter(USED_BEFORE);
export const setUsedBefore = setter(USED_BEFORE);
export const getFreedBytes = getter(FREED_BYTES);
export const setFreedBytes = setter(FREED_BYTES);
export const getEpoch = getter(EPOCH);
export const setEpoch = setter(EPOCH);
/** The first of the words that do not survive the context's end or its reset. */
export const generationWord = (record: WordIndex): WordIndex => (record + GENERATION) as WordIndex;
export const epochWord = (record: WordIndex): WordIndex => (record + EPOCH) as WordIndex;
export const getInitialBytes = getter(INITIAL_BYTES);
export const setInitialBytes = setter(INITIAL_BYTES);
export const getMaxBytes = getter(MAX_BYTES);
export const setMaxBytes = setter(MAX_BYTES);
export const getNextBytes = getter(NEXT_BYTES);
export const setNextBytes = setter(NEXT_BYTES);
export const getAdoptions = getter(ADOPTIONS);
export const setAdoptions = setter(ADOPTIONS);
export const getKeeper = getter(KEEPER);
export const setKeeper = setter(KEEPER);

/** The word of the free list for objects of `2 ** log` bytes. */
export const freeListWord = (record: WordIndex, log: number): number =>
  record + FREE_LISTS + log - GRANULE_SHIFT;

/**
 * Empties a context: its objects belong to an earlier epoch, and no chunk is the current one. It
 * only stores, so that a stack overflow cannot interrupt it.
 */
export function empty(u32: Uint32Array, record: WordIndex): void {
  // The loop comes first, since V8 can cut it: a list that lost objects has less room, no other
  // harm.
  for (let word = record + FREE_LISTS; word < record + ADOPTIONS; word++) u32[word] = 0;
  u32[record + EPOCH]++;
  u32[record + CURSOR] = 0;
  u32[record + LIMIT] = 0;
  u32[record + START] = 0;
  u32[record + OBJECTS] = 0;
  u32[record + USED_BEFORE] = 0;
  u32[record + FREED_BYTES] = 0;
}

/**
 * Makes the empty chunk from `start` to `end` the current one. It only stores, for the same reason.
 */
export function openChunk(u32: Uint32Array, record: WordIndex, start: number, end: number): void {
  u32[record + USED_BEFORE] += u32[record + CURSOR] - u32[record + START];
  u32[record + START] = start;
  u32[record + CURSOR] = start;
  u32[record + LIMIT] = end;
}

// ---- Name and ident

type TextField = typeof NAME | typeof IDENT;

function writeText(u8: Uint8Array, record: WordIndex, field: TextField, text: Uint8Array): void {
  const at = (record + field) * WORD_BYTES;
  u8[at] = text.length;
  u8.set(text, at + 1);
}

function readText(u8: Uint8Array, record: WordIndex, field: TextField): string {
  const at = (record + field) * WORD_BYTES;
  // Copied, since browsers refuse to decode shared memory. A name that is being written may be
  // mixed.
  return new TextDecoder().decode(u8.slice(at + 1, at + 1 + Math.min(u8[at], TEXT_BYTES_MAX)));
}

/** Writes name and ident as UTF-8, each cut to TEXT_BYTES_MAX bytes. */
export function writeNames(
  u8: Uint8Array,
  record: WordIndex,
  name: Uint8Array,
  ident: Uint8Array,
): void {
  writeText(u8, record, NAME, name);
  writeText(u8, record, IDENT, ident);
}
export const readName = (u8: Uint8Array, record: WordIndex): string => readText(u8, record, NAME);
export const readIdent = (u8: Uint8Array, record: WordIndex): string => readText(u8, record, IDENT);

// ---- The owner of a context

/**
 * The slot that owns a context; -1 = none (free or released). Climbs to the context's root (I1).
 */
export function ownerOf(
  i32: Int32Array,
  u32: Uint32Array,
  table: RecordTable,
  index: number,
): number {
  let at = index;
  // While the owner moves the context, the way up can change; it has at most as many steps as
  // records.
  for (let steps = 0; steps <= table.count; steps++) {
    const record = Records.at(table, at);
    // The parent is read first: when a context becomes a root, its slot is written first.
    const parent = loadParent(u32, record);
    const state = Records.load(i32, record);
    const phase = phaseOf(state);
    if (phase === UNRESOLVED) return slotOf(state);
    if (phase !== LIVE) return -1;
    if (parent === 0) return slotOf(state);
    at = parent;
  }
  return -1;
}
