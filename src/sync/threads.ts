/**
 * Threads come and go: claiming a slot, giving it back, being alone.
 *
 * Called by heap/ and recovery/ at attach and detach, in the unsafe calls' slow path and in recovery.
 *
 * I1  A slot is claimed by one compare-and-swap of its registry word from 0 to the thread word, and
 *     freed by one store of 0, after everything else.
 * I2  An unsafe call announces itself in `exclusive` before it looks whether it is alone, and a thread
 *     that attaches claims its slot before it looks at `exclusive`: one of the two sees the other.
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

// ---- slots

/** What a thread notes of its attach, should V8 cut that: it has no other way back to the slot. */
export interface Claim {
  /** An attach is under way, or was cut. */
  isOpen: boolean;
  /** The slot that it has claimed, or was about to; -1 = none. */
  slot: number;
}

/** Claims a free slot; -1 when all are taken. Before the slot is used: waitForExclusive. */
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
    // Failure: another thread was quicker. Go on to the next slot.
    if (casOwner(i32, geometry.registry, slot, 0, me) === 0) return slot;
  }
  return -1;
}

/** Gives a slot back. Its caches are empty, its transits closed: this is the last store of all. */
export function freeSlot(memory: HeapMemory, slot: SlotIndex): void {
  storeOwner(memory.i32, memory.geometry.registry, slot, 0);
}

/** How many slots are claimed now. */
export function countAttached(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  let attached = 0;
  for (let s = 0; s < geometry.threads; s++) {
    if (loadOwner(i32, geometry.registry, s as SlotIndex) !== 0) attached++;
  }
  return attached;
}

/** How many slots are claimed by threads that live, or of which nobody can tell. */
export function countLiving(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  let living = 0;
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    const owner = loadOwner(i32, geometry.registry, slot) as ThreadWord;
    if (owner !== 0 && isThreadAlive(memory, owner) !== false) living++;
  }
  return living;
}

// ---- being alone

/** Starts an exclusive section; false (and nothing is changed) when this thread is not alone. */
export function enterExclusive(memory: HeapMemory, me: ThreadWord): boolean {
  // point: exclusive.enter
  // Failure: another thread is in such a section, so this one is not alone.
  if (casExclusive(memory.i32, memory.geometry.header, 0, me) !== 0) return false;
  if (countAttached(memory) <= 1) return true;
  leaveExclusive(memory);
  return false;
}

/** Ends an exclusive section and lets in who waits to attach. */
export function leaveExclusive(memory: HeapMemory): void {
  const { i32, geometry } = memory;
  // point: exclusive.leave
  storeExclusive(i32, geometry.header, 0);
  atomics.notify(i32, exclusiveWordIndex(geometry.header));
}

/**
 * Does what is right only while the thread with this word is not attached. Should it attach now, it
 * waits as it would for an exclusive section (I2). False when it is attached, or `work` says so, or
 * somebody else keeps threads waiting at this moment.
 */
export function whileUnattached(
  memory: HeapMemory,
  me: ThreadWord,
  word: ThreadWord,
  work: () => boolean,
): boolean {
  if (hasSlot(memory, word)) return false;
  // point: exclusive.enter
  // Failure: another thread is in an exclusive section, or does what this one is about to do.
  if (casExclusive(memory.i32, memory.geometry.header, 0, me) !== 0) return false;
  try {
    return !hasSlot(memory, word) && work();
  } finally {
    leaveExclusive(memory);
  }
}

/** Waits up to `limitMs` for the end of an exclusive section; who is in it after that, 0 = nobody. */
export function waitForExclusive({ i32, geometry }: HeapMemory, limitMs: number): ThreadWord {
  const word = loadExclusive(i32, geometry.header);
  if (word === 0) return 0 as ThreadWord;
  atomics.wait(i32, exclusiveWordIndex(geometry.header), word, limitMs);
  return loadExclusive(i32, geometry.header) as ThreadWord;
}
