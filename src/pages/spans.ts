/**
 * Spans: runs cut into blocks of one size class, and the bitmaps of their free blocks.
 *
 * Called by thread-cache.ts. Every function here needs the lock of its class; it acquires the page
 * lock inside, for a new span or one that is released.
 *
 * I1  A bit set in a span's bitmap = that block is free, and its tag is 0.
 * I2  A run becomes a span by one store, after its bitmap and its pages' spanHead are written.
 * I3  A span's freeCount is the number of bits set in its bitmap. Exactly if it is not 0, the span
 *     is in a partial list of its class (its owner's or the unowned one), or is a retired span.
 * I4  A span that is wholly free is released to the page heap once no transit of its class is open,
 *     or becomes a retired span (retired-spans.ts).
 * I5  Every block is exactly one of live, cached by one thread, and free in its span.
 *
 * A thread takes blocks from its own spans (layout/page-owners.ts). When these are used up, it
 * takes over unowned spans, then makes a new one; in a full heap it takes over another thread's.
 */

import {
  BLOCK_BYTES,
  DIVIDE_MULTIPLIER,
  DIVIDE_SHIFT,
  GRANULE_SHIFT,
  HeapCorruptionError,
  hex,
  List,
  PAGE_SHIFT,
  type PageIndex,
  type SizeClass,
  SPAN_BLOCKS,
  SPAN_PAGES,
  type WordIndex,
} from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import type { HeapMemory } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageOwners from '../layout/page-owners.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import type { Locks } from '../sync/index.js';
import type { PageHeap } from './page-heap.js';
import { createPartialLists } from './partial-lists.js';
import type { RetiredSpans } from './retired-spans.js';

const NONE = 0 as PageIndex;
const NO_RECORD = 0 as WordIndex;

export interface Spans {
  /**
   * Number of free blocks that this owner's spans can give, up to `wanted`; makes sure that there
   * is such a span. 0 = the heap is full.
   */
  availableLocked(c: SizeClass, wanted: number): number;
  /**
   * Writes `count` free addresses to the words below index `end`; the lowest address of the first
   * span comes last. Clears no bit yet: takeListedLocked does, with the same count.
   */
  listFreeLocked(c: SizeClass, count: number, end: number): void;
  /** Clears the bits of the first `count` free blocks, in the order of listFreeLocked. */
  takeListedLocked(c: SizeClass, count: number): void;
  /** Sets the bits of the blocks whose addresses are in words [from, to). */
  putBackLocked(c: SizeClass, from: number, to: number): void;
  /**
   * Releases the spans that putBack found wholly free, except retired ones. No transit may be open.
   */
  releaseEmptiesLocked(c: SizeClass): void;
  /**
   * Makes a slot's spans unowned and releases its retired spans: its thread detaches, or is dead.
   */
  disownLocked(c: SizeClass, slot: WordIndex): void;
}

/** What a thread works with on pages and spans. */
export interface PageTools {
  readonly memory: HeapMemory;
  readonly locks: Locks;
  readonly pageHeap: PageHeap;
  readonly retired: RetiredSpans;
  /** The thread as page owner; UNOWNED for a thread without a slot. */
  readonly owner: number;
  readonly spans: Spans;
}

