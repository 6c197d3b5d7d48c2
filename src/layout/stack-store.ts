/**
 * The stack store: call stacks as text, each different one once, readable by any thread. Only heaps
 * with the option `stacks` have it. The store only grows; when it is full, new stacks are not
 * recorded.
 *
 * Written by any thread, without a lock: a thread reserves words by an atomic add, writes the text
 * into them, and then enters their place in the table, where all threads find it. A thread that
 * dies before that leaves a hole in the store, and does no other harm.
 *
 *     word     field     access   meaning
 *     0        next      atomic   first word that is not reserved, counted from the store's start
 *     1..15    -
 *     16..     table     atomic   hash table: the place of a text; 0 = empty
 *     ..       texts              each: word 0 bytes, word 1 hash, then UTF-8, in whole words
 *
 * I1  A text is complete before its place is in the table, and never changes after that.
 */

import { LINE_WORDS, roundUp, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import type { HeapMemory } from './memory.js';
import { orderWrites } from './memory-order.js';

const NEXT = 0;
const TABLE = LINE_WORDS;
/**
 * Bytes of the store per table entry. A text takes some hundred bytes, so the table stays sparse.
 */
const BYTES_PER_ENTRY = 64;

const LENGTH = 0;
const HASH = LENGTH + 1;
const BYTES = HASH + 1;

/** Number of table entries of a store of this length: a power of two. */
const tableEntries = (storeBytes: number): number =>
  2 ** Math.floor(Math.log2(storeBytes / BYTES_PER_ENTRY));

/** The store of a heap. */
export interface Store {
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  /** Its first word. */
  readonly start: WordIndex;
  readonly bytes: number;
}

export const storeOf = ({ i32, u8, geometry }: HeapMemory): Store => ({
  i32,
  u8,
  start: geometry.stackStore,
  bytes: geometry.stackStoreBytes,
});

/** Initialises an empty store; words that must be zero are zero already. */
export const init = ({ i32, start, bytes }: Store): void => {
  i32[start + NEXT] = TABLE + tableEntries(bytes);
};

/** The number of a stack; equal texts have the same number. 0 = no room. */
export function intern(store: Store, text: Uint8Array): number {
  const { i32, start } = store;
  const entries = tableEntries(store.bytes);
  const hash = hashOf(text);
  let own = 0;
  for (let probe = 0; probe < entries; probe++) {
    const place = start + TABLE + ((hash + probe) & (entries - 1));
    let found = atomics.load(i32, place);
    if (found === 0) {
      own ||= writeText(store, text, hash);
      if (own === 0) break;
      // On failure another thread took this place just now, perhaps with the same text.
      found = atomics.compareExchange(i32, place, 0, own);
      if (found === 0) {
        // The caller stores the number plainly: no thread may see the number before the text.
        orderWrites();
        return own;
      }
    }
    if (isText(store, found, text, hash)) return found;
  }
  return 0;
}

/** The text of a stack; empty for 0. */
export function read({ i32, u8, start }: Store, stack: number): string {
  if (stack === 0) return '';
  const text = (start + stack + BYTES) * WORD_BYTES;
  // Copied, since browsers refuse to decode shared memory.
  return new TextDecoder().decode(u8.slice(text, text + i32[start + stack + LENGTH]));
}

/** Writes a text where no thread looks yet; returns 0 if it does not fit. */
function writeText({ i32, u8, start, bytes }: Store, text: Uint8Array, hash: number): number {
  const words = BYTES + roundUp(text.length, WORD_BYTES) / WORD_BYTES;
  const end = bytes / WORD_BYTES;
  // Checked before the add: a full store must not add until the word wraps around.
  if (atomics.load(i32, start + NEXT) + words > end) return 0;
  const at = atomics.add(i32, start + NEXT, words);
  if (at + words > end) return 0;
  u8.set(text, (start + at + BYTES) * WORD_BYTES);
  i32[start + at + LENGTH] = text.length;
  i32[start + at + HASH] = hash;
  return at;
}

/** Is the text at word `place` of the store this one? */
function isText({ i32, u8, start }: Store, place: number, text: Uint8Array, hash: number): boolean {
  const at = start + place;
  if (i32[at + HASH] !== hash || i32[at + LENGTH] !== text.length) return false;
  const first = (at + BYTES) * WORD_BYTES;
  return text.every((byte, n) => u8[first + n] === byte);
}

/** FNV-1a (Fowler, Noll, Vo), 32 bits. */
function hashOf(text: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (const byte of text) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
