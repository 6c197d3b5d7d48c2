/**
 * Repair: rebuilds what a lock guards from the source words, whatever a thread left half done
 * there.
 *
 * Called by sync/mutex.ts when a lock is taken over from a dead owner, and by self-repair.ts when
 * a living one throws. The caller owns the lock that it names; for a class, the page lock is
 * acquired inside, before anything is changed.
 *
 * The source words are the run words at the heads of runs, span bitmaps and magazines; all others
 * are derived (layout/page-record.ts, layout/page-heap-record.ts), and one walk rebuilds them.
 *
 * I1  Every step can be repeated: the repairing thread may die, too, and the next one begins anew.
 * I2  Only the domain of the one lock is changed.
 * I3  A transit is closed by a recount, as the last step: every block of the class that is not free
 *     in a span is held by a slot, and the counts of the other slots are known.
 */

import {
  BLOCK_BYTES,
  blockIndex,
  countBits,
  GRANULE_SHIFT,
  HeapCorruptionError,
  hex,
  List,
  type MagazineIndex,
  PAGE_BYTES,
  type PageIndex,
  type SizeClass,
  SPAN_BLOCKS,
  type WordIndex,
} from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import { type HeapMemory, type LockIndex, magazinesOf, pageOf } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import {
  createPartialLists,
  type PageHeap,
  type PartialLists,
  RunBins,
  walkRunsLocked,
} from '../pages/index.js';
import type { Locks } from '../sync/index.js';

const NONE = 0 as PageIndex;

interface OpenTransit {
  readonly slot: WordIndex;
  readonly magazine: MagazineIndex;
}

/** Repairs, as one thread does them. */
export class Repairs {
  readonly #memory: HeapMemory;
  readonly #locks: Locks;
  readonly #pageHeap: PageHeap;
  readonly #bins: RunBins;
  readonly #partial: PartialLists;

  constructor(memory: HeapMemory, locks: Locks, pageHeap: PageHeap) {
    this.#memory = memory;
    this.#locks = locks;
    this.#pageHeap = pageHeap;
    this.#bins = new RunBins(memory);
    this.#partial = createPartialLists(memory);
  }

  /** Repairs the domain of one lock, which the caller owns. */
  lockLocked(lock: LockIndex): void {
    // Recovery keeps no state of its own: the next owner of its lock begins anew.
    if (lock === LockTable.RECOVERY) return;
    if (lock === LockTable.PAGE) this.#repairPagesLocked();
    else this.#repairClassLocked(lock as number as SizeClass);
  }

  // ---- The page lock's domain

