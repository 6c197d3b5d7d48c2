/**
 * Retired spans: wholly free spans that a thread keeps for its next refills, and how those that nobody
 * keeps go back to the page heap.
 *
 * Used by spans.ts, thread-cache.ts and large.ts. A function that ends in Locked needs the lock of its
 * class (or solitude), with no transit open; the page lock is taken inside.
 *
 * A thread keeps the spans owned by it that came wholly free, up to a 32nd of the heap: so its blocks
 * stay in its processor's caches, and no page lock is taken (as mimalloc retires pages late). They go back
 * before the heap grows for a new run of this thread, and all threads' where it is full.
 *
 * I1  A retired span is wholly free, and on its owner's list of retired spans and no other. The lists
 *     are index.
 * I2  Who counts its retired spans counts all it has, or more: others give them back too, in a full heap or a
 *     repair.
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
import {
  addSpanCount,
  bumpRetiredKept,
  classLock,
  classRecord,
  getFreeCount,
  getNext,
  getOwner,
  getPartial,
  type HeapMemory,
  ownerCodeOf,
  PAGE_LOCK,
  type PageRecord,
  pageRecord,
  retiredOf,
  UNOWNED,
  usedSlots,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import type { PageHeap } from './page-heap.js';
import { createPartialLists } from './partial-lists.js';

/** A thread's retired spans are a 32nd of the heap at most. */
const HEAP_SHIFT = 5;
/** So many go back before others get the locks. */
const GIVEN_AT_ONCE = 64;
const NONE = 0 as PageIndex;

/** One thread's retired spans. */
export interface RetiredSpans {
  /** May this thread have any? Then the heap should not grow. No lock needed. */
  hasAny(): boolean;
  /** Makes a retired span a span like others of this thread; its head, 0 where there is none. */
  takeLocked(c: SizeClass): PageIndex;
  /** Keeps spans that came wholly free, or gives them back. */
  keepOrGiveLocked(c: SizeClass, pages: readonly PageIndex[]): void;
  /** Gives this thread's retired spans back; false when it cannot have any. Takes class locks. */
  give(): boolean;
  /** Gives those of all threads back; were there any? Takes class locks. */
  releaseAll(): boolean;
  /** Gives back what a slot has of a class. */
  releaseSlotLocked(c: SizeClass, slot: WordIndex): void;
  /** From now on none are kept: the thread is about to leave. */
  stop(): void;
}

/** @param owner that of the thread; UNOWNED for one without a slot, which keeps none */
export function createRetiredSpans(
  memory: HeapMemory,
  locks: Locks,
  pageHeap: PageHeap,
  owner: number,
): RetiredSpans {
  const { i32, u32, owners } = memory;
  const { pageTable, classes, slots, threads, firstPage, endPage } = memory.geometry;
  const { listOf, retiredAt, unlinkLocked, moveLocked, retireLocked } = createPartialLists(memory);
  const recordOf = (page: number): PageRecord => pageRecord(pageTable, page);
  let pagesKept = 0;
  let pagesMax = owner === UNOWNED ? 0 : (endPage - firstPage) >>> HEAP_SHIFT;

  const hasAny = (): boolean => pagesKept > 0;

  function takeLocked(c: SizeClass): PageIndex {
    if (!hasAny()) return NONE;
    const list = retiredAt(c, owner);
    const page = getPartial(i32, list);
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
    if (rest.length > 0) releaseSpansLocked(c, rest, (page) => listOf(c, getOwner(owners, page)));
  }

  function keepLocked(c: SizeClass, page: PageIndex): boolean {
    const pages = pagesKept + SPAN_PAGES[c];
    if (pages > pagesMax || getOwner(owners, page) !== owner) return false;
    retireLocked(c, page);
    bumpRetiredKept(u32, classRecord(classes, c));
    pagesKept = pages;
    return true;
  }

  function releaseSpansLocked(
    c: SizeClass,
    pages: readonly PageIndex[],
    listAt: (page: PageIndex) => WordIndex,
  ): void {
    locks.acquire(PAGE_LOCK);
    for (let n = 0; n < pages.length; n++) {
      unlinkLocked(listAt(pages[n]), pages[n]);
      pageHeap.releaseRunLocked(pages[n]);
    }
    locks.release(PAGE_LOCK);
    // point: release.spans
    addSpanCount(i32, classRecord(classes, c), -pages.length);
  }

  function give(): boolean {
    if (!hasAny()) return false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) releaseList(c, owner);
    pagesKept = 0;
    return true;
  }

  function releaseAll(): boolean {
    const used = usedSlots(u32, slots, threads);
    let given = false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      for (let n = 0; n < used.length; n++) given = releaseList(c, ownerCodeOf(used[n])) || given;
    }
    return given;
  }

  function releaseList(c: SizeClass, one: number): boolean {
    let given = false;
    while (releaseSome(c, retiredAt(c, one))) given = true;
    return given;
  }

  function releaseSome(c: SizeClass, list: WordIndex): boolean {
    // A look without the lock: who comes to have one by then has it for a refill of its own.
    if (getPartial(i32, list) === NONE) return false;
    locks.acquire(classLock(c));
    const given = releaseSomeLocked(c, list);
    locks.release(classLock(c));
    return given;
  }

  /** Gives the first retired spans of a list back; false where there were none. */
  function releaseSomeLocked(c: SizeClass, list: WordIndex): boolean {
    const pages = new List<PageIndex>();
    let page = getPartial(i32, list);
    for (; page !== NONE && pages.length < GIVEN_AT_ONCE; page = getNext(i32, recordOf(page))) {
      checkFree(c, page);
      pages.push(page);
    }
    if (pages.length > 0) releaseSpansLocked(c, pages, () => list);
    return pages.length > 0;
  }

  function releaseSlotLocked(c: SizeClass, slot: WordIndex): void {
    while (releaseSomeLocked(c, retiredOf(slot, c)));
  }

  function checkFree(c: SizeClass, page: PageIndex): void {
    if (getFreeCount(i32, recordOf(page)) === SPAN_BLOCKS[c]) return;
    throw new HeapCorruptionError(
      `the retired spans of class ${c} have page ${page}, where not all blocks are free (retired-spans I1)`,
    );
  }

  function stop(): void {
    pagesMax = 0;
  }

  return { hasAny, takeLocked, keepOrGiveLocked, give, releaseAll, releaseSlotLocked, stop };
}
