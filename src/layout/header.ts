/**
 * The heap's header: its identity, its layout, and the words that concern all threads.
 *
 * The first line is written once by creation, the second by sync/, the third by recovery, the rest
 * by the thread that finds a broken invariant.
 *
 *     word   field         access   meaning
 *     0,1    magic         both     'shma' 'lloc'; creation writes the first half last, atomically
 *     2      version       plain    version of the layout: a heap of another version is refused
 *     3      flags         plain    bit 0: pages that no thread has touched read as zero
 *     4      base          plain    byte offset of the heap in its buffer
 *     5      bytes         plain    length of the heap
 *     6      threads       plain    number of thread slots
 *     7,8    id            plain    random number that identifies the heap
 *     9      lockTimeout   plain    milliseconds that a main thread waits for an owner unknown to
 *                                   /proc
 *     10     contexts      plain    maximum number of memory contexts
 *     11     owned         plain    1 = the heap has had an owned block; a hint, written by
 *                                   placement
 *     16     poison        atomic   0 = sound; 1 = being poisoned; 2 = poisoned, the text says why
 *     32..39 recovered     plain    Float64: slots, blocks, runs, contexts; written under the
 *                                   recovery lock
 *     40     nextLook      plain    time of the next search for dead threads in a full heap
 *                                   (pages/looks.ts); 0 = now
 *     48     textLength    plain    bytes of the text that follows: the invariant that is broken
 *     49..   text          plain    UTF-8; written before poison becomes 2
 *
 * I1  A poisoned heap stays poisoned.
 */

