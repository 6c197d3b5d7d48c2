/**
 * Recovery of slots whose threads have ended without detaching.
 *
 * Called by core.ts: at attach when all slots are taken, and by recover(). Any thread, attached or
 * not; it holds no other lock when it begins.
 *
 * So far only slots of threads that died outside the heap's locks are recovered: what they had
 * cached is whole, and goes back as a flush would give it back; so do runs that they had reserved.
 * A dead thread that holds a lock, or was in a call without _ts, is left alone.
 *
 * I1  A slot's owner is looked at, then whether it lives, then the owner again: a thread may
 *     detach, and another take the slot, in between.
 * I2  Freeing the slot is the last store. Every step can be repeated.
 */

import { GRANULE_SHIFT, PAGE_BYTES, type SlotIndex, type WordIndex } from '../base/index.js';
import {
  type HeapMemory,
  LOCK_COUNT,
  type LockIndex,
  loadOwner,
  loadSolo,
  lockLine,
  PAGE_LOCK,
  peekLock,
  RECOVERY_LOCK,
  slotRecord,
} from '../layout/index.js';
import { freeSlot, isAlive, type Locks, type ThreadWord, WAITERS } from '../sync/index.js';
import type { Cache } from './cache.js';
import type { PageHeap } from './page-heap.js';

/** What a recovery found. */
export interface Recovered {
  /** Slots of dead threads, free again. */
  slots: number;
  /** Blocks that they had cached. */
  blocks: number;
  /** Runs that they were allocating or freeing. */
  runs: number;
}

export function recoverSlots(
  memory: HeapMemory,
  locks: Locks,
  pageHeap: PageHeap,
  cacheOf: (slot: WordIndex) => Cache,
): Recovered {
  const { i32, geometry } = memory;
  const found: Recovered = { slots: 0, blocks: 0, runs: 0 };
  locks.acquire(RECOVERY_LOCK);
  try {
    for (let s = 0 as SlotIndex; s < geometry.threads; s++) {
      const owner = loadOwner(i32, geometry.registry, s) as ThreadWord;
      if (owner === 0 || isAlive(owner) !== false || holdsLock(memory, owner)) continue;
      if (loadOwner(i32, geometry.registry, s) !== owner) continue;
      found.blocks += cacheOf(slotRecord(geometry.slots, s)).flushDead();
      found.runs += freeReserved(memory, locks, pageHeap, s);
      freeSlot(memory, s);
      found.slots++;
    }
  } finally {
    locks.release(RECOVERY_LOCK);
  }
  return found;
}

/** Frees the runs that a dead slot had reserved; their tags may have been set already. */
function freeReserved(
  { tags }: HeapMemory,
  locks: Locks,
  pageHeap: PageHeap,
  slot: SlotIndex,
): number {
  let runs = 0;
  locks.acquire(PAGE_LOCK);
  try {
    for (let page = pageHeap.reservedByLocked(slot); page !== 0; runs++) {
      tags[(page * PAGE_BYTES) >>> GRANULE_SHIFT] = 0;
      pageHeap.giveRunLocked(page);
      page = pageHeap.reservedByLocked(slot);
    }
  } finally {
    locks.release(PAGE_LOCK);
  }
  return runs;
}

function holdsLock({ i32, geometry }: HeapMemory, owner: ThreadWord): boolean {
  if (loadSolo(i32, geometry.header) === owner) return true;
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    if ((peekLock(i32, lockLine(geometry.locks, lock)) & ~WAITERS) === owner) return true;
  }
  return false;
}
