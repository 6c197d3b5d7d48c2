/**
 * Context records: 256 bytes for each memory context. Out of line, so that no overrun reaches them.
 *
 * Written by the context's owner only; by recovery once that is dead. Read by any thread, for
 * statistics: these may be a moment old.
 *
 *     word   field        meaning
 *     0      state        SOURCE atomic: phase, kind, slot, generation; 0 = free (record-table.ts I1)
 *     1      generation   SOURCE counts the contexts that the record has been
 *     2      parent       SOURCE atomic: index of the parent's record; 0 = a root
 *     3      firstChild   derived; with the next two, for who adopts
 *     4      nextSibling
 *     5      prevSibling
 *     6      cursor       address: where the next object goes
 *     7      limit        address: where the current chunk ends
 *     8      start        address: where the current chunk begins
 *     9      chunk        index of the last chunk's record: the chain has all of them
 *     10     chunks       how many
 *     11     bytes        of all of them
 *     12     objects      that are live
 *     13     usedBefore   bytes that objects take in chunks other than the current one
 *     14     freedBytes   of these and those in the current one: freed objects (sets)
 *     15     epoch        counts resets: who has an object of an earlier one has nothing
 *     16     initialBytes of the first chunk
 *     17     maxBytes     of the largest chunk that is not one object's own
 *     18     nextBytes    of the chunk to come
 *     19     storages     index of the record of the last shared vector's storage
 *     20     keeper       index of the record of the chunk that a reset keeps; 0 = none yet
 *     21..42 freeLists    sets: address of the first freed object, by the logarithm of its size
 *     43     adoptions    counts how often the context was adopted: a handle is good for once
 *     44..53 name         one byte its length, then UTF-8
 *     54..63 ident        the same
 *
 *     state: bits 0-1 phase, bit 2 kind, bits 3-11 slot (RELEASED: low bits of adoptions), bits 12-31
 *     generation (low bits)
 *
 * I1  UNRESOLVED: the record is its slot's, being made or ended. LIVE: the context is that of the slot
 *     in the state of its root. RELEASED: a root that nobody owns, to be adopted.
 * I2  A context's parent is in use, and has the same owner. Children end before their parents.
 * I3  Record 0 is no context: its cursor and limit are 0, so that an allocation in it finds no room.
 * I4  While its owner is not at work on it, the chunk records that name it are those of its chain and
 *     its storages; chunks and bytes are how many the chain has, and the sum of theirs; the place of
 *     the next object lies inside one of them.
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
import { loadRecord, type RecordTable, recordAt } from './record-table.js';

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
const STORAGES = NEXT_BYTES + 1;
const KEEPER = STORAGES + 1;
const FREE_LISTS = KEEPER + 1;
const ADOPTIONS = 43;
const NAME = ADOPTIONS + 1;
const IDENT = 54;
export const CONTEXT_RECORD_WORDS = 64;

/** A set's objects have a power of two of bytes, this many lists: from one granule on. */
export const FREE_LISTS_MAX = ADOPTIONS - FREE_LISTS;
/** The longest object that a list can hold. */
export const LISTED_BYTES_MAX = 2 ** (GRANULE_SHIFT + FREE_LISTS_MAX - 1);

/** UTF-8 bytes of a name or ident that a record keeps. */
export const TEXT_BYTES_MAX = (IDENT - NAME) * WORD_BYTES - 1;

// ---- state

export const UNRESOLVED_CONTEXT = 1;
export const LIVE_CONTEXT = 2;
export const RELEASED_CONTEXT = 3;
export type ContextPhase = 0 | 1 | 2 | 3;

export const BUMP_KIND = 0;
export const SET_KIND = 1;

const PHASE_MASK = 3;
const KIND_SHIFT = 2;
const SLOT_SHIFT = 3;
const SLOT_MASK = 0x1ff;
const GENERATION_SHIFT = 12;

export const contextState = (
  phase: ContextPhase,
  kind: number,
  slot: number,
  generation: number,
): number => phase | (kind << KIND_SHIFT) | (slot << SLOT_SHIFT) | (generation << GENERATION_SHIFT);
export const contextPhase = (state: number): ContextPhase => (state & PHASE_MASK) as ContextPhase;
export const contextKind = (state: number): number => (state >>> KIND_SHIFT) & 1;
export const contextSlot = (state: number): SlotIndex =>
  ((state >>> SLOT_SHIFT) & SLOT_MASK) as SlotIndex;
/** The same context in another phase, of another slot. */
export const withPhase = (state: number, phase: ContextPhase, slot: number): number =>
  contextState(phase, contextKind(state), slot, state >>> GENERATION_SHIFT);

/** The table of a heap's contexts. */
export const contextTable = ({ contexts, contextCount }: Geometry): RecordTable => ({
  start: contexts,
  recordWords: CONTEXT_RECORD_WORDS,
  count: contextCount,
});