export function createSpans(tools: Omit<PageTools, 'spans'>): Spans {
  const { memory, locks, pageHeap, retired, owner } = tools;
  const { i32, u32, owners } = memory;
  const { classes, slots, threads } = memory.geometry;
  const { listOf, linkLocked, unlinkLocked, moveLocked } = createPartialLists(memory);
  const recordOf = (page: number): WordIndex => PageRecord.at(memory.geometry.pageTable, page);
  /** Spans that became wholly free since the last release, newest last. */
  let empties = new List<PageIndex>();

  // ---- Taking blocks

  function availableLocked(c: SizeClass, wanted: number): number {
    let available = 0;
    let page = ClassRecord.getPartial(i32, listOf(c, owner));
    for (; page !== 0 && available < wanted; page = PageRecord.getNext(i32, recordOf(page))) {
      // Each call adds at least one block, so the loop ends.
      available += PageRecord.getFreeCount(i32, partialRecord(c, page));
    }
    while (available < wanted) {
      page = takeInLocked(c, listOf(c, PageOwners.UNOWNED));
      if (page === NONE) break;
      available += PageRecord.getFreeCount(i32, recordOf(page));
    }
    if (available === 0) {
      page =
        retired.takeLocked(c) || newSpanLocked(c) || (retired.hasAny() ? NONE : stealLocked(c));
      if (page !== NONE) available = PageRecord.getFreeCount(i32, recordOf(page));
    }
    return Math.min(available, wanted);
  }

  /** Takes over the first span of another list. */
  function takeInLocked(c: SizeClass, list: WordIndex): PageIndex {
    const page = ClassRecord.getPartial(i32, list);
    if (page === NONE) return NONE;
    partialRecord(c, page);
    moveLocked(c, list, page, owner);
    return page;
  }

  function stealLocked(c: SizeClass): PageIndex {
    const used = Slot.used(u32, slots, threads);
    for (let n = 0; n < used.length; n++) {
      const other = PageOwners.codeOf(used[n]);
      if (other === owner) continue;
      const page = takeInLocked(c, listOf(c, other));
      if (page !== NONE) return page;
    }
    return NONE;
  }

  /** The record of a span in one of the lists: it has a free block. */
  function partialRecord(c: SizeClass, page: PageIndex): WordIndex {
    const record = recordOf(page);
    if (page !== NONE && PageRecord.getFreeCount(i32, record) > 0) return record;
    throw new HeapCorruptionError(
      `a list of class ${c} names page ${page}, which has no free block (spans I3)`,
    );
  }

  function newSpanLocked(c: SizeClass): PageIndex {
    locks.acquire(LockTable.PAGE);
    const { page } = pageHeap.takeRunLocked(SPAN_PAGES[c], 1, 'bottom', !retired.hasAny());
    locks.release(LockTable.PAGE);
    if (page === 0) return NONE;
    const record = recordOf(page);
    for (let n = 0; n < SPAN_PAGES[c]; n++) {
      // point: span.head
      PageRecord.setSpanHead(i32, recordOf(page + n), page);
    }
    const blocks = SPAN_BLOCKS[c];
    for (let n = 0; n << 5 < blocks; n++) {
      const left = blocks - (n << 5);
      // point: span.bitmap
      PageRecord.setBitmap(i32, record, n, left >= 32 ? -1 : (1 << left) - 1);
    }
    PageOwners.set(owners, page, SPAN_PAGES[c], owner);
    // point: span.commit
    pageHeap.commitRun(page, PageRecord.SPAN_RUN, c);
    // point: span.count
    PageRecord.setFreeCount(i32, record, blocks);
    linkLocked(c, page);
    // point: span.spans
    ClassRecord.addSpanCount(i32, ClassRecord.at(classes, c), 1);
    return page;
  }

  function listFreeLocked(c: SizeClass, count: number, end: number): void {
    const blockBytes = BLOCK_BYTES[c];
    const begin = end - count;
    let entry = end;
    let page = ClassRecord.getPartial(i32, listOf(c, owner));
    while (entry > begin) {
      const record = partialRecord(c, page);
      const before = entry;
      for (let n = 0; entry > begin && n << 5 < SPAN_BLOCKS[c]; n++) {
        let bits = PageRecord.getBitmap(i32, record, n);
        let address = (page << PAGE_SHIFT) + (n << 5) * blockBytes;
        if (bits === -1 && entry - begin >= 32) {
          // A whole word of free blocks, as in every new span, needs no search.
          // point: refill.entry
          for (const last = entry - 32; entry > last; address += blockBytes) i32[--entry] = address;
          continue;
        }
        while (bits !== 0 && entry > begin) {
          const low = bits & -bits;
          // point: refill.entry
          i32[--entry] = address + Math.imul(31 - Math.clz32(low), blockBytes);
          bits ^= low;
        }
      }
      if (entry === before) throw fewerBits(c);
      page = PageRecord.getNext(i32, record);
    }
  }

  function fewerBits(c: SizeClass): HeapCorruptionError {
    return new HeapCorruptionError(
      `a span of class ${c} has fewer free blocks than its free count says (spans I3)`,
    );
  }

  function takeListedLocked(c: SizeClass, count: number): void {
    let left = count;
    while (left > 0) {
      const page = ClassRecord.getPartial(i32, listOf(c, owner));
      const record = partialRecord(c, page);
      const free = PageRecord.getFreeCount(i32, record);
      if (free <= left) {
        for (let n = 0; n << 5 < SPAN_BLOCKS[c]; n++) {
          // point: refill.bit
          PageRecord.setBitmap(i32, record, n, 0);
        }
        // point: refill.count
        PageRecord.setFreeCount(i32, record, 0);
        unlinkLocked(listOf(c, owner), page);
        left -= free;
      } else {
        clearLowest(c, record, left);
        // point: refill.count
        PageRecord.setFreeCount(i32, record, free - left);
        left = 0;
      }
    }
  }

  /** Clears the `count` lowest bits of a bitmap that has more bits. */
  function clearLowest(c: SizeClass, record: WordIndex, count: number): void {
    let left = count;
    for (let n = 0; left > 0; n++) {
      if (n << 5 >= SPAN_BLOCKS[c]) throw fewerBits(c);
      let bits = PageRecord.getBitmap(i32, record, n);
      if (bits === 0) continue;
      for (; bits !== 0 && left > 0; left--) bits &= bits - 1;
      // point: refill.bit
      PageRecord.setBitmap(i32, record, n, bits);
    }
  }

  // ---- Putting blocks back

  function putBackLocked(c: SizeClass, from: number, to: number): void {
    // Some are left only if a section threw before it released them: they are repaired by now.
    if (empties.length > 0) empties = new List();
    const spanBytes = SPAN_PAGES[c] << PAGE_SHIFT;
    const multiplier = DIVIDE_MULTIPLIER[c];
    const shift = DIVIDE_SHIFT[c];
    // Neighbours in a cache are mostly in one span, often in one word of its bitmap: both stay in
    // locals meanwhile. (Without: 15 instead of 10.5 ns a block freed in the order of its
    // allocation, and 4 % less in random order.)
    let page = NONE;
    let start = 0;
    let record = NO_RECORD;
    let before = 0;
    let free = 0;
    let n = 0;
    let bits = 0;
    for (let entry = from; entry < to; entry++) {
      const address = u32[entry];
      let index = Math.imul((address - start) >>> GRANULE_SHIFT, multiplier) >>> shift;
      if (page === NONE || (address - start) >>> 0 >= spanBytes) {
        if (page !== NONE) {
          // point: flush.bit
          PageRecord.setBitmap(i32, record, n, bits);
          resolveLocked(c, page, before, free);
        }
        page = PageRecord.getSpanHead(i32, recordOf((address >>> PAGE_SHIFT) as PageIndex));
        start = (page << PAGE_SHIFT) >>> 0;
        record = recordOf(page);
        before = PageRecord.getFreeCount(i32, record);
        free = before;
        index = Math.imul((address - start) >>> GRANULE_SHIFT, multiplier) >>> shift;
        n = index >>> 5;
        bits = PageRecord.getBitmap(i32, record, n);
      } else if (index >>> 5 !== n) {
        // point: flush.bit
        PageRecord.setBitmap(i32, record, n, bits);
        n = index >>> 5;
        bits = PageRecord.getBitmap(i32, record, n);
      }
      const bit = 1 << index;
      if ((bits & bit) !== 0) doubleBit(c, address);
      bits |= bit;
      free++;
    }
    if (page === NONE) return;
    // point: flush.bit
    PageRecord.setBitmap(i32, record, n, bits);
    resolveLocked(c, page, before, free);
    ClassRecord.bumpReturns(u32, ClassRecord.at(classes, c));
  }

  /** Stores a span's increased free count, and updates the lists. */
  function resolveLocked(c: SizeClass, page: PageIndex, before: number, free: number): void {
    // point: flush.count
    PageRecord.setFreeCount(i32, recordOf(page), free);
    if (before === 0) linkLocked(c, page);
    if (free === SPAN_BLOCKS[c]) empties.push(page);
  }

  function doubleBit(c: SizeClass, address: number): never {
    throw new HeapCorruptionError(
      `the block at ${hex(address)} of class ${c} is in a cache and free in its span (spans I1)`,
    );
  }

  function releaseEmptiesLocked(c: SizeClass): void {
    if (empties.length === 0) return;
    // Forgotten first: if the page lock throws, they are ordinary spans by the next time.
    const pages = empties;
    empties = new List();
    retired.keepOrGiveLocked(c, pages);
  }

  function disownLocked(c: SizeClass, slot: WordIndex): void {
    retired.releaseSlotLocked(c, slot);
    const list = Slot.partialOf(slot, c);
    for (
      let page = ClassRecord.getPartial(i32, list);
      page !== NONE;
      page = ClassRecord.getPartial(i32, list)
    ) {
      partialRecord(c, page);
      moveLocked(c, list, page, PageOwners.UNOWNED);
    }
  }

  return {
    availableLocked,
    listFreeLocked,
    takeListedLocked,
    putBackLocked,
    releaseEmptiesLocked,
    disownLocked,
  };
}
