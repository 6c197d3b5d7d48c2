/**
 * Vector headers: 64 bytes in an owned block of the heap, or in the memory of a context.
 *
 * Written by the vector's owner; the header of a shared vector by the owner of its lock. Read by
 * any thread that reads its elements.
 *
 *     word   field       access   meaning
 *     0      magic       plain    marks the header of a vector
 *     1      type        plain    bits 0-7 kind of its elements; bit 8 shared, bit 9 in a context,
 *                                 never both
 *     2      stride      plain    bytes of an element
 *     3      data        atomic   SOURCE address of its storage; 0 = none yet. Placement's word
 *     4      length      plain    SOURCE number of elements. A shared vector's is in its storage
 *     5      version     atomic   shared: number of moves of its elements; odd = a move is under
 *                                 way
 *     6      lock        atomic   shared (sync/): 0, or the owner's thread word
 *     7                           unused
 *     8      context     plain    index of the context that it is in; 0 = in the heap
 *     9      epoch       plain    epoch of that context when the vector was made
 *     10     generation  plain    generation of that context's record when the vector was made
 *     11     serial      plain    tells it from an earlier vector at this place; 0 = not a vector
 *     12     capacity    plain    number of elements that fit into its storage. A shared vector's
 *                                 is there
 *     13     thread      plain    threadId + 1, in worker_threads, of the thread that made it
 *
 * The storage of a shared vector begins with a head of 16 bytes, so that one store of `data`
 * changes elements, length and capacity at once:
 *
 *     word   field       access   meaning
 *     0      length      atomic   SOURCE elements; those below it are published
 *     1      redo        atomic   0, or n + 1: the scratch element is to be copied to element n
 *     2      capacity    plain    number of elements that fit behind the head
 *     ...    scratch     plain    room for one element, a multiple of 16 bytes; only if elements
 *                                 are records of bytes
 *     ...    elements    plain
 *
 * I1  A header that is being made or deleted is its slot's in-flight header (layout/slot.ts).
 * I2  The capacity is never more than the storage has room for.
 */

