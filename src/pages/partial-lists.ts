/**
 * Partial lists: per size class, the spans that have a free block: a list for each thread, of the spans
 * that are at home with it, one of its spares, and one of nobody's.
 *
 * Used by spans.ts and repair.ts. Every function needs the lock of its class (or solitude).
 *
 * I1  All of it is index: a walk over the runs rebuilds it.
 * I2  A span's home changes only while it is in no list.
 */

import { type PageIndex, type SizeClass, SPAN_PAGES, type WordIndex } from '../base/index.js';
import {
  classRecord,
  getHome,
  getNext,
  getPartial,
  getPrev,
  type HeapMemory,
  NOBODY,
  nobodysPartial,
  type PageRecord,
  pageRecord,
  partialOf,
  peekOwner,
  setHomes,
  setNext,
  setPartial,
  setPrev,
  slotAt,
  slotRecord,
  sparesOf,
} from '../layout/index.js';

export interface PartialLists {
  /** Head of the list of a home. */
  listOf(c: SizeClass, home: number): WordIndex;
  /** Head of the list of a thread's spares. */
  sparesAt(c: SizeClass, home: number): WordIndex;
  /** Puts a span first in the list of its home; a home that is no thread's any more becomes nobody's. */
  linkLocked(c: SizeClass, page: PageIndex): void;
  /** Takes a span out of the list that it is in. */
  unlinkLocked(list: WordIndex, page: PageIndex): void;
  /** Makes a span that is in a list another home's. */
  moveLocked(c: SizeClass, list: WordIndex, page: PageIndex, home: number): void;
  /** Makes a span of a thread's list a spare. */
  spareLocked(c: SizeClass, page: PageIndex): void;
}

export function createPartialLists(memory: HeapMemory): PartialLists {
  const { i32, homes, geometry } = memory;
  const { slots, registry, threads } = geometry;
  const recordOf = (page: number): PageRecord => pageRecord(geometry.pageTable, page);

  function listOf(c: SizeClass, home: number): WordIndex {
    if (home === NOBODY) return nobodysPartial(classRecord(geometry.classes, c));
    return partialOf(slotRecord(slots, slotAt(home)), c);
  }

  const sparesAt = (c: SizeClass, home: number): WordIndex =>
    sparesOf(slotRecord(slots, slotAt(home)), c);

  function isAnybody(home: number): boolean {
    return home <= threads && home !== NOBODY && peekOwner(i32, registry, slotAt(home)) !== 0;
  }

  function linkLocked(c: SizeClass, page: PageIndex): void {
    if (!isAnybody(getHome(homes, page))) setHomes(homes, page, SPAN_PAGES[c], NOBODY);
    pushLocked(listOf(c, getHome(homes, page)), page);
  }

  function pushLocked(list: WordIndex, page: PageIndex): void {
    const first = getPartial(i32, list);
    const record = recordOf(page);
    // point: partial.next
    setNext(i32, record, first);
    // point: partial.prev
    setPrev(i32, record, 0 as PageIndex);
    // point: partial.first
    if (first !== 0) setPrev(i32, recordOf(first), page);
    // point: partial.head
    setPartial(i32, list, page);
  }

  function unlinkLocked(list: WordIndex, page: PageIndex): void {
    const record = recordOf(page);
    const next = getNext(i32, record);
    const prev = getPrev(i32, record);
    // point: partial.skip
    if (prev !== 0) setNext(i32, recordOf(prev), next);
    else setPartial(i32, list, next);
    // point: partial.back
    if (next !== 0) setPrev(i32, recordOf(next), prev);
  }

  function moveLocked(c: SizeClass, list: WordIndex, page: PageIndex, home: number): void {
    unlinkLocked(list, page);
    setHomes(homes, page, SPAN_PAGES[c], home);
    linkLocked(c, page);
  }

  function spareLocked(c: SizeClass, page: PageIndex): void {
    const home = getHome(homes, page);
    unlinkLocked(listOf(c, home), page);
    pushLocked(sparesAt(c, home), page);
  }

  return { listOf, sparesAt, linkLocked, unlinkLocked, moveLocked, spareLocked };
}
