/**
 * Attached threads: claims and frees slots; exclusive sections.
 *
 * Called by heap/ and recovery/ at attach and detach, in the unsafe calls' slow path and in
 * recovery.
 *
 * I1  A slot is claimed by one compare-and-swap of its registry word from 0 to the thread word, and
 *     freed by one store of 0, after everything else.
 * I2  An unsafe call sets `exclusive` before it checks whether its thread is alone, and a thread
 *     that attaches claims its slot before it checks `exclusive`: one of the two sees the other.
 */

import type { SlotIndex } from '../base/index.js';
import {
  atomics,
  casExclusive,
  casOwner,
  exclusiveWordIndex,
  type HeapMemory,
  loadExclusive,
  loadOwner,
  storeExclusive,
  storeOwner,
} from '../layout/index.js';
import { hasSlot, isThreadAlive } from './names.js';
import type { ThreadWord } from './thread-word.js';

// ---- Slots

/**
 * A thread's note of its attach. If V8 cuts the attach, the note is its only way back to the slot.
 */
export interface Claim {
  /** True while an attach is under way, and after it was cut. */
  isOpen: boolean;
  /** The slot that the thread has claimed, or was about to claim; -1 = none. */
  slot: number;
}

/** Claims a free slot; -1 = none is free. Call waitForExclusive before the slot is used. */
export function claimSlot(
  { i32, geometry }: HeapMemory,
  me: ThreadWord,
  claim: Claim,
): SlotIndex | -1 {
  for (let s = 0; s < geometry.threads; s++) {
    const slot = s as SlotIndex;
    if (loadOwner(i32, geometry.registry, slot) !== 0) continue;
    claim.slot = slot;
    // point: attach.claim
    // On failure another thread was faster: try the next slot.
    if (casOwner(i32, geometry.registry, slot, 0, me) === 0) return slot;
  }
  return -1;
}

/** Frees a slot, by the last store of all. Its caches are empty, and its transits are closed. */
export function freeSlot(memory: HeapMemory, slot: SlotIndex): void {
  storeOwner(memory.i32, memory.geometry.registry, slot, 0);
}

/** Number of claimed slots. */
export function countAttached(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  let attached = 0;
  for (let s = 0; s < geometry.threads; s++) {
    if (loadOwner(i32, geometry.registry, s as SlotIndex) !== 0) attached++;
  }
  return attached;
}

/** Number of slots whose owners live, or may live. */
export function countLiving(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  let living = 0;
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    const owner = loadOwner(i32, geometry.registry, slot) as ThreadWord;
    if (owner !== 0 && isThreadAlive(memory, owner) !== false) living++;
  }
  return living;
}

// ---- Exclusive sections

/**
 * Begins an exclusive section; returns false, with nothing changed, if this thread is not alone.
 */
export function enterExclusive(memory: HeapMemory, me: ThreadWord): boolean {
  // point: exclusive.enter
  // On failure another thread is in an exclusive section, so this thread is not alone.
  if (casExclusive(memory.i32, memory.geometry.header, 0, me) !== 0) return false;
  if (countAttached(memory) <= 1) return true;
  leaveExclusive(memory);
  return false;
}

/** Ends an exclusive section; threads that wait to attach go on. */
export function leaveExclusive(memory: HeapMemory): void {
  const { i32, geometry } = memory;
  // point: exclusive.leave
  storeExclusive(i32, geometry.header, 0);
  atomics.notify(i32, exclusiveWordIndex(geometry.header));
}

/**
 * Runs `work` while the thread with this word is not attached; if it attaches meanwhile, it waits
 * as for the end of an exclusive section (I2). Returns false if it is attached, if `work` returns
 * false, or if another thread has set `exclusive`.
 */
export function whileUnattached(
  memory: HeapMemory,
  me: ThreadWord,
  word: ThreadWord,
  work: () => boolean,
): boolean {
  if (hasSlot(memory, word)) return false;
  // point: exclusive.enter
  // On failure another thread is in an exclusive section, or in this function.
  if (casExclusive(memory.i32, memory.geometry.header, 0, me) !== 0) return false;
  try {
    return !hasSlot(memory, word) && work();
  } finally {
    leaveExclusive(memory);
  }
}

/**
 * Waits up to `limitMs` for the end of an exclusive section; returns its owner after that, 0 =
 * none.
 */
export function waitForExclusive({ i32, geometry }: HeapMemory, limitMs: number): ThreadWord {
  const word = loadExclusive(i32, geometry.header);
  if (word === 0) return 0 as ThreadWord;
  atomics.wait(i32, exclusiveWordIndex(geometry.header), word, limitMs);
  return loadExclusive(i32, geometry.header) as ThreadWord;
}