// ---- fields: plain, of the owner

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
/** For the owner. */
export const getParent = getter<ContextIndex>(PARENT);
/** Of a context that is being made: nobody looks at it before its state says LIVE. */
export const setParent = setter(PARENT);
/**
 * For who finds out whose a context is: parent and state are read and written atomically by all, or a
 * thread would see the one that is written last first (docs/memory-model.md).
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
export const getContextBytes = getter(BYTES);
export const setContextBytes = setter(BYTES);
export const getObjects = getter(OBJECTS);
export const setObjects = setter(OBJECTS);
export const getUsedBefore = getter(USED_BEFORE);
export const setUsedBefore = setter(USED_BEFORE);
export const getFreedBytes = getter(FREED_BYTES);
export const setFreedBytes = setter(FREED_BYTES);
export const getEpoch = getter(EPOCH);
export const setEpoch = setter(EPOCH);
/** The words that a context which has ended, or was reset, does not keep. */
export const generationWord = (record: WordIndex): WordIndex => (record + GENERATION) as WordIndex;
export const epochWord = (record: WordIndex): WordIndex => (record + EPOCH) as WordIndex;
export const getInitialBytes = getter(INITIAL_BYTES);
export const setInitialBytes = setter(INITIAL_BYTES);
export const getMaxBytes = getter(MAX_BYTES);
export const setMaxBytes = setter(MAX_BYTES);
export const getNextBytes = getter(NEXT_BYTES);
export const setNextBytes = setter(NEXT_BYTES);
export const getStorages = getter(STORAGES);
export const setStorages = setter(STORAGES);
export const getAdoptions = getter(ADOPTIONS);
export const setAdoptions = setter(ADOPTIONS);
export const getKeeper = getter(KEEPER);
export const setKeeper = setter(KEEPER);

/** Word of the list of freed objects of `2 ** log` bytes. */
export const freeListWord = (record: WordIndex, log: number): number =>
  record + FREE_LISTS + log - GRANULE_SHIFT;

/**
 * Empties a context: its objects are of an earlier epoch, and no chunk is the current one. Stores
 * alone, so that no overflow of the stack can cut them.
 */
export function emptyContext(u32: Uint32Array, record: WordIndex): void {
  // First: V8 can cut a loop, and what a list has less is room and nothing else.
  for (let word = record + FREE_LISTS; word < record + ADOPTIONS; word++) u32[word] = 0;
  u32[record + EPOCH]++;
  u32[record + CURSOR] = 0;
  u32[record + LIMIT] = 0;
  u32[record + START] = 0;
  u32[record + OBJECTS] = 0;
  u32[record + USED_BEFORE] = 0;
  u32[record + FREED_BYTES] = 0;
}

/** Makes the chunk from `start` to `end` the current one, empty. Stores alone, as well. */
export function openChunk(u32: Uint32Array, record: WordIndex, start: number, end: number): void {
  u32[record + USED_BEFORE] += u32[record + CURSOR] - u32[record + START];
  u32[record + START] = start;
  u32[record + CURSOR] = start;
  u32[record + LIMIT] = end;
}

// ---- name and ident

type TextField = typeof NAME | typeof IDENT;

function writeText(u8: Uint8Array, record: WordIndex, field: TextField, text: Uint8Array): void {
  const at = (record + field) * WORD_BYTES;
  u8[at] = text.length;
  u8.set(text, at + 1);
}

function readText(u8: Uint8Array, record: WordIndex, field: TextField): string {
  const at = (record + field) * WORD_BYTES;
  // Copied: browsers refuse to decode shared memory. What is being written may be half of each.
  return new TextDecoder().decode(u8.slice(at + 1, at + 1 + Math.min(u8[at], TEXT_BYTES_MAX)));
}

/** Both as UTF-8, at most TEXT_BYTES_MAX of each. */
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

// ---- whose a context is

/** The slot that owns a context, -1 = none: free, or released. Climbs to its root (I1). */
export function contextOwner(
  i32: Int32Array,
  u32: Uint32Array,
  table: RecordTable,
  index: number,
): number {
  let at = index;
  // Read while its owner moves it, the way up may be long; it is never longer than the table.
  for (let steps = 0; steps <= table.count; steps++) {
    const record = recordAt(table, at);
    // In this order: of a context that becomes a root the slot is written first.
    const parent = loadParent(u32, record);
    const state = loadRecord(i32, record);
    const phase = contextPhase(state);
    if (phase === UNRESOLVED_CONTEXT) return contextSlot(state);
    if (phase !== LIVE_CONTEXT) return -1;
    if (parent === 0) return contextSlot(state);
    at = parent;
  }
  return -1;
}
