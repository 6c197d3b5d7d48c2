/**
 * Resolves intents: decides about the blocks of a placement that was interrupted (owned-blocks.ts
 * I1).
 *
 * Called by recover.ts for a dead thread's slot, before anything of that slot is given back: after
 * that, a block of its magazine could belong to any thread. Called by owned-blocks.ts for a
 * thread's own slot, if an error has left an intent open. The caller is the only one to use the
 * slot.
 *
 * I1  One block after the other is found to be in place, or put in the slot's magazine (a large one
 *     made RESERVED by the slot), and then removed from the intent. The caller may die at each
 *     store.
 */

import {
  type Address,
  GRANULE_SHIFT,
  LARGE,
  NULL,
  OWNED_LARGE,
  type SizeClass,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import { type Geometry, type HeapMemory, nowhereWord, pageOf } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import type { Cache, PageTools } from '../pages/index.js';

export interface IntentResolver {
  /**
   * Resolves the slot's intent; returns false if it has none. Its large blocks are RESERVED after.
   */
  resolve(): boolean;
  /** Takes an orphan: into the slot's magazine, or RESERVED by the slot. */
  putAway(block: Address): void;
}

/** @param cache the cache of the slot, whichever thread calls */
export function createIntentResolver(
  { memory, locks, pageHeap }: PageTools,
  cache: Cache,
  slotIndex: SlotIndex,
): IntentResolver {
  const { i32, u32, tags, geometry } = memory;
  const slot = Slot.at(geometry.slots, slotIndex);
  const recordOf = (block: Address): WordIndex => PageRecord.at(geometry.pageTable, pageOf(block));

  function resolve(): boolean {
    const word = Slot.getIntentWord(u32, slot);
    if (word === 0) return false;
    resolveBlock(word, Slot.getIntentIn(u32, slot));
    // point: resolve.in
    Slot.setIntentIn(u32, slot, NULL);
    resolveBlock(word, Slot.getIntentOut(u32, slot));
    // point: resolve.out
    Slot.setIntentOut(u32, slot, NULL);
    // point: resolve.done
    Slot.setIntentWord(u32, slot, 0);
    return true;
  }

  function resolveBlock(word: WordIndex, block: Address): void {
    if (block === 0 || u32[word] === block) return;
    const tag = tags[block >>> GRANULE_SHIFT];
    if (isLargeTag(tag)) {
      // A run RESERVED by the slot is given back with all such runs.
      if (PageRecord.kindOf(PageRecord.getRun(i32, recordOf(block))) !== PageRecord.RESERVED_RUN)
        putAway(block);
    } else if (tag !== 0) {
      if (isInMagazine(spanClass(i32, geometry, block), block)) tags[block >>> GRANULE_SHIFT] = 0;
      else putAway(block);
    }
    // A block without a tag is in the magazine, or RESERVED.
  }

  function isInMagazine(c: SizeClass, block: Address): boolean {
    const bottom = Slot.magazineBottom(u32, slot, c);
    const end = bottom + Slot.magazineBlocks(u32, slot, c);
    for (let entry = bottom; entry < end; entry++) if (u32[entry] === block) return true;
    return false;
  }

  function putAway(block: Address): void {
    if (!isLargeTag(tags[block >>> GRANULE_SHIFT])) {
      cache.takeOrphan(spanClass(i32, geometry, block), block);
      return;
    }
    locks.acquire(LockTable.PAGE);
    // point: resolve.reserve
    pageHeap.commitRun(pageOf(block), PageRecord.RESERVED_RUN, slotIndex);
    // point: resolve.untag
    tags[block >>> GRANULE_SHIFT] = 0;
    locks.release(LockTable.PAGE);
  }

  return { resolve, putAway };
}

/** True for a run of its own: an object's, or the program's that an object frees for it. */
const isLargeTag = (tag: number): boolean => tag === OWNED_LARGE || tag === LARGE;

/**
 * Ends an intent for a run that the slot has RESERVED. Called before such runs are given back;
 * after that the run could belong to any thread.
 */
export function forgetRetracted({ i32, u32, geometry }: HeapMemory, slotIndex: SlotIndex): void {
  const slot = Slot.at(geometry.slots, slotIndex);
  if (Slot.getIntentWord(u32, slot) !== nowhereWord(geometry)) return;
  const run = PageRecord.getRun(
    i32,
    PageRecord.at(geometry.pageTable, pageOf(Slot.getIntentOut(u32, slot))),
  );
  if (PageRecord.kindOf(run) === PageRecord.RESERVED_RUN) Slot.setIntentWord(u32, slot, 0);
}

/** The size class of the span that a live block lies in. */
export function spanClass(i32: Int32Array, geometry: Geometry, block: Address): SizeClass {
  const head = PageRecord.getSpanHead(i32, PageRecord.at(geometry.pageTable, pageOf(block)));
  return PageRecord.ownerOf(
    PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, head)),
  ) as SizeClass;
}
