/**
 * The registry: the thread that owns each slot. It is apart from the slots, so that reading all of
 * it touches a few cache lines, not a page per slot.
 *
 * Claimed and given back by sync/threads.ts; read by any thread.
 *
 *     word n   atomic   thread word of slot n's owner, 0 = free
 *
 * I1  A slot is claimed by one compare-and-swap from 0, and freed by one store, after all other
 *     stores.
 */

import { LINE_BYTES, roundUp, type SlotIndex, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';

/** Maximum thread slots: as many as a page's owner byte can name (page-owners.ts). */
export const THREADS_MAX = 255;

export const bytes = (threads: number): number => roundUp(threads * WORD_BYTES, LINE_BYTES);

export const loadOwner = (i32: Int32Array, registry: WordIndex, slot: SlotIndex): number =>
  atomics.load(i32, registry + slot);
/** The owner's thread word, read plainly as a hint: it may be a moment old. */
export const peekOwner = (i32: Int32Array, registry: WordIndex, slot: number): number =>
  i32[registry + slot];
/** Claims a free slot; returns false if it is no longer free. */
export const casOwner = (
  i32: Int32Array,
  registry: WordIndex,
  slot: SlotIndex,
  threadWord: number,
): boolean => atomics.compareExchange(i32, registry + slot, 0, threadWord) === 0;
export const storeOwner = (
  i32: Int32Array,
  registry: WordIndex,
  slot: SlotIndex,
  threadWord: number,
): number => atomics.store(i32, registry + slot, threadWord);
