/**
 * The format of trace files (`.mtr.gz`): every allocation call that a program made, in order.
 *
 *     gzip of   16 bytes   'MTR1', operation count, block id count, thread count (32-bit
 *                          little-endian)
 *               8 bytes    per operation, two 32-bit little-endian words:
 *                          bits 0..2 kind, 3..7 thread modulo 32, 8..31 block id;  size in bytes
 *
 * A block id stands for a live block: malloc and calloc fill an empty id, realloc replaces its
 * content or fills an empty one; free empties it, and has size 0.
 *
 * The gzip file may have several members: the writer makes one for the header, and one for each
 * piece of the operations.
 */

import * as TraceBuffer from '../layout/trace-buffer.js';

// Kinds of operations.
export const MALLOC = TraceBuffer.MALLOC;
export const FREE = TraceBuffer.FREE;
export const CALLOC = TraceBuffer.CALLOC;
export const REALLOC = TraceBuffer.REALLOC;

export const MAGIC = 'MTR1';
export const HEADER_BYTES = 16;
export const OPERATION_BYTES = 8;

/** Maximum number of block ids: they have 24 bits. */
export const BLOCK_IDS_MAX = 1 << 24;
/** Maximum number of operations: their count has 32 bits. */
export const OPERATIONS_MAX = 2 ** 32 - 1;

const THREAD_SHIFT = 3;
const THREAD_MASK = 31;
const BLOCK_ID_SHIFT = 8;
const KIND_MASK = 7;

/** An operation's first word. */
export const operationWord = (kind: number, thread: number, id: number): number =>
  (kind | ((thread & THREAD_MASK) << THREAD_SHIFT) | (id << BLOCK_ID_SHIFT)) >>> 0;

export const kindOf = (word: number): number => word & KIND_MASK;
/** The thread of an operation, modulo 32. */
export const threadOf = (word: number): number => (word >>> THREAD_SHIFT) & THREAD_MASK;
export const blockIdOf = (word: number): number => word >>> BLOCK_ID_SHIFT;
