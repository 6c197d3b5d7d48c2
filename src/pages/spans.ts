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
import type { PageTools } from './page-tools.js';
import { createPartialLists, type PartialLists } from './partial-lists.js';
import type { RetiredSpans } from './retired-spans.js';

const NONE = 0 as PageIndex;
const NO_RECORD = 0 as WordIndex;

/** The spans of all threads, as one thread works with them. */
export class Spans {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #pageTable: number;
  readonly #classes: WordIndex;
  readonly #locks: Locks;
  readonly #pageHeap: PageHeap;
  readonly #retired: RetiredSpans;
  readonly #lists: PartialLists;
  readonly #owner: number;
  /** Spans that became wholly free since the last release, newest last. */
  #empties = new List<PageIndex>();

  constructor({ memory, locks, pageHeap, retired, owner }: Omit<PageTools, 'spans'>) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#pageTable = memory.geometry.pageTable;
    this.#classes = memory.geometry.classes;
    this.#locks = locks;
    this.#pageHeap = pageHeap;
    this.#retired = retired;
    this.#lists = createPartialLists(memory);
    this.#owner = owner;
  }

  // ---- Taking blocks

  /**
   * Number of free blocks that this owner's spans can give, up to `wanted`; makes sure that there
   * is such a span. 0 = the heap is full.
   */
  availableLocked(c: SizeClass, wanted: number): number {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const owner = this.#owner;
    const lists = this.#lists;
    const retired = this.#retired;
    let available = 0;
    let page = ClassRecord.getPartial(i32, lists.listOf(c, owner));
    for (
      ;
      page !== 0 && available < wanted;
      page = PageRecord.getNext(i32, PageRecord.at(pageTable, page))
    ) {
      // Each call adds at least one block, so the loop ends.
      available += PageRecord.getFreeCount(i32, this.#partialRecord(c, page));
    }
    while (available < wanted) {
      page = this.#moveFirstLocked(c, lists.listOf(c, PageOwners.UNOWNED), owner);
      if (page === NONE) break;
      available += PageRecord.getFreeCount(i32, PageRecord.at(pageTable, page));
    }
    if (available === 0) {
      page =
        retired.takeLocked(c) ||
        this.#newSpanLocked(c) ||
        (retired.hasAny() ? NONE : this.#stealLocked(c));
      if (page !== NONE) available = PageRecord.getFreeCount(i32, PageRecord.at(pageTable, page));
    }
    return Math.min(available, wanted);
  }

  /** Gives the first span of a list to another owner; 0 = there is none. */
  #moveFirstLocked(c: SizeClass, list: WordIndex, owner: number): PageIndex {
    const page = ClassRecord.getPartial(this.#i32, list);
    if (page === NONE) return NONE;
    this.#partialRecord(c, page);
    this.#lists.moveLocked(c, list, page, owner);
    return page;
  }

  #stealLocked(c: SizeClass): PageIndex {
    const { u32, geometry } = this.#memory;
    const owner = this.#owner;
    const used = Slot.used(u32, geometry.slots, geometry.threads);
    for (let n = 0; n < used.length; n++) {
      const other = PageOwners.codeOf(used[n]);
      if (other === owner) continue;
      const page = this.#moveFirstLocked(c, this.#lists.listOf(c, other), owner);
      if (page !== NONE) return page;
    }
    return NONE;
  }

  /** The record of a span in one of the lists: it has a free block. */
  #partialRecord(c: SizeClass, page: PageIndex): WordIndex {
    const record = PageRecord.at(this.#pageTable, page);
    if (page !== NONE && PageRecord.getFreeCount(this.#i32, record) > 0) return record;
    throw new HeapCorruptionError(
      `a list of class ${c} names page ${page}, which has no free block (spans I3)`,
    );
  }

  #newSpanLocked(c: SizeClass): PageIndex {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const mayGrow = !this.#retired.hasAny();
    this.#locks.acquire(LockTable.PAGE);
    const { page } = this.#pageHeap.takeRunLocked(SPAN_PAGES[c], 1, 'bottom', mayGrow);
    this.#locks.release(LockTable.PAGE);
    if (page === 0) return NONE;
    const record = PageRecord.at(pageTable, page);
    for (let n = 0; n < SPAN_PAGES[c]; n++) {
      // point: span.head
      PageRecord.setSpanHead(i32, PageRecord.at(pageTable, page + n), page);
    }
    const blocks = SPAN_BLOCKS[c];
    for (let n = 0; n << 5 < blocks; n++) {
      const left = blocks - (n << 5);
      // point: span.bitmap
      PageRecord.setBitmap(i32, record, n, left >= 32 ? -1 : (1 << left) - 1);
    }
    PageOwners.set(this.#memory.owners, page, SPAN_PAGES[c], this.#owner);
    // point: span.commit
    this.#pageHeap.commitRun(page, PageRecord.SPAN_RUN, c);
    // point: span.count
    PageRecord.setFreeCount(i32, record, blocks);
    this.#lists.linkLocked(c, page);
    // point: span.spans
    ClassRecord.addSpanCount(i32, ClassRecord.at(this.#classes, c), 1);
    return page;
  }

  /**
   * Writes `count` free addresses to the words below index `end`; the lowest address of the first
   * span comes last. Clears no bit yet: takeListedLocked does, with the same count.
   */
  listFreeLocked(c: SizeClass, count: number, end: number): void {
    const i32 = this.#i32;
    const owner = this.#owner;
    const lists = this.#lists;
    const blockBytes = BLOCK_BYTES[c];
    const begin = end - count;
    let entry = end;
    let page = ClassRecord.getPartial(i32, lists.listOf(c, owner));
    while (entry > begin) {
      const record = this.#partialRecord(c, page);
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
      if (entry === before) throw this.#fewerBits(c);
      page = PageRecord.getNext(i32, record);
    }
  }

  #fewerBits(c: SizeClass): HeapCorruptionError {
    return new HeapCorruptionError(
      `a span of class ${c} has fewer free blocks than its free count says (spans I3)`,
    );
  }

  /** Clears the bits of the first `count` free blocks, in the order of listFreeLocked. */
  takeListedLocked(c: SizeClass, count: number): void {
    const i32 = this.#i32;
    const owner = this.#owner;
    const lists = this.#lists;
    let left = count;
    while (left > 0) {
      const page = ClassRecord.getPartial(i32, lists.listOf(c, owner));
      const record = this.#partialRecord(c, page);
      const free = PageRecord.getFreeCount(i32, record);
      if (free <= left) {
        for (let n = 0; n << 5 < SPAN_BLOCKS[c]; n++) {
          // point: refill.bit
          PageRecord.setBitmap(i32, record, n, 0);
        }
        // point: refill.count
        PageRecord.setFreeCount(i32, record, 0);
        lists.unlinkLocked(lists.listOf(c, owner), page);
        left -= free;
      } else {
        this.#clearLowest(c, record, left);
        // point: refill.count
        PageRecord.setFreeCount(i32, record, free - left);
        left = 0;
      }
    }
  }

  /** Clears the `count` lowest bits of a bitmap that has more bits. */
  #clearLowest(c: SizeClass, record: WordIndex, count: number): void {
    const i32 = this.#i32;
    let left = count;
    for (let n = 0; left > 0; n++) {
      if (n << 5 >= SPAN_BLOCKS[c]) throw this.#fewerBits(c);
      let bits = PageRecord.getBitmap(i32, record, n);
      if (bits === 0) continue;
      for (; bits !== 0 && left > 0; left--) bits &= bits - 1;
      // point: refill.bit
      PageRecord.setBitmap(i32, record, n, bits);
    }
  }

  // ---- Putting blocks back

  /** Sets the bits of the blocks whose addresses are in words [from, to). */
  putBackLocked(c: SizeClass, from: number, to: number): void {
    const i32 = this.#i32;
    const u32 = this.#u32;
    const pageTable = this.#pageTable;
    const classes = this.#classes;
    // Some are left only if a section threw before it released them: they are repaired by now.
    if (this.#empties.length > 0) this.#empties = new List();
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
          this.#resolveLocked(c, page, before, free);
        }
        page = PageRecord.getSpanHead(i32, PageRecord.at(pageTable, address >>> PAGE_SHIFT));
        start = (page << PAGE_SHIFT) >>> 0;
        record = PageRecord.at(pageTable, page);
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
      if ((bits & bit) !== 0) this.#doubleBit(c, address);
      bits |= bit;
      free++;
    }
    if (page === NONE) return;
    // point: flush.bit
    PageRecord.setBitmap(i32, record, n, bits);
    this.#resolveLocked(c, page, before, free);
    ClassRecord.bumpReturns(u32, ClassRecord.at(classes, c));
  }

  /** Stores a span's increased free count, and updates the lists. */
  #resolveLocked(c: SizeClass, page: PageIndex, before: number, free: number): void {
    // point: flush.count
    PageRecord.setFreeCount(this.#i32, PageRecord.at(this.#pageTable, page), free);
    if (before === 0) this.#lists.linkLocked(c, page);
    if (free === SPAN_BLOCKS[c]) this.#empties.push(page);
  }

  #doubleBit(c: SizeClass, address: number): never {
    throw new HeapCorruptionError(
      `the block at ${hex(address)} of class ${c} is in a cache and free in its span (spans I1)`,
    );
  }

  /**
   * Releases the spans that putBack found wholly free, except retired ones. No transit may be open.
   */
  releaseEmptiesLocked(c: SizeClass): void {
    if (this.#empties.length === 0) return;
    // Forgotten first: if the page lock throws, they are ordinary spans by the next time.
    const pages = this.#empties;
    this.#empties = new List();
    this.#retired.keepOrGiveLocked(c, pages);
  }

  /**
   * Makes a slot's spans unowned and releases its retired spans: its thread detaches, or is dead.
   */
  disownLocked(c: SizeClass, slot: WordIndex): void {
    this.#retired.releaseSlotLocked(c, slot);
    while (this.#moveFirstLocked(c, Slot.partialOf(slot, c), PageOwners.UNOWNED) !== NONE);
  }
}
