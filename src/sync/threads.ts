/**
 * Threads come and go: claiming a slot, giving it back, and being alone.
 *
 * Called by heap/core.ts at attach and detach, and by the unsafe calls' slow path.
 *
 * I1  A slot is claimed by one compare-and-swap of its registry word from 0 to the thread word, and
 *     freed by one store of 0, after everything else.
 * I2  An unsafe call announces itself in `solo` before it looks whether it is alone, and a thread
 *     that attaches claims its slot before it looks at `solo`: one of the two sees the other.
 */

import { HeapError, type SlotIndex } from '../base/index.js';
import {
  casOwner,
  casSolo,
  type HeapMemory,
  loadOwner,
  loadSolo,
  soloWordIndex,
  storeOwner,
  storeSolo,
} from '../layout/index.js';
import { isAlive, type ThreadWord } from './thread-word.js';

const SOLO_WAIT_MS = 5;

/** Claims a free slot and waits until no unsafe call is under way; -1 when all are taken. */
export function claimSlot(memory: HeapMemory, me: ThreadWord): SlotIndex | -1 {
  const { i32, geometry } = memory;
  for (let s = 0; s < geometry.threads; s++) {
    const slot = s as SlotIndex;
    if (loadOwner(i32, geometry.registry, slot) !== 0) continue;
    // Failure: another thread was quicker. Go on to the next slot.
    if (casOwner(i32, geometry.registry, slot, 0, me) !== 0) continue;
    waitForSolo(memory, slot);
    return slot;
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

/** Starts a solo section; false (and nothing is changed) when this thread is not alone. */
export function enterSolo(memory: HeapMemory, me: ThreadWord): boolean {
  // Failure: another thread is in such a section, so this one is not alone.
  if (casSolo(memory.i32, memory.geometry.header, 0, me) !== 0) return false;
  if (countAttached(memory) <= 1) return true;
  leaveSolo(memory);
  return false;
}

/** Ends a solo section and lets in who waits to attach. */
export function leaveSolo(memory: HeapMemory): void {
  const { i32, geometry } = memory;
  storeSolo(i32, geometry.header, 0);
  Atomics.notify(i32, soloWordIndex(geometry.header));
}

function waitForSolo(memory: HeapMemory, slot: SlotIndex): void {
  const { i32, geometry } = memory;
  for (let word = loadSolo(i32, geometry.header); word !== 0; ) {
    Atomics.wait(i32, soloWordIndex(geometry.header), word, SOLO_WAIT_MS);
    const now = loadSolo(i32, geometry.header);
    if (now === word && isAlive(word as ThreadWord) === false) {
      freeSlot(memory, slot);
      throw new HeapError(
        'ERR_SHMALLOC_DEAD_OWNER',
        'cannot attach: a thread died in a call without _ts, and left the heap half changed',
      );
    }
    word = now;
  }
}
