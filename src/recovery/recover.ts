/**
 * Recovery: takes back what threads left that ended, at any moment, without detaching.
 *
 * Called by thread-heap.ts: when the program asks, when a watched worker ends, at attach when all
 * slots are taken, after a lock was taken over, and before malloc returns 0. Any thread, attached
 * or not; it owns no other lock when it begins.
 *
 * Blocks that a dead thread had handed to its program stay live: other threads may have their
 * addresses.
 *
 * I1  A slot's owner is read, then whether it lives, then the owner again: in between a thread may
 *     detach, and another one claim the slot.
 * I2  Freeing the slot is the last store. Every step can be repeated: the rescuer may die, too, and
 *     the next one begins anew.
 * I3  No slot is freed while a lock or a transit still has its thread's word.
 */

import {
  addCounts,
  GRANULE_SHIFT,
  PAGE_BYTES,
  type PageIndex,
  type SlotIndex,
} from '../base/index.js';
import * as Header from '../layout/header.js';
import type { LockIndex } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageRecord from '../layout/page-record.js';
import * as Registry from '../layout/registry.js';
import * as Slot from '../layout/slot.js';
import { Cache, findRunLocked, isLookDue, type PageTools, startLook } from '../pages/index.js';
import { freeSlot, isThreadAlive, reportDeath, type ThreadWord, WAITERS } from '../sync/index.js';
import { reclaimInstrumented } from './reclaim-instrumented.js';
import { reclaimObjects } from './reclaim-objects.js';
import { createIntentResolver } from './resolve-intent.js';

/** The result of a recovery. */
export interface Recovered {
  /** Slots of dead threads, free again. */
  slots: number;
  /** Locks that dead threads owned; what they guard was repaired. */
  locks: number;
  /** Blocks that dead threads had cached. */
  blocks: number;
  /** Runs that they were allocating or freeing. */
  runs: number;
  /** Memory contexts that they owned. */
  contexts: number;
}

export const nothingRecovered = (): Recovered => ({
  slots: 0,
  locks: 0,
  blocks: 0,
  runs: 0,
  contexts: 0,
});

/** Which recovery it is to be. */
export interface Rescue {
  /** A slot in this thread's own name that it does not use: its attach was cut. */
  readonly leftover?: number;
  /** Not where another thread has looked just now (looks.ts). */
  readonly isOnlyIfDue?: boolean;
}

/** What a thread works with when it takes back what the dead had. */
export interface RescueTools extends PageTools {
  readonly me: ThreadWord;
}

export function recoverDead(
  tools: RescueTools,
  { leftover = -1, isOnlyIfDue = false }: Rescue = {},
): Recovered {
  const { memory, me, locks } = tools;
  const { i32, f64, geometry } = memory;
  const { registry, header, threads } = geometry;
  const takeoversBefore = locks.takeovers();
  const found: Recovered = nothingRecovered();

  locks.acquire(LockTable.RECOVERY);
  if (isOnlyIfDue && !isLookDue(memory)) {
    locks.release(LockTable.RECOVERY);
    return found;
  }
  const look = startLook(memory);
  takeDeadLocks();
  for (let slot = 0 as SlotIndex; slot < threads; slot++) {
    // point: recover.look
    const owner = Registry.loadOwner(i32, registry, slot);
    const isLeft = slot === leftover && owner === me;
    if (!isLeft && (!isDead(owner) || Registry.loadOwner(i32, registry, slot) !== owner)) continue;
    if (!isLeft) reportDeath(memory, owner as ThreadWord);
    recoverSlot(slot);
  }
  look.end();
  locks.release(LockTable.RECOVERY);
  found.locks = locks.takeovers() - takeoversBefore;
  return found;

  function isDead(word: number): boolean {
    if (word === 0 || word === me || isThreadAlive(memory, word as ThreadWord) !== false)
      return false;
    look.found();
    return true;
  }

  /**
   * Takes over dead threads' locks. Not all belong to a slot: a thread may die while it waits for
   * one.
   */
  function takeDeadLocks(): void {
    for (let lock = (LockTable.RECOVERY + 1) as LockIndex; lock < LockTable.COUNT; lock++) {
      if (!isDead(LockTable.peek(i32, LockTable.at(geometry.locks, lock)) & ~WAITERS)) continue;
      locks.acquire(lock);
      locks.release(lock);
    }
  }

  function recoverSlot(slot: SlotIndex): void {
    const cache = new Cache(tools, Slot.at(geometry.slots, slot));
    const resolver = createIntentResolver(tools, cache, slot);
    // The intent is resolved first: its blocks may be in magazines that are emptied later.
    resolver.resolve();
    let blocks = cache.flushDead() + reclaimInstrumented(tools, cache, slot);
    const ended = reclaimObjects(memory, resolver, slot);
    if (ended.blocks > 0) blocks += cache.flushDead();
    const runs = freeReserved(tools, slot);
    // Added before the slot is free: if the rescuer dies here, the slot is counted twice, nothing
    // else.
    Header.addRecovered(f64, header, Header.RECOVERED_SLOTS, 1);
    Header.addRecovered(f64, header, Header.RECOVERED_BLOCKS, blocks);
    Header.addRecovered(f64, header, Header.RECOVERED_RUNS, runs);
    Header.addRecovered(f64, header, Header.RECOVERED_CONTEXTS, ended.contexts);
    // point: recover.slot
    freeSlot(memory, slot);
    addCounts(found, { slots: 1, locks: 0, blocks, runs, contexts: ended.contexts });
  }
}

/**
 * Frees the runs that a slot has reserved and not committed; returns their number. Their tags may
 * have been set already.
 */
export function freeReserved({ memory, locks, pageHeap }: PageTools, slot: number): number {
  const reserved = (): PageIndex =>
    findRunLocked(
      memory,
      (_, word) =>
        PageRecord.kindOf(word) === PageRecord.RESERVED_RUN && PageRecord.ownerOf(word) === slot,
    );
  let runs = 0;
  locks.acquire(LockTable.PAGE);
  for (let page = reserved(); page !== 0; page = reserved()) {
    // point: recover.tag
    memory.tags[(page * PAGE_BYTES) >>> GRANULE_SHIFT] = 0;
    pageHeap.releaseRunLocked(page);
    runs++;
  }
  locks.release(LockTable.PAGE);
  return runs;
}
