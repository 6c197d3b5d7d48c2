/**
 * Chunk records: 32 bytes for each chunk of a context, in a table apart from the chunks.
 *
 *     word   field     meaning
 *     0      context   SOURCE atomic: index of the context that the chunk belongs to; 0 = free
 *                      record
 *     1      address   SOURCE the chunk, an OWNED block; 0 = none yet, or none any more.
 *                      Placement's word
 *     2      bytes     usable bytes
 *     3      next      index of the context's chunk before this one; 0 = the first
 *     4      prev      index of the one after this one; 0 = the last
 *     5..7             unused
 *
 * I1  Every OWNED block is named by one chunk record, or by a vector's header, and by nothing else.
 */

import type { Address, WordIndex } from '../base/index.js';
import type { Geometry } from './geometry.js';
import type { RecordTable } from './record-table.js';

const ADDRESS = 1;
const BYTES = ADDRESS + 1;
const NEXT = BYTES + 1;
const PREV = NEXT + 1;
export const WORDS = 8;

/** The table of a heap's chunks. */
export const chunkTable = ({ chunks, chunkCount }: Geometry): RecordTable => ({
  start: chunks,
  recordWords: WORDS,
  count: chunkCount,
});

/** The word of the record that names the chunk: a placement's word. */
export const addressWord = (record: WordIndex): WordIndex => (record + ADDRESS) as WordIndex;
export const getAddress = (u32: Uint32Array, record: WordIndex): Address =>
  u32[record + ADDRESS] as Address;
export const getBytes = (u32: Uint32Array, record: WordIndex): number => u32[record + BYTES];
export const setBytes = (u32: Uint32Array, record: WordIndex, bytes: number): void => {
  u32[record + BYTES] = bytes;
};
export const getNext = (u32: Uint32Array, record: WordIndex): number => u32[record + NEXT];
export const setNext = (u32: Uint32Array, record: WordIndex, next: number): void => {
  u32[record + NEXT] = next;
};
export const getPrev = (u32: Uint32Array, record: WordIndex): number => u32[record + PREV];
export const setPrev = (u32: Uint32Array, record: WordIndex, prev: number): void => {
  u32[record + PREV] = prev;
};
