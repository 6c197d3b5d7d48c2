/**
 * The heap's header: who it is, how it is laid out, and the words that concern all threads.
 *
 * Written once by creation (the first line), then by sync/ (the second line).
 *
 *     word   field         access   meaning
 *     0,1    magic         plain    'shma' 'lloc'; written last by creation
 *     2      version       plain    of the layout: a heap of another version is refused
 *     3      flags         plain    bit 0: the reserve reads as zero until it is touched
 *     4      base          plain    byte offset of the heap in its buffer
 *     5      bytes         plain    length of the heap
 *     6      threads       plain    thread slots
 *     7,8    id            plain    random: the same heap is known again by it
 *     16     solo          atomic   thread word of a thread in an unsafe call's slow path, or 0
 *     17     attachments   atomic   counts attaches: names threads where there is no /proc
 */

import { LINE_WORDS, WORD_BYTES, type WordIndex } from '../base/index.js';

/** Counts up with every change of the memory layout. */
export const LAYOUT_VERSION = 1;

const MAGIC_LOW = 0x616d6873;
const MAGIC_HIGH = 0x636f6c6c;

const MAGIC = 0;
const VERSION = MAGIC + 2;
const FLAGS = VERSION + 1;
const BASE = FLAGS + 1;
const BYTES = BASE + 1;
const THREADS = BYTES + 1;
const ID = THREADS + 1;
const SOLO = LINE_WORDS;
const ATTACHMENTS = SOLO + 1;

export const HEADER_BYTES = 2 * LINE_WORDS * WORD_BYTES;

if (ID + 2 > LINE_WORDS) throw new Error('header: the first line is too long');

const RESERVE_IS_ZERO = 1;

/** What creation decides about a heap, for good. */
export interface HeaderFields {
  readonly version: number;
  readonly base: number;
  readonly bytes: number;
  readonly threads: number;
  readonly id: string;
  /** Pages never touched read as zero: so for a buffer that the heap made for itself. */
  readonly reserveIsZero: boolean;
}

/** Writes the header; the magic last, so that a half-made heap is no heap. */
export function writeHeader(u32: Uint32Array, h: WordIndex, fields: HeaderFields): void {
  u32[h + VERSION] = fields.version;
  u32[h + FLAGS] = fields.reserveIsZero ? RESERVE_IS_ZERO : 0;
  u32[h + BASE] = fields.base;
  u32[h + BYTES] = fields.bytes;
  u32[h + THREADS] = fields.threads;
  u32[h + ID] = Number.parseInt(fields.id.slice(0, 8), 16);
  u32[h + ID + 1] = Number.parseInt(fields.id.slice(8), 16);
  u32[h + MAGIC + 1] = MAGIC_HIGH;
  u32[h + MAGIC] = MAGIC_LOW;
}

/** Reads the header, or null where there is none. */
export function readHeader(u32: Uint32Array, h: WordIndex): HeaderFields | null {
  if (u32[h + MAGIC] !== MAGIC_LOW || u32[h + MAGIC + 1] !== MAGIC_HIGH) return null;
  const half = (word: number) => word.toString(16).padStart(8, '0');
  return {
    version: u32[h + VERSION],
    base: u32[h + BASE],
    bytes: u32[h + BYTES],
    threads: u32[h + THREADS],
    id: half(u32[h + ID]) + half(u32[h + ID + 1]),
    reserveIsZero: (u32[h + FLAGS] & RESERVE_IS_ZERO) !== 0,
  };
}

/** The word that attaching threads wait on. */
export const soloWordIndex = (h: WordIndex): number => h + SOLO;
export const loadSolo = (i32: Int32Array, h: WordIndex): number => Atomics.load(i32, h + SOLO);
export const casSolo = (i32: Int32Array, h: WordIndex, from: number, to: number): number =>
  Atomics.compareExchange(i32, h + SOLO, from, to);
export const storeSolo = (i32: Int32Array, h: WordIndex, threadWord: number): number =>
  Atomics.store(i32, h + SOLO, threadWord);
export const addAttachment = (i32: Int32Array, h: WordIndex): number =>
  Atomics.add(i32, h + ATTACHMENTS, 1) + 1;
