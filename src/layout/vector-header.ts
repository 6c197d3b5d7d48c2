/**
 * Vector headers: 64 bytes in an owned block of the heap, or in the memory of a context.
 *
 * Written by the vector's owner; of a shared one by who has its lock, or by nobody. Read by any
 * thread that reads its elements.
 *
 *     word   field       access   meaning
 *     0      magic       plain    this is a vector's header
 *     1      type        plain    bits 0-7 what its elements are; bit 8 shared, bit 9 in a context
 *     2      stride      plain    bytes of an element
 *     3      data        plain    TRUTH the elements, an address; 0 = no room yet. Placement's word
 *     4      length      atomic   TRUTH elements; those below it are published
 *     5      version     atomic   counts what moves elements; odd: they are just being moved
 *     6      lock        atomic   of a shared one (sync/): 0, or the owner's thread word
 *     7      chunk       plain    index of the chunk record that has the storage in the place of
 *                                 `data`; 0 = data has it. Of a shared one in a context
 *     8      context     plain    index of the context that it lives in; 0 = in the heap
 *     9      epoch       plain    of that context, when it was made
 *     10     generation  plain    of that context's record
 *     11     serial      plain    tells it from one that was here before
 *
 * I1  A header that is being made or deleted stands in its slot's nursery (layout/slot.ts).
 */

import { WORD_BYTES, type WordIndex } from '../base/index.js';

export const VECTOR_MAGIC = 0x76656374;

const DATA = 3;
const LENGTH = 4;
const VERSION = 5;
const LOCK = 6;

export const VECTOR_HEADER_WORDS = 16;
export const VECTOR_HEADER_BYTES = VECTOR_HEADER_WORDS * WORD_BYTES;

/** What a vector is, from its beginning to its end. */
export interface VectorFields {
  readonly type: number;
  readonly stride: number;
  readonly chunk: number;
  readonly context: number;
  readonly epoch: number;
  readonly generation: number;
  readonly serial: number;
}

export const SHARED_VECTOR = 1 << 8;
export const CONTEXT_VECTOR = 1 << 9;

/** Writes a header with no elements; the magic last. */
export function writeVectorHeader(u32: Uint32Array, header: WordIndex, fields: VectorFields): void {
  u32.fill(0, header, header + VECTOR_HEADER_WORDS);
  u32[header + 1] = fields.type;
  u32[header + 2] = fields.stride;
  u32[header + 7] = fields.chunk;
  u32[header + 8] = fields.context;
  u32[header + 9] = fields.epoch;
  u32[header + 10] = fields.generation;
  u32[header + 11] = fields.serial;
  u32[header] = VECTOR_MAGIC;
}

/** What a header says that stays; null where there is none. */
export function readVectorHeader(u32: Uint32Array, header: WordIndex): VectorFields | null {
  if (u32[header] !== VECTOR_MAGIC) return null;
  return {
    type: u32[header + 1],
    stride: u32[header + 2],
    chunk: u32[header + 7],
    context: u32[header + 8],
    epoch: u32[header + 9],
    generation: u32[header + 10],
    serial: u32[header + 11],
  };
}

/** From now on this is no vector. */
export const clearVectorMagic = (u32: Uint32Array, header: WordIndex): void => {
  u32[header] = 0;
};

export const vectorDataWord = (header: WordIndex): WordIndex => (header + DATA) as WordIndex;
export const vectorLockWord = (header: WordIndex): WordIndex => (header + LOCK) as WordIndex;
export const loadLength = (i32: Int32Array, header: WordIndex): number =>
  Atomics.load(i32, header + LENGTH) >>> 0;
export const storeLength = (i32: Int32Array, header: WordIndex, length: number): void => {
  Atomics.store(i32, header + LENGTH, length);
};
export const loadVersion = (i32: Int32Array, header: WordIndex): number =>
  Atomics.load(i32, header + VERSION);
export const storeVersion = (i32: Int32Array, header: WordIndex, version: number): void => {
  Atomics.store(i32, header + VERSION, version);
};
