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
import type { HeapMemory } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageOwners from '../layout/page-owners.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import type { Locks } from '../sync/index.js';
import type { PageHeap } from './page-heap.js';
import { createPartialLists } from './partial-lists.js';

/** Maximum share of the heap for a thread's retired spans: a 32nd, as a shift. */
const HEAP_SHIFT = 5;
/** Maximum spans to release before other threads get the locks. */
const GIVEN_AT_ONCE = 64;
const NONE = 0 as PageIndex;

/** One thread's retired spans. */
export interface RetiredSpans {
  /** True if this thread may have some: then the heap should not grow. No lock needed. */
  hasAny(): boolean;
  /** Turns a retired span into an ordinary span of this thread; returns its head, 0 = none. */
  takeLocked(c: SizeClass): PageIndex;
  /** Keeps spans that became wholly free, or releases them. */
  keepOrGiveLocked(c: SizeClass, pages: readonly PageIndex[]): void;
  /**
   * Releases this thread's retired spans; returns false if it cannot have any. Takes class locks.
   */
  give(): boolean;
  /**
   * Releases the retired spans of all threads; returns true if there were any. Takes class locks.
   */
  releaseAll(): boolean;
  /** Releases a slot's retired spans of a class. */
  releaseSlotLocked(c: SizeClass, slot: WordIndex): void;
  /** Keeps no more spans from now on: the thread is about to detach. */
  stop(): void;
}

/** @param owner the thread as page owner; UNOWNED for a thread without a slot, which keeps none */
export function createRetiredSpans(
  memory: HeapMemory,
  locks: Locks,
  pageHeap: PageHeap,
  owner: number,
): RetiredSpans {
  const { i32, u32, owners } = memory;
  const { pageTable, classes, slots, threads, firstPage, endPage } = memory.geometry;
  const { listOf, retiredAt, unlinkLocked, moveLocked, retireLocked } = createPartialLists(memory);
  const recordOf = (page: number): WordIndex => PageRecord.at(pageTable, page);
  let pagesKept = 0;
  let pagesMax = owner === PageOwners.UNOWNED ? 0 : (endPage - firstPage) >>> HEAP_SHIFT;

  const hasAny = (): boolean => pagesKept > 0;

  function takeLocked(c: SizeClass): PageIndex {
    if (!hasAny()) return NONE;
    const list = retiredAt(c, owner);
    const page = ClassRecord.getPartial(i32, list);
    if (page === NONE) return NONE;
    checkFree(c, page);
    moveLocked(c, list, page, owner);
    pagesKept -= SPAN_PAGES[c];
    return page;
  }

  function keepOrGiveLocked(c: SizeClass, pages: readonly PageIndex[]): void {
    const rest = new List<PageIndex>();
    for (let n = 0; n < pages.length; n++) {
      if (!keepLocked(c, pages[n])) rest.push(pages[n]);
    }
    if (rest.length > 0)
      releaseSpansLocked(c, rest, (page) => listOf(c, PageOwners.get(owners, page)));
  }

  function keepLocked(c: SizeClass, page: PageIndex): boolean {
    const pages = pagesKept + SPAN_PAGES[c];
    if (pages > pagesMax || PageOwners.get(owners, page) !== owner) return false;
    retireLocked(c, page);
    ClassRecord.bumpRetiredKept(u32, ClassRecord.at(classes, c));
    pagesKept = pages;
    return true;
  }

  function releaseSpansLocked(
    c: SizeClass,
    pages: readonly PageIndex[],
    listAt: (page: PageIndex) => WordIndex,
  ): void {
    locks.acquire(LockTable.PAGE);
    for (let n = 0; n < pages.length; n++) {
      unlinkLocked(listAt(pages[n]), pages[n]);
      pageHeap.releaseRunLocked(pages[n]);
    }
    locks.release(LockTable.PAGE);
    // point: release.spans
    ClassRecord.addSpanCount(i32, ClassRecord.at(classes, c), -pages.length);
  }

  function give(): boolean {
    if (!hasAny()) return false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) releaseList(c, owner);
    pagesKept = 0;
    return true;
  }

  function releaseAll(): boolean {
    const used = Slot.used(u32, slots, threads);
    let given = false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      for (let n = 0; n < used.length; n++)
        given = releaseList(c, PageOwners.codeOf(used[n])) || given;
    }
    return given;
  }

  function releaseList(c: SizeClass, one: number): boolean {
    let given = false;
    while (releaseSome(c, retiredAt(c, one))) given = true;
    return given;
  }

  function releaseSome(c: SizeClass, list: WordIndex): boolean {
    // Read without the lock: a span that comes into the list meanwhile is for its owner's next
    // refill.
    if (ClassRecord.getPartial(i32, list) === NONE) return false;
    locks.acquire(LockTable.ofClass(c));
    const given = releaseSomeLocked(c, list);
    locks.release(LockTable.ofClass(c));
    return given;
  }

  /** Releases the first retired spans of a list; returns false if there were none. */
  function releaseSomeLocked(c: SizeClass, list: WordIndex): boolean {
    const pages = new List<PageIndex>();
    let page = ClassRecord.getPartial(i32, list);
    for (
      ;
      page !== NONE && pages.length < GIVEN_AT_ONCE;
      page = PageRecord.getNext(i32, recordOf(page))
    ) {
      checkFree(c, page);
      pages.push(page);
    }
    if (pages.length > 0) releaseSpansLocked(c, pages, () => list);
    return pages.length > 0;
  }

  function releaseSlotLocked(c: SizeClass, slot: WordIndex): void {
    while (releaseSomeLocked(c, Slot.retiredOf(slot, c)));
  }

  function checkFree(c: SizeClass, page: PageIndex): void {
    if (PageRecord.getFreeCount(i32, recordOf(page)) === SPAN_BLOCKS[c]) return;
    throw new HeapCorruptionError(
      `the retired spans of class ${c} include page ${page}, whose blocks are not all free (retired-spans I1)`,
    );
  }

  function stop(): void {
    pagesMax = 0;
  }

  return { hasAny, takeLocked, keepOrGiveLocked, give, releaseAll, releaseSlotLocked, stop };
}
