/**
 * The registry: which thread has which slot. Apart from the slots, so that to look at all of them
 * touches a few cache lines and not a page per slot.
 *
 * Claimed and given back by sync/threads.ts; read by any thread.
 *
 *     word n   atomic   thread word of slot n's owner, 0 = free
 *
 * I1  A slot is claimed by one compare-and-swap from 0, and freed by one store, the last of all.
 */

import { LINE_BYTES, roundUp, type SlotIndex, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';

/** As many as a page's owner can name (page-owners.ts). */
export const THREADS_MAX = 255;

export const registryBytes = (threads: number): number => roundUp(threads * WORD_BYTES, LINE_BYTES);

export const loadOwner = (i32: Int32Array, registry: WordIndex, slot: SlotIndex): number =>
  atomics.load(i32, registry + slot);
/** The same for a hint: may be a moment old. */
export const peekOwner = (i32: Int32Array, registry: WordIndex, slot: number): number =>
  i32[registry + slot];
export const casOwner = (
  i32: Int32Array,
  registry: WordIndex,
  slot: SlotIndex,
  from: number,
  to: number,
): number => atomics.compareExchange(i32, registry + slot, from, to);
export const storeOwner = (
  i32: Int32Array,
  registry: WordIndex,
  slot: SlotIndex,
  threadWord: number,
): number => atomics.store(i32, registry + slot, threadWord);
