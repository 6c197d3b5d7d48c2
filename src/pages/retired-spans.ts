/**
 * Spares: wholly free spans that a thread keeps for its next refills, and how those that nobody keeps go
 * back to the page heap.
 *
 * Used by spans.ts, thread-cache.ts and large.ts. A function that ends in Locked needs the lock of its class (or
 * solitude), with no transit open; the page lock is taken inside.
 *
 * A thread keeps the spans at home with it that came wholly free, up to a 32nd of the heap: so its blocks
 * stay in its processor's caches, and no page lock is taken (as mimalloc retires pages late). They go back
 * before the heap grows for a new run of this thread, and all threads' where it is full.
 *
 * I1  A spare is wholly free, and on its home's list of spares and no other. The lists are index.
 * I2  Who counts its spares counts all it has, or more: others give them back too, in a full heap or a
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
  bumpSparesKept,
  classLock,
  classRecord,
  getFreeCount,
  getHome,
  getNext,
  getPartial,
  type HeapMemory,
  homeOf,
  NOBODY,
  PAGE_LOCK,
  type PageRecord,
  pageRecord,
  sparesOf,
  usedSlots,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import type { PageHeap } from './page-heap.js';
import { createPartialLists } from './partial-lists.js';

/** A thread's spares are a 32nd of the heap at most. */
const HEAP_SHIFT = 5;
/** So many go back before others get the locks. */
const GIVEN_AT_ONCE = 64;
const NONE = 0 as PageIndex;

/** One thread's spares. */
export interface Spares {
  /** May this thread have any? Then the heap should not grow. No lock needed. */
  hasAny(): boolean;
  /** Makes a spare a span like others of this thread; its head, 0 where there is none. */
  takeLocked(c: SizeClass): PageIndex;
  /** Keeps spans that came wholly free, or gives them back. */
  keepOrGiveLocked(c: SizeClass, pages: readonly PageIndex[]): void;
  /** Gives this thread's spares back; false when it cannot have any. Takes class locks. */
  give(): boolean;
  /** Gives those of all threads back; were there any? Takes class locks. */
  giveAll(): boolean;
  /** Gives back what a slot has of a class. */
  giveSlotLocked(c: SizeClass, slot: WordIndex): void;
  /** From now on none are kept: the thread is about to leave. */
  stop(): void;
}

/** @param home that of the thread; NOBODY for one without a slot, which keeps none */
export function createSpares(
  memory: HeapMemory,
  locks: Locks,
  pageHeap: PageHeap,
  home: number,
): Spares {
  const { i32, u32, homes } = memory;
  const { pageTable, classes, slots, threads, firstPage, endPage } = memory.geometry;
  const { listOf, sparesAt, unlinkLocked, moveLocked, spareLocked } = createPartialLists(memory);
  const recordOf = (page: number): PageRecord => pageRecord(pageTable, page);
  let pagesKept = 0;
  let pagesMax = home === NOBODY ? 0 : (endPage - firstPage) >>> HEAP_SHIFT;

  const hasAny = (): boolean => pagesKept > 0;

  function takeLocked(c: SizeClass): PageIndex {
    if (!hasAny()) return NONE;
    const list = sparesAt(c, home);
    const page = getPartial(i32, list);
    if (page === NONE) return NONE;
    checkFree(c, page);
    moveLocked(c, list, page, home);
    pagesKept -= SPAN_PAGES[c];
    return page;
  }

  function keepOrGiveLocked(c: SizeClass, pages: readonly PageIndex[]): void {
    const rest = new List<PageIndex>();
    for (let n = 0; n < pages.length; n++) {
      if (!keepLocked(c, pages[n])) rest.push(pages[n]);
    }
    if (rest.length > 0) giveSpansLocked(c, rest, (page) => listOf(c, getHome(homes, page)));
  }

  function keepLocked(c: SizeClass, page: PageIndex): boolean {
    const pages = pagesKept + SPAN_PAGES[c];
    if (pages > pagesMax || getHome(homes, page) !== home) return false;
    spareLocked(c, page);
    bumpSparesKept(u32, classRecord(classes, c));
    pagesKept = pages;
    return true;
  }

  function giveSpansLocked(
    c: SizeClass,
    pages: readonly PageIndex[],
    listAt: (page: PageIndex) => WordIndex,
  ): void {
    locks.acquire(PAGE_LOCK);
    for (let n = 0; n < pages.length; n++) {
      unlinkLocked(listAt(pages[n]), pages[n]);
      pageHeap.giveRunLocked(pages[n]);
    }
    locks.release(PAGE_LOCK);
    // point: release.spans
    addSpanCount(i32, classRecord(classes, c), -pages.length);
  }

  function give(): boolean {
    if (!hasAny()) return false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) giveOf(c, home);
    pagesKept = 0;
    return true;
  }

  function giveAll(): boolean {
    const used = usedSlots(u32, slots, threads);
    let given = false;
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      for (let n = 0; n < used.length; n++) given = giveOf(c, homeOf(used[n])) || given;
    }
    return given;
  }

  function giveOf(c: SizeClass, one: number): boolean {
    let given = false;
    while (giveSome(c, sparesAt(c, one))) given = true;
    return given;
  }

  function giveSome(c: SizeClass, list: WordIndex): boolean {
    // A look without the lock: who comes to have one by then has it for a refill of its own.
    if (getPartial(i32, list) === NONE) return false;
    locks.acquire(classLock(c));
    const given = giveSomeLocked(c, list);
    locks.release(classLock(c));
    return given;
  }

  /** Gives the first spares of a list back; false where there were none. */
  function giveSomeLocked(c: SizeClass, list: WordIndex): boolean {
    const pages = new List<PageIndex>();
    let page = getPartial(i32, list);
    for (; page !== NONE && pages.length < GIVEN_AT_ONCE; page = getNext(i32, recordOf(page))) {
      checkFree(c, page);
      pages.push(page);
    }
    if (pages.length > 0) giveSpansLocked(c, pages, () => list);
    return pages.length > 0;
  }

  function giveSlotLocked(c: SizeClass, slot: WordIndex): void {
    while (giveSomeLocked(c, sparesOf(slot, c)));
  }

  function checkFree(c: SizeClass, page: PageIndex): void {
    if (getFreeCount(i32, recordOf(page)) === SPAN_BLOCKS[c]) return;
    throw new HeapCorruptionError(
      `the spares of class ${c} have page ${page}, where not all blocks are free (retired-spans I1)`,
    );
  }

  function stop(): void {
    pagesMax = 0;
  }

  return { hasAny, takeLocked, keepOrGiveLocked, give, giveAll, giveSlotLocked, stop };
}
