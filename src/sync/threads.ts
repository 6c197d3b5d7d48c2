/**
 * Attached threads: claims and frees slots.
 *
 * Called by heap/ and recovery/ at attach and detach. Any thread, no lock: a thread that attaches
 * waits for nobody.
 *
 * I1  A slot is claimed by one compare-and-swap of its registry word from 0 to the thread word, and
 *     freed by one store of 0, after everything else.
 */

import type { SlotIndex } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as Registry from '../layout/registry.js';
import { isThreadAlive } from './names.js';
import type { ThreadWord } from './thread-word.js';

/**
 * A thread's note of its attach. If V8 cuts the attach, the note is its only way back to the slot.
 */
export interface Claim {
  /** True while an attach is under way, and after it was cut. */
  isOpen: boolean;
  /** The slot that the thread has claimed, or was about to claim; -1 = none. */
  slot: number;
}

/** Claims a free slot; -1 = none is free. */
export function claimSlot(
  { i32, geometry }: HeapMemory,
  me: ThreadWord,
  claim: Claim,
): SlotIndex | -1 {
  for (let s = 0; s < geometry.threads; s++) {
    const slot = s as SlotIndex;
    if (Registry.loadOwner(i32, geometry.registry, slot) !== 0) continue;
    claim.slot = slot;
    // point: attach.claim
    // On failure another thread was faster: try the next slot.
    if (Registry.casOwner(i32, geometry.registry, slot, me)) return slot;
  }
  return -1;
}

/** Frees a slot, by the last store of all. Its caches are empty, and its transits are closed. */
export function freeSlot(memory: HeapMemory, slot: SlotIndex): void {
  Registry.storeOwner(memory.i32, memory.geometry.registry, slot, 0);
}

/** Number of slots whose owners live, or may live. */
export function countLiving(memory: HeapMemory): number {
  const { i32, geometry } = memory;
  let living = 0;
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    const owner = Registry.loadOwner(i32, geometry.registry, slot) as ThreadWord;
    if (owner !== 0 && isThreadAlive(memory, owner) !== false) living++;
  }
  return living;
}
