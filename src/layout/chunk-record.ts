/**
 * Chunk records: 32 bytes for each chunk of a context, in a table apart from the chunks.
 *
 *     word   field     meaning
 *     0      context   SOURCE atomic: index of the context that the chunk belongs to; 0 = free
 *                      record. Bit 30: the context has ended, and the owner of the record's lock
 *                      releases the chunk
 *     1      address   SOURCE the chunk, an OWNED block; 0 = none yet, or none any more.
 *                      Placement's word
 *     2      bytes     usable bytes
 *     3      next      index of the context's chunk (or vector's storage) before this one; 0 = the
 *                      first
 *     4      prev      index of the one after this one; 0 = the last. Of a storage: address of its
 *                      vector's header
 *     5      lock      atomic: of a storage, the lock of its vector (sync/)
 *     6      version   atomic: of a storage, the version of its vector
 *     7      serial    of a storage, the serial of its vector; 0 = the vector has ended
 *
 * The storage of a shared vector has a record like a chunk. The record also holds the words that
 * threads change together, since the vector's header ends with its context while threads may still
 * use them.
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

/** The word of the record that names the chunk: a placement's word. */
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

// ---- Storage of a shared vector

export const storageLockWord = (record: WordIndex): WordIndex => (record + LOCK) as WordIndex;
export const storageVersionWord = (record: WordIndex): WordIndex => (record + VERSION) as WordIndex;
export const storageSerialWord = (record: WordIndex): WordIndex => (record + SERIAL) as WordIndex;
/** The header of the vector that this storage belongs to, or belonged to. */
export const getStorageHeader = (u32: Uint32Array, record: WordIndex): Address =>
  u32[record + PREV] as Address;
export const setStorageHeader = (u32: Uint32Array, record: WordIndex, header: Address): void => {
  u32[record + PREV] = header;
};

/** Bit of the context word that marks an ended context: above every context index. */
const ENDED = 1 << 30;
const ENDED_MAX = ENDED + (1 << 24);

export const isEndedChunk = (context: number): boolean => context > ENDED && context < ENDED_MAX;
/** The context word of a record, marked as ended. */
export const endedChunk = (context: number): number => context | ENDED;
/** Marks the record: the owner of its lock, now or next, releases the chunk. */
export const markChunkEnded = (i32: Int32Array, record: WordIndex): void => {
  atomics.or(i32, record, ENDED);
};
/** True if the record is marked as ended. */
export const isMarkedEnded = (i32: Int32Array, record: WordIndex): boolean =>
  isEndedChunk(atomics.load(i32, record));
/** Bit 31 of a storage's lock: threads wait for it. */
const WAITING = 0x80000000 | 0;

/** False if another thread owns the lock; true also if `owner` owned it before. */
export const tryStorageLock = (i32: Int32Array, record: WordIndex, owner: number): boolean => {
  for (;;) {
    const before = atomics.compareExchange(i32, record + LOCK, 0, owner);
    if (before === 0 || (before & ~WAITING) === owner) return true;
    // The lock was handed over to the waiting threads: it has no owner now.
    if (before !== WAITING) return false;
    if (atomics.compareExchange(i32, record + LOCK, WAITING, WAITING | owner) === WAITING)
      return true;
  }
};
/** The lock's owner, with bit 31 set while threads wait; 0 = free. */
export const loadStorageLock = (i32: Int32Array, record: WordIndex): number =>
  atomics.load(i32, record + LOCK);
/** False if the lock was not `from` any more: another thread owns it now. */
export const casStorageLock = (
  i32: Int32Array,
  record: WordIndex,
  from: number,
  to: number,
): boolean => atomics.compareExchange(i32, record + LOCK, from, to) === from;
export const releaseStorageLock = (i32: Int32Array, record: WordIndex): void => {
  if (atomics.exchange(i32, record + LOCK, 0) < 0) atomics.notify(i32, record + LOCK, 1);
};
