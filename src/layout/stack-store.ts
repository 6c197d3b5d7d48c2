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
 *     1        refused   atomic   number of stacks that found no room
 *     2..15    -
 *     16..     table     atomic   hash table: the place of a text; 0 = empty
 *     ..       texts              each: word 0 bytes, word 1 hash, then UTF-8, in whole words
 *
 * I1  A text is complete before its place is in the table, and never changes after that.
 */

import { LINE_WORDS, roundUp, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import { orderWrites } from './memory-order.js';

const NEXT = 0;
const REFUSED = NEXT + 1;
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

/** Initialises an empty store; words that must be zero are zero already. */
export const init = (i32: Int32Array, s: WordIndex, storeBytes: number): void => {
  i32[s + NEXT] = TABLE + tableEntries(storeBytes);
};

/** Number of stacks that found no room. */
export const loadRefused = (i32: Int32Array, s: WordIndex): number =>
  atomics.load(i32, s + REFUSED);

/** The number of a stack; equal texts have the same number. 0 = no room. */
export function intern(
  i32: Int32Array,
  u8: Uint8Array,
  s: WordIndex,
  storeBytes: number,
  text: Uint8Array,
): number {
  const entries = tableEntries(storeBytes);
  const hash = hashOf(text);
  let own = 0;
  for (let probe = 0; probe < entries; probe++) {
    const place = s + TABLE + ((hash + probe) & (entries - 1));
    let found = atomics.load(i32, place);
    if (found === 0) {
      own ||= writeText(i32, u8, s, storeBytes, text, hash);
      if (own === 0) break;
      // On failure another thread took this place just now, perhaps with the same text.
      found = atomics.compareExchange(i32, place, 0, own);
      if (found === 0) {
        // The caller stores the number plainly: no thread may see the number before the text.
        orderWrites();
        return own;
      }
    }
    if (isText(i32, u8, s + found, text, hash)) return found;
  }
  atomics.add(i32, s + REFUSED, 1);
  return 0;
}

/** The text of a stack; empty for 0. */
export function read(i32: Int32Array, u8: Uint8Array, s: WordIndex, stack: number): string {
  if (stack === 0) return '';
  const start = (s + stack + BYTES) * WORD_BYTES;
  // Copied, since browsers refuse to decode shared memory.
  return new TextDecoder().decode(u8.slice(start, start + i32[s + stack + LENGTH]));
}

/** Writes a text where no thread looks yet; returns 0 if it does not fit. */
function writeText(
  i32: Int32Array,
  u8: Uint8Array,
  s: WordIndex,
  storeBytes: number,
  text: Uint8Array,
  hash: number,
): number {
  const words = BYTES + roundUp(text.length, WORD_BYTES) / WORD_BYTES;
  const end = storeBytes / WORD_BYTES;
  // Checked before the add: a full store must not add until the word wraps around.
  if (atomics.load(i32, s + NEXT) + words > end) return 0;
  const at = atomics.add(i32, s + NEXT, words);
  if (at + words > end) return 0;
  u8.set(text, (s + at + BYTES) * WORD_BYTES);
  i32[s + at + LENGTH] = text.length;
  i32[s + at + HASH] = hash;
  return at;
}

function isText(
  i32: Int32Array,
  u8: Uint8Array,
  at: number,
  text: Uint8Array,
  hash: number,
): boolean {
  if (i32[at + HASH] !== hash || i32[at + LENGTH] !== text.length) return false;
  const start = (at + BYTES) * WORD_BYTES;
  return text.every((byte, n) => u8[start + n] === byte);
}

/** FNV-1a (Fowler, Noll, Vo), 32 bits. */
function hashOf(text: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (const byte of text) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
