/**
 * Chunk records: 32 bytes for each chunk of memory that a context has. Out of line, as the contexts.
 *
 *     word   field     meaning
 *     0      context   SOURCE atomic: index of the context that has the chunk; 0 = free record. Bit 30: the
 *                      context has ended, and who has the record's lock gives the chunk back
 *     1      address   SOURCE the chunk, an OWNED block; 0 = none yet, or no more. Placement's word
 *     2      bytes     usable
 *     3      next      index of the context's chunk (or vector's storage) before it; 0 = the first
 *     4      prev      index of the one after it; 0 = the last. Of a storage, its vector's header: an address
 *     5      lock      atomic: of a storage, that of its vector (sync/)
 *     6      version   atomic: of a storage, that of its vector
 *     7      serial    of a storage, that of its vector; 0 = it has ended
 *
 * The storage of a shared vector has a record as chunks have, and in it the words that threads change
 * together: the vector's header goes with its context, and they may be in the middle of it.
 *
 * I1  Every OWNED block is named by one chunk record, or by a vector's header, and by nothing else.
 */

import type { Address, WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import type { Geometry } from './geometry.js';
import type { RecordTable } from './record-table.js';

const ADDRESS = 1;
const BYTES = ADDRESS + 1;
const NEXT = BYTES + 1;
const PREV = NEXT + 1;
const LOCK = PREV + 1;
const VERSION = LOCK + 1;
const SERIAL = VERSION + 1;
export const CHUNK_RECORD_WORDS = 8;

/** The table of a heap's chunks. */
export const chunkTable = ({ chunks, chunkCount }: Geometry): RecordTable => ({
  start: chunks,
  recordWords: CHUNK_RECORD_WORDS,
  count: chunkCount,
});

/** The word that the chunk is placed into. */
export const chunkWord = (record: WordIndex): WordIndex => (record + ADDRESS) as WordIndex;
export const getChunkAddress = (u32: Uint32Array, record: WordIndex): Address =>
  u32[record + ADDRESS] as Address;
export const getChunkBytes = (u32: Uint32Array, record: WordIndex): number => u32[record + BYTES];
export const setChunkBytes = (u32: Uint32Array, record: WordIndex, bytes: number): void => {
  u32[record + BYTES] = bytes;
};
export const getNextChunk = (u32: Uint32Array, record: WordIndex): number => u32[record + NEXT];
export const setNextChunk = (u32: Uint32Array, record: WordIndex, next: number): void => {
  u32[record + NEXT] = next;
};
export const getPrevChunk = (u32: Uint32Array, record: WordIndex): number => u32[record + PREV];
export const setPrevChunk = (u32: Uint32Array, record: WordIndex, prev: number): void => {
  u32[record + PREV] = prev;
};

// ---- of the storage of a shared vector

export const storageLockWord = (record: WordIndex): WordIndex => (record + LOCK) as WordIndex;
export const storageVersionWord = (record: WordIndex): WordIndex => (record + VERSION) as WordIndex;
export const storageSerialWord = (record: WordIndex): WordIndex => (record + SERIAL) as WordIndex;
/** The header of the vector whose storage this is, or was. */
export const getStorageHeader = (u32: Uint32Array, record: WordIndex): Address =>
  u32[record + PREV] as Address;
export const setStorageHeader = (u32: Uint32Array, record: WordIndex, header: Address): void => {
  u32[record + PREV] = header;
};

/** Added to a record's context: more than any heap has. */
const ENDED = 1 << 30;
const ENDED_MAX = ENDED + (1 << 24);

export const isEndedChunk = (context: number): boolean => context > ENDED && context < ENDED_MAX;
/** What a record of a context says when it is marked. */
export const endedChunk = (context: number): number => context | ENDED;
/** From now on whoever has the record's lock gives it back, or the next one to have it. */
export const markChunkEnded = (i32: Int32Array, record: WordIndex): void => {
  atomics.or(i32, record, ENDED);
};
/** Is it so? */
export const isMarkedEnded = (i32: Int32Array, record: WordIndex): boolean =>
  isEndedChunk(atomics.load(i32, record));
/** Bit 31 of a storage's lock: somebody waits. */
const WAITING = 0x80000000 | 0;

/** Failure: somebody has the lock, or `owner` has it already. */
export const tryStorageLock = (i32: Int32Array, record: WordIndex, owner: number): boolean => {
  for (;;) {
    const before = atomics.compareExchange(i32, record + LOCK, 0, owner);
    if (before === 0 || (before & ~WAITING) === owner) return true;
    // Handed over to whoever waits: nobody has it.
    if (before !== WAITING) return false;
    if (atomics.compareExchange(i32, record + LOCK, WAITING, WAITING | owner) === WAITING)
      return true;
  }
};
/** Who has the lock, with bit 31 where somebody waits; 0 = nobody. */
export const loadStorageLock = (i32: Int32Array, record: WordIndex): number =>
  atomics.load(i32, record + LOCK);
/** Failure: another thread has it now. */
export const casStorageLock = (
  i32: Int32Array,
  record: WordIndex,
  from: number,
  to: number,
): boolean => atomics.compareExchange(i32, record + LOCK, from, to) === from;
export const releaseStorageLock = (i32: Int32Array, record: WordIndex): void => {
  if (atomics.exchange(i32, record + LOCK, 0) < 0) atomics.notify(i32, record + LOCK, 1);
};