import { type Address, GRANULE_BYTES, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import { orderWrites } from './memory-order.js';

export const MAGIC = 0x76656374;

const TYPE = 1;
const STRIDE = TYPE + 1;
const DATA = STRIDE + 1;
const LENGTH = DATA + 1;
const VERSION = LENGTH + 1;
const LOCK = VERSION + 1;
const CONTEXT = LOCK + 2;
const EPOCH = CONTEXT + 1;
const GENERATION = EPOCH + 1;
const SERIAL = GENERATION + 1;
const CAPACITY = SERIAL + 1;
const THREAD = CAPACITY + 1;

export const WORDS = 16;
export const BYTES = WORDS * WORD_BYTES;

/** The facts about a vector that never change. */
export interface VectorFields {
  readonly type: number;
  readonly stride: number;
  readonly context: number;
  readonly epoch: number;
  readonly generation: number;
  readonly serial: number;
  /** `threadId` of the thread that made the vector. */
  readonly threadId: number;
}

export const KIND_MASK = 0xff;
export const SHARED = 1 << 8;
export const IN_CONTEXT = 1 << 9;

/** Writes the header of an empty vector, the magic last. */
export function write(u32: Uint32Array, header: WordIndex, fields: VectorFields): void {
  u32.fill(0, header, header + WORDS);
  u32[header + TYPE] = fields.type;
  u32[header + STRIDE] = fields.stride;
  u32[header + CONTEXT] = fields.context;
  u32[header + EPOCH] = fields.epoch;
  u32[header + GENERATION] = fields.generation;
  u32[header + SERIAL] = fields.serial;
  u32[header + THREAD] = fields.threadId + 1;
  u32[header] = MAGIC;
}

/** Reads the unchanging part of a header; null if there is none. */
export function read(u32: Uint32Array, header: WordIndex): VectorFields | null {
  if (u32[header] !== MAGIC) return null;
  return {
    type: u32[header + TYPE],
    stride: u32[header + STRIDE],
    context: u32[header + CONTEXT],
    epoch: u32[header + EPOCH],
    generation: u32[header + GENERATION],
    serial: u32[header + SERIAL],
    threadId: u32[header + THREAD] - 1,
  };
}

/** Erases the header: the vector ceases to exist. */
export const clear = (u32: Uint32Array, header: WordIndex): void => {
  u32[header] = 0;
  u32[header + SERIAL] = 0;
  // A thread that reads length and capacity first finds no element and no room.
  u32[header + LENGTH] = 0;
  u32[header + CAPACITY] = 0;
};

export const dataWord = (header: WordIndex): WordIndex => (header + DATA) as WordIndex;
export const versionWord = (header: WordIndex): WordIndex => (header + VERSION) as WordIndex;
export const lockWord = (header: WordIndex): WordIndex => (header + LOCK) as WordIndex;
export const serialWord = (header: WordIndex): WordIndex => (header + SERIAL) as WordIndex;

// ---- Vectors of one thread

export const getData = (u32: Uint32Array, header: WordIndex): Address =>
  u32[header + DATA] as Address;
export const setData = (u32: Uint32Array, header: WordIndex, data: Address): void => {
  u32[header + DATA] = data;
};
export const getLength = (u32: Uint32Array, header: WordIndex): number => u32[header + LENGTH];
export const setLength = (u32: Uint32Array, header: WordIndex, length: number): void => {
  u32[header + LENGTH] = length;
};
export const getCapacity = (u32: Uint32Array, header: WordIndex): number => u32[header + CAPACITY];
export const setCapacity = (u32: Uint32Array, header: WordIndex, count: number): void => {
  u32[header + CAPACITY] = count;
};

// ---- Shared vectors

export const loadStorage = (i32: Int32Array, dataWord: WordIndex): Address =>
  (atomics.load(i32, dataWord) >>> 0) as Address;
export const loadVersion = (i32: Int32Array, versionWord: WordIndex): number =>
  atomics.load(i32, versionWord);
/** Adds to a version; later writes are visible after it. */
export const addVersion = (i32: Int32Array, versionWord: WordIndex, step: number): void => {
  atomics.add(i32, versionWord, step);
  orderWrites();
};

/**
 * Changes the version to another even number: readers read again, and see no move under way, also
 * if a dead thread left the version odd. Only by the owner of the lock.
 */
export const closeVersion = (i32: Int32Array, versionWord: WordIndex): void => {
  addVersion(i32, versionWord, 2 - (loadVersion(i32, versionWord) & 1));
};

// ---- Shared vectors: the head of their storage

const REDO = 1;
const STORED_CAPACITY = REDO + 1;
/** Bytes from the storage's start to its elements, or to its scratch element if it has one. */
export const STORAGE_HEAD_BYTES = GRANULE_BYTES;

export const loadStoredLength = (i32: Int32Array, storage: Address): number =>
  atomics.load(i32, storage >>> 2) >>> 0;
export const storeStoredLength = (i32: Int32Array, storage: Address, length: number): void => {
  atomics.store(i32, storage >>> 2, length);
};
export const getRedo = (i32: Int32Array, storage: Address): number =>
  i32[(storage >>> 2) + REDO] >>> 0;
export const storeRedo = (i32: Int32Array, storage: Address, redo: number): void => {
  atomics.store(i32, (storage >>> 2) + REDO, redo);
};
export const getStoredCapacity = (u32: Uint32Array, storage: Address): number =>
  u32[(storage >>> 2) + STORED_CAPACITY];
/** Writes the head of a new storage. */
export function writeStorageHead(
  u32: Uint32Array,
  storage: Address,
  length: number,
  capacity: number,
): void {
  const head = storage >>> 2;
  u32[head] = length;
  u32[head + REDO] = 0;
  u32[head + STORED_CAPACITY] = capacity;
}