import { LINE_WORDS, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import type { DebugSettings } from './debug-record.js';
import * as DebugRecord from './debug-record.js';

/** Version of the memory layout; each change of the layout adds 1. */
export const LAYOUT_VERSION = 10;

const MAGIC_LOW = 0x616d6873;
const MAGIC_HIGH = 0x636f6c6c;

const MAGIC = 0;
const VERSION = MAGIC + 2;
const FLAGS = VERSION + 1;
const BASE = FLAGS + 1;
const BYTES = BASE + 1;
const THREADS = BYTES + 1;
const ID = THREADS + 1;
const LOCK_TIMEOUT = ID + 2;
const CONTEXTS = LOCK_TIMEOUT + 1;
const OWNED = CONTEXTS + 1;
const POISON = LINE_WORDS;
const RECOVERED = 2 * LINE_WORDS;
export const NEXT_LOOK = RECOVERED + 8;
const TEXT_LENGTH = 3 * LINE_WORDS;
const TEXT = TEXT_LENGTH + 1;
const TEXT_BYTES_MAX = 8 * LINE_WORDS * WORD_BYTES - WORD_BYTES;

export const RECORD_BYTES = (3 + 8) * LINE_WORDS * WORD_BYTES;

if (OWNED >= LINE_WORDS) throw new Error('header: the first line is too long');

const RESERVE_IS_ZERO = 1;

/** The facts about a heap that creation fixes. */
export interface HeaderFields {
  readonly version: number;
  readonly base: number;
  readonly bytes: number;
  readonly threads: number;
  /** Maximum number of memory contexts. */
  readonly contexts: number;
  readonly id: string;
  /** True if untouched pages read as zero, as in a buffer that creation allocated itself. */
  readonly reserveIsZero: boolean;
  /** Milliseconds that a main thread waits for a lock whose owner cannot be found in /proc. */
  readonly lockTimeoutMs: number;
  /** Read from the debug record, which follows the header. */
  readonly debug: DebugSettings;
}

/** The debug record of a heap, by its header. */
export const debugRecord = (h: WordIndex): WordIndex =>
  (h + RECORD_BYTES / WORD_BYTES) as WordIndex;

/** Writes the header, the magic last: a header without it is not a heap. */
export function write(u32: Uint32Array, h: WordIndex, fields: Omit<HeaderFields, 'debug'>): void {
  u32[h + VERSION] = fields.version;
  u32[h + FLAGS] = fields.reserveIsZero ? RESERVE_IS_ZERO : 0;
  u32[h + BASE] = fields.base;
  u32[h + BYTES] = fields.bytes;
  u32[h + THREADS] = fields.threads;
  u32[h + ID] = Number.parseInt(fields.id.slice(0, 8), 16);
  u32[h + ID + 1] = Number.parseInt(fields.id.slice(8), 16);
  u32[h + LOCK_TIMEOUT] = fields.lockTimeoutMs;
  u32[h + CONTEXTS] = fields.contexts;
  u32[h + MAGIC + 1] = MAGIC_HIGH;
  atomics.store(u32, h + MAGIC, MAGIC_LOW);
}

/** Erases the magic: the heap ceases to exist. */
export function erase(u32: Uint32Array, h: WordIndex): void {
  u32[h + MAGIC] = 0;
  u32[h + MAGIC + 1] = 0;
}

/** Reads the header; null if there is none. */
export function read(u32: Uint32Array, h: WordIndex): HeaderFields | null {
  if (atomics.load(u32, h + MAGIC) !== MAGIC_LOW || u32[h + MAGIC + 1] !== MAGIC_HIGH) return null;
  const half = (word: number) => word.toString(16).padStart(8, '0');
  return {
    version: u32[h + VERSION],
    base: u32[h + BASE],
    bytes: u32[h + BYTES],
    threads: u32[h + THREADS],
    contexts: u32[h + CONTEXTS],
    id: half(u32[h + ID]) + half(u32[h + ID + 1]),
    reserveIsZero: (u32[h + FLAGS] & RESERVE_IS_ZERO) !== 0,
    lockTimeoutMs: u32[h + LOCK_TIMEOUT],
    // In another version of the layout the debug record may have another place and shape.
    debug:
      u32[h + VERSION] === LAYOUT_VERSION
        ? DebugRecord.read(u32, debugRecord(h))
        : DebugRecord.NONE,
  };
}

/** True if the heap has had an owned block. If not, no thread needs to look for owned blocks. */
export const hadOwned = (u32: Uint32Array, h: WordIndex): boolean => u32[h + OWNED] !== 0;
export const noteOwned = (u32: Uint32Array, h: WordIndex): void => {
  if (u32[h + OWNED] === 0) u32[h + OWNED] = 1;
};

// ---- Poison

/** States of the poison word. */
export const SOUND = 0;
export const BEING_POISONED = 1;
export const POISONED = 2;

/** A plain load, late by a moment at most: for slow paths, which check every time they run. */
export const peekPoison = (i32: Int32Array, h: WordIndex): number => i32[h + POISON];
/** An atomic load: before reading the text, or after writing what a poisoner must see. */
export const loadPoison = (i32: Int32Array, h: WordIndex): number => atomics.load(i32, h + POISON);
/** The word that threads wait on until the poison text is written. */
export const poisonWordIndex = (h: WordIndex): number => h + POISON;
export const casPoison = (i32: Int32Array, h: WordIndex, from: number, to: number): number =>
  atomics.compareExchange(i32, h + POISON, from, to);

/**
 * Writes why the heap is poisoned, cut to the room for it. Only by the thread that set
 * BEING_POISONED.
 */
export function writePoisonText(
  u8: Uint8Array,
  u32: Uint32Array,
  h: WordIndex,
  text: string,
): void {
  // Encoded outside of shared memory, which browsers refuse; encodeInto never writes half a
  // character.
  const bytes = new Uint8Array(TEXT_BYTES_MAX);
  const { written } = new TextEncoder().encodeInto(text, bytes);
  const start = (h + TEXT) * WORD_BYTES;
  for (let n = 0; n < written; n++) u8[start + n] = bytes[n];
  u32[h + TEXT_LENGTH] = written;
}

/**
 * The reason why the heap is poisoned. Copied first, since browsers refuse to decode shared memory.
 */
export function readPoisonText(u8: Uint8Array, u32: Uint32Array, h: WordIndex): string {
  const start = (h + TEXT) * WORD_BYTES;
  const bytes = new Uint8Array(Math.min(u32[h + TEXT_LENGTH], TEXT_BYTES_MAX));
  for (let n = 0; n < bytes.length; n++) bytes[n] = u8[start + n];
  return new TextDecoder().decode(bytes);
}

// ---- Recovery totals

/** Indexes of the totals of all recoveries since creation. */
export const RECOVERED_SLOTS = 0;
export const RECOVERED_BLOCKS = 1;
export const RECOVERED_RUNS = 2;
export const RECOVERED_CONTEXTS = 3;

export const getRecovered = (f64: Float64Array, h: WordIndex, which: number): number =>
  f64[((h + RECOVERED) >>> 1) + which];
export const addRecovered = (
  f64: Float64Array,
  h: WordIndex,
  which: number,
  amount: number,
): void => {
  f64[((h + RECOVERED) >>> 1) + which] += amount;
};

// ---- Time of the next search for dead threads

export const getNextLook = (u32: Uint32Array, h: WordIndex): number => u32[h + NEXT_LOOK];
export const setNextLook = (u32: Uint32Array, h: WordIndex, time: number): void => {
  u32[h + NEXT_LOOK] = time;
};
