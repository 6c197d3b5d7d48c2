/**
 * Retired spans: wholly free spans that a thread keeps for its next refills, and the return of
 * other wholly free spans to the page heap.
 *
 * Used by spans.ts, thread-cache.ts and large.ts. A function that ends in Locked needs the lock of
 * its class, with no transit open; it acquires the page lock inside.
 *
 * A thread keeps its own spans that became wholly free, up to a 32nd of the heap: so its blocks
 * stay in its processor's caches, and no page lock is taken (as mimalloc retires pages late). They
 * are released before the heap grows for a new run of this thread; in a full heap those of all
 * threads are.
 *
 * I1  A retired span is wholly free, and in its owner's list of retired spans and no other. The
 *     lists are derived.
 * I2  A thread's count of its retired spans is an upper bound: other threads release some of them,
 *     too, in a full heap or a repair.
 */

import {
  HeapCorruptionError,
  List,
  type PageIndex,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SPAN_BLOCKS,
  SPAN_PAGES,
  type WordIndex,
} from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import type { Geometry, HeapMemory } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageOwners from '../layout/page-owners.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import type { Locks } from '../sync/index.js';
import type { PageHeap } from './page-heap.js';
import { createPartialLists, type PartialLists } from './partial-lists.js';

/** Maximum share of the heap for a thread's retired spans: a 32nd, as a shift. */
const HEAP_SHIFT = 5;
/** Maximum spans to release before other threads get the locks. */
const GIVEN_AT_ONCE = 64;
const NONE = 0 as PageIndex;

/** One thread's retired spans. */
export class RetiredSpans {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #owners: Uint8Array;
  readonly #geometry: Geometry;
  readonly #pageTable: number;
  readonly #classes: WordIndex;
  readonly #locks: Locks;
  readonly #pageHeap: PageHeap;
  readonly #lists: PartialLists;
  readonly #owner: number;
  #pagesKept = 0;
  #pagesMax: number;

  /** @param owner the thread as page owner; UNOWNED for a thread without a slot, which keeps none */
  constructor(memory: HeapMemory, locks: Locks, pageHeap: PageHeap, owner: number) {
    const { firstPage, endPage } = memory.geometry;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#owners = memory.owners;
    this.#geometry = memory.geometry;
    this.#pageTable = memory.geometry.pageTable;
    this.#classes = memory.geometry.classes;
    this.#locks = locks;
    this.#pageHeap = pageHeap;
    this.#lists = createPartialLists(memory);
    this.#owner = owner;
    this.#pagesMax = owner === PageOwners.UNOWNED ? 0 : (endPage - firstPage) >>> HEAP_SHIFT;
  }

  /** True if this thread may have some: then the heap should not grow. No lock needed. */
  hasAny(): boolean {
    return this.#pagesKept > 0;
  }

