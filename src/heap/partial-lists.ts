/**
 * Partial lists: per size class, the spans that have a free block.
 *
 * Used by spans.ts and repair.ts. Every function needs the lock of its class (or solitude).
 *
 * I1  All of it is index: a walk over the runs rebuilds it.
 */

import type { PageIndex, SizeClass } from '../base/index.js';
import {
  classRecord,
  getNext,
  getPartial,
  getPrev,
  type HeapMemory,
  type PageRecord,
  pageRecord,
  setNext,
  setPartial,
  setPrev,
} from '../layout/index.js';

export interface PartialLists {
  linkLocked(c: SizeClass, page: PageIndex): void;
  unlinkLocked(c: SizeClass, page: PageIndex): void;
}

export function createPartialLists(memory: HeapMemory): PartialLists {
  const { i32, geometry } = memory;
  const recordOf = (page: number): PageRecord => pageRecord(geometry.pageTable, page);

  function linkLocked(c: SizeClass, page: PageIndex): void {
    const list = classRecord(geometry.classes, c);
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

  function unlinkLocked(c: SizeClass, page: PageIndex): void {
    const record = recordOf(page);
    const next = getNext(i32, record);
    const prev = getPrev(i32, record);
    // point: partial.skip
    if (prev !== 0) setNext(i32, recordOf(prev), next);
    else setPartial(i32, classRecord(geometry.classes, c), next);
    // point: partial.back
    if (next !== 0) setPrev(i32, recordOf(next), prev);
  }

  return { linkLocked, unlinkLocked };
}