  #repairPagesLocked(): void {
    const { i32, u32, geometry } = this.#memory;
    const { pageTable } = geometry;
    // point: pages.bins
    PageHeapRecord.clearBins(i32, geometry.pageHeap);
    this.#joinFreeLocked();
    let untouched = NONE;
    let mapped = 0;
    let runs = 0;
    walkRunsLocked(this.#memory, (head, word) => {
      const kind = PageRecord.kindOf(word);
      const pages = PageRecord.pagesOf(word);
      // point: pages.tail
      PageRecord.setTail(
        i32,
        PageRecord.at(pageTable, head + pages - 1),
        kind === PageRecord.FREE_RUN ? pages : 0,
      );
      if (kind === PageRecord.FREE_RUN) {
        this.#bins.linkLocked(head, pages);
      } else if (kind === PageRecord.UNTOUCHED_RUN) {
        untouched = head;
      } else {
        mapped += pages;
        runs++;
      }
    });
    // point: pages.index
    PageHeapRecord.setUntouched(i32, geometry.pageHeap, untouched);
    // If the reserve is used up, the brk stays at its last place.
    PageHeapRecord.setBrk(
      i32,
      geometry.pageHeap,
      untouched || PageHeapRecord.getBrk(i32, geometry.pageHeap),
    );
    PageHeapRecord.setMapped(i32, geometry.pageHeap, mapped, runs);
    PageHeapRecord.bumpRunReturns(u32, geometry.pageHeap);
  }

  /** Joins adjacent FREE runs: a split or a merge may have stopped half-way. */
  #joinFreeLocked(): void {
    const { i32, geometry } = this.#memory;
    const { pageTable } = geometry;
    let below = NONE;
    let end = 0;
    walkRunsLocked(this.#memory, (head, word) => {
      if (PageRecord.kindOf(word) !== PageRecord.FREE_RUN) return;
      if (below === NONE || end !== head) {
        below = head;
      } else {
        // point: pages.join
        PageRecord.setRun(
          i32,
          PageRecord.at(pageTable, below),
          PageRecord.wordOf(PageRecord.FREE_RUN, 0, head + PageRecord.pagesOf(word) - below),
        );
      }
      end = head + PageRecord.pagesOf(word);
    });
  }

  // ---- A class lock's domain

  #repairClassLocked(c: SizeClass): void {
    const { u32, f64 } = this.#memory;
    // Acquired before anything is changed: if this throws, the class lock is released unchanged.
    this.#locks.acquire(LockTable.PAGE);
    const open = this.#closeTransitsLocked(c);
    const { held, empties } = this.#rebuildClassLocked(c);
    for (let n = 0; n < open.length; n++) {
      const { slot, magazine } = open[n];
      // point: close.held
      Slot.setHeld(f64, slot, c, held - this.#heldByOthers(c, slot));
      // point: close.transit
      Slot.closeTransit(u32, slot, magazine, Slot.topOf(u32, slot, magazine));
    }
    for (let n = 0; n < empties.length; n++) this.#pageHeap.releaseRunLocked(empties[n]);
    this.#locks.release(LockTable.PAGE);
  }

  /** Gives the entries of open transits back to their spans; returns these transits. */
  #closeTransitsLocked(c: SizeClass): List<OpenTransit> {
    const { u32, f64, tags, geometry } = this.#memory;
    const open = this.#openTransits(c);
    for (let n = 0; n < open.length; n++) {
      const { slot, magazine } = open[n];
      const transit = Slot.getTransit(u32, slot, magazine);
      const top = Slot.topOf(u32, slot, magazine);
      for (let entry = top; entry < transit; entry++) {
        // point: close.tag
        tags[u32[entry] >>> GRANULE_SHIFT] = 0;
        this.#setBitLocked(c, u32[entry]);
      }
      if (transit > top) {
        LockTable.addCounter(
          f64,
          LockTable.at(geometry.locks, LockTable.ofClass(c)),
          LockTable.CLOSED_BLOCKS,
          transit - top,
        );
      }
    }
    if (open.length > 1) {
      throw new HeapCorruptionError(`${open.length} open transits in class ${c} (slot I3)`);
    }
    return open;
  }

  #openTransits(c: SizeClass): List<OpenTransit> {
    const { u32 } = this.#memory;
    const open = new List<OpenTransit>();
    const used = this.#usedRecords();
    const magazines = magazinesOf(c);
    for (let n = 0; n < used.length; n++) {
      for (let m = 0; m < magazines.length; m++) {
        const transit: OpenTransit = { slot: used[n], magazine: magazines[m] };
        if (Slot.getTransit(u32, transit.slot, transit.magazine) !== 0) open.push(transit);
      }
    }
    return open;
  }

  #setBitLocked(c: SizeClass, address: number): void {
    const { i32, geometry } = this.#memory;
    const { pageTable } = geometry;
    const head = PageRecord.getSpanHead(i32, PageRecord.at(pageTable, pageOf(address)));
    const word = PageRecord.getRun(i32, PageRecord.at(pageTable, head));
    const index = blockIndex(c, address - head * PAGE_BYTES);
    const isBlock =
      index < SPAN_BLOCKS[c] && head * PAGE_BYTES + index * BLOCK_BYTES[c] === address;
    if (!PageRecord.isSpanOf(word, c) || !isBlock) {
      throw new HeapCorruptionError(
        `the block at ${hex(address)}, on its way between a cache and a span of class ${c}, ` +
          'lies in no such span (spans I2)',
      );
    }
    const n = index >>> 5;
    // point: close.bit
    PageRecord.setBitmap(
      i32,
      PageRecord.at(pageTable, head),
      n,
      PageRecord.getBitmap(i32, PageRecord.at(pageTable, head), n) | (1 << index),
    );
  }

  /** Rebuilds free counts and partial lists from the bitmaps. */
  #rebuildClassLocked(c: SizeClass): { held: number; empties: List<PageIndex> } {
    const { i32, u32, geometry } = this.#memory;
    const list = ClassRecord.at(geometry.classes, c);
    const blocks = SPAN_BLOCKS[c];
    const empties = new List<PageIndex>();
    const used = this.#usedRecords();
    let held = 0;
    let spans = 0;
    // point: class.partial
    ClassRecord.setPartial(i32, ClassRecord.unownedPartial(list), NONE);
    // point: class.partial
    for (let n = 0; n < used.length; n++)
      ClassRecord.setPartial(i32, Slot.partialOf(used[n], c), NONE);
    // point: class.partial
    for (let n = 0; n < used.length; n++)
      ClassRecord.setPartial(i32, Slot.retiredOf(used[n], c), NONE);
    walkRunsLocked(this.#memory, (head, word, record) => {
      if (!PageRecord.isSpanOf(word, c)) return;
      const free = this.#countFree(record, c);
      held += blocks - free;
      // point: class.count
      PageRecord.setFreeCount(i32, record, free);
      if (free === blocks) {
        empties.push(head);
        return;
      }
      if (free > 0) this.#partial.linkLocked(c, head);
      spans++;
    });
    // point: class.spans
    ClassRecord.setSpanCount(i32, list, spans);
    ClassRecord.bumpReturns(u32, list);
    return { held, empties };
  }

  #countFree(record: WordIndex, c: SizeClass): number {
    const { i32 } = this.#memory;
    let free = 0;
    for (let n = 0; n << 5 < SPAN_BLOCKS[c]; n++)
      free += countBits(PageRecord.getBitmap(i32, record, n));
    return free;
  }

  #heldByOthers(c: SizeClass, slot: WordIndex): number {
    const { f64 } = this.#memory;
    let held = 0;
    const used = this.#usedRecords();
    for (let n = 0; n < used.length; n++) {
      if (used[n] !== slot) held += Slot.getHeld(f64, used[n], c);
    }
    return held;
  }

  #usedRecords(): List<WordIndex> {
    const { u32, geometry } = this.#memory;
    return Slot.usedRecords(u32, geometry.slots, geometry.threads);
  }
}
