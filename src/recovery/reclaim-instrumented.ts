/**
 * Orphans: blocks of instrumented heaps that a thread had when it died, neither cached nor in use
 * by the program: in its quarantine, or in the middle of a free or of an allocation that did not
 * return. Their records say so (layout/block-record.ts I2).
 *
 * Called by thread-heap.ts for a thread that lives on after a cut (marks.ts), and by recover.ts,
 * under the recovery lock, once the dead slot's caches are empty: an orphan that still has a tag
 * then is in no magazine.
 *
 * I1  A small orphan goes through the dead slot's own magazine: pushed, then untagged, then
 *     flushed. A rescuer that dies leaves it in that magazine, or tagged: the next rescuer finds it
 *     either way.
 * I2  A large orphan becomes a run that the dead slot has RESERVED; such runs are freed after.
 */

import {
  type Address,
  BLOCK_BYTES,
  GRANULE_SHIFT,
  isOwnedTag,
  LARGE,
  List,
  OwnMap,
  OwnSet,
  PAGE_BYTES,
  type SizeClass,
  type SlotIndex,
  SPAN_BLOCKS,
} from '../base/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { type HeapMemory, pageOf } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageRecord from '../layout/page-record.js';
import { type Cache, type PageTools, walkRunsLocked } from '../pages/index.js';
import type { Locks } from '../sync/index.js';

const NONE: ReadonlySet<Address> = new OwnSet();

/**
 * Gives a dead slot's orphans back: small ones wholly, large ones as runs that are freed after.
 * Returns the number of small ones.
 * @param kept the blocks that a living thread, whose call was cut, still holds back
 */
export function reclaimInstrumented(
  tools: PageTools,
  cache: Cache,
  slot: SlotIndex,
  kept: ReadonlySet<Address> = NONE,
): number {
  const { memory, locks } = tools;
  if (memory.geometry.blockRecordsStart === 0) return 0;
  const orphans = findUnclaimed(memory, locks, slot, kept);
  let given = 0;
  orphans.forEach((blocks, c) => {
    if (c === LARGE) {
      reserveRuns(tools, blocks, slot);
      return;
    }
    cache.releaseUnclaimed(c as SizeClass, blocks);
    given += blocks.length;
  });
  return given;
}

/** The orphans by class; LARGE for runs of their own. */
function findUnclaimed(
  memory: HeapMemory,
  locks: Locks,
  slot: SlotIndex,
  kept: ReadonlySet<Address>,
): OwnMap<number, List<Address>> {
  const { i32, tags, geometry } = memory;
  const found = new OwnMap<number, List<Address>>();
  const look = (c: number, block: number): void => {
    // The tag is read first: the block may belong to another thread that is just handing it out.
    const tag = BlockRecord.loadTag(tags, block);
    // The record of an owned block is a leftover from before the object got it.
    if (tag === 0 || isOwnedTag(tag) || kept.has(block as Address)) return;
    const state = BlockRecord.loadState(i32, BlockRecord.at(geometry.blockRecords, block));
    const kind = BlockRecord.kindOf(state);
    if (
      (kind !== BlockRecord.FREED && kind !== BlockRecord.PENDING) ||
      BlockRecord.slotOf(state) !== slot
    )
      return;
    const blocks = found.get(c) ?? new List<Address>();
    blocks.push(block as Address);
    found.set(c, blocks);
  };
  locks.acquire(LockTable.PAGE);
  walkRunsLocked(memory, (head, word) => {
    const start = head * PAGE_BYTES;
    if (PageRecord.kindOf(word) === PageRecord.LARGE_RUN) look(LARGE, start);
    if (PageRecord.kindOf(word) !== PageRecord.SPAN_RUN) return;
    const c = PageRecord.ownerOf(word);
    for (let n = 0; n < SPAN_BLOCKS[c]; n++) look(c, start + n * BLOCK_BYTES[c]);
  });
  locks.release(LockTable.PAGE);
  return found;
}

function reserveRuns(
  { memory, locks, pageHeap }: PageTools,
  blocks: readonly Address[],
  slot: SlotIndex,
): void {
  locks.acquire(LockTable.PAGE);
  for (let n = 0; n < blocks.length; n++) {
    const block = blocks[n];
    // point: orphan.reserve
    pageHeap.commitRun(pageOf(block), PageRecord.RESERVED_RUN, slot);
    // point: orphan.large
    memory.tags[block >>> GRANULE_SHIFT] = 0;
  }
  locks.release(LockTable.PAGE);
}