  /** Turns a retired span into an ordinary span of this thread; returns its head, 0 = none. */
  takeLocked(c: SizeClass): PageIndex {
    const owner = this.#owner;
    const lists = this.#lists;
    if (!this.hasAny()) return NONE;
    const list = lists.retiredAt(c, owner);
    const page = ClassRecord.getPartial(this.#i32, list);
    if (page === NONE) return NONE;
    this.#checkFree(c, page);
    lists.moveLocked(c, list, page, owner);
    this.#pagesKept -= SPAN_PAGES[c];
    return page;
  }

  /** Keeps spans that became wholly free, or releases them. */
  keepOrGiveLocked(c: SizeClass, pages: readonly PageIndex[]): void {
    const owners = this.#owners;
    const lists = this.#lists;
    const rest = new List<PageIndex>();
    for (let n = 0; n < pages.length; n++) {
      if (!this.#keepLocked(c, pages[n])) rest.push(pages[n]);
    }
    if (rest.length > 0)
      this.#releaseSpansLocked(c, rest, (page) => lists.listOf(c, PageOwners.get(owners, page)));
  }

  #keepLocked(c: SizeClass, page: PageIndex): boolean {
    const pages = this.#pagesKept + SPAN_PAGES[c];
    if (pages > this.#pagesMax || PageOwners.get(this.#owners, page) !== this.#owner) return false;
    this.#lists.retireLocked(c, page);
    ClassRecord.bumpRetiredKept(this.#u32, ClassRecord.at(this.#classes, c));
    this.#pagesKept = pages;
    return true;
  }

  #releaseSpansLocked(
    c: SizeClass,
    pages: readonly PageIndex[],
    listAt: (page: PageIndex) => WordIndex,
  ): void {
    const i32 = this.#i32;
    const classes = this.#classes;
    const lists = this.#lists;
    this.#locks.acquire(LockTable.PAGE);
    for (let n = 0; n < pages.length; n++) {
      lists.unlinkLocked(listAt(pages[n]), pages[n]);
      this.#pageHeap.releaseRunLocked(pages[n]);
    }
    this.#locks.release(LockTable.PAGE);
    // point: release.spans
    ClassRecord.addSpanCount(i32, ClassRecord.at(classes, c), -pages.length);
  }

  /**
   * Releases this thread's retired spans; returns false if it cannot have any. Takes class locks.
   */
  give(): boolean {
    const owner = this.#owner;
    if (!this.hasAny()) return false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) this.#releaseList(c, owner);
    this.#pagesKept = 0;
    return true;
  }

  /**
   * Releases the retired spans of all threads; returns true if there were any. Takes class locks.
   */
  releaseAll(): boolean {
    const used = Slot.used(this.#u32, this.#geometry.slots, this.#geometry.threads);
    let given = false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      for (let n = 0; n < used.length; n++)
        given = this.#releaseList(c, PageOwners.codeOf(used[n])) || given;
    }
    return given;
  }

  #releaseList(c: SizeClass, one: number): boolean {
    const lists = this.#lists;
    let given = false;
    while (this.#releaseSome(c, lists.retiredAt(c, one))) given = true;
    return given;
  }

  #releaseSome(c: SizeClass, list: WordIndex): boolean {
    // Read without the lock: a span that comes into the list meanwhile is for its owner's next
    // refill.
    if (ClassRecord.getPartial(this.#i32, list) === NONE) return false;
    this.#locks.acquire(LockTable.ofClass(c));
    const given = this.#releaseSomeLocked(c, list);
    this.#locks.release(LockTable.ofClass(c));
    return given;
  }

  /** Releases the first retired spans of a list; returns false if there were none. */
  #releaseSomeLocked(c: SizeClass, list: WordIndex): boolean {
    const i32 = this.#i32;
    const pageTable = this.#pageTable;
    const pages = new List<PageIndex>();
    let page = ClassRecord.getPartial(i32, list);
    for (
      ;
      page !== NONE && pages.length < GIVEN_AT_ONCE;
      page = PageRecord.getNext(i32, PageRecord.at(pageTable, page))
    ) {
      this.#checkFree(c, page);
      pages.push(page);
    }
    if (pages.length > 0) this.#releaseSpansLocked(c, pages, () => list);
    return pages.length > 0;
  }

  /** Releases a slot's retired spans of a class. */
  releaseSlotLocked(c: SizeClass, slot: WordIndex): void {
    while (this.#releaseSomeLocked(c, Slot.retiredOf(slot, c)));
  }

  #checkFree(c: SizeClass, page: PageIndex): void {
    if (PageRecord.getFreeCount(this.#i32, PageRecord.at(this.#pageTable, page)) === SPAN_BLOCKS[c])
      return;
    throw new HeapCorruptionError(
      `the retired spans of class ${c} include page ${page}, whose blocks are not all free (retired-spans I1)`,
    );
  }

  /** Keeps no more spans from now on: the thread is about to detach. */
  stop(): void {
    this.#pagesMax = 0;
  }
}
