/**
 * Partial lists: the spans of a size class that have a free block. There is one list for the spans
 * of each thread, one for each thread's retired spans, and one for unowned spans.
 *
 * Used by spans.ts and repair.ts. Every function needs the lock of its class.
 *
 * I1  All words here are derived: a walk over the runs rebuilds them.
 * I2  A span's owner changes only while the span is in no list.
 */

import { type PageIndex, type SizeClass, SPAN_PAGES, type WordIndex } from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageOwners from '../layout/page-owners.js';
import * as PageRecord from '../layout/page-record.js';
import * as Registry from '../layout/registry.js';
import * as Slot from '../layout/slot.js';

export interface PartialLists {
  /** Head of an owner's list. */
  listOf(c: SizeClass, owner: number): WordIndex;
  /** Head of the list of a thread's retired spans. */
  retiredAt(c: SizeClass, owner: number): WordIndex;
  /** Puts a span first in its owner's list; if the owner has exited, the span becomes unowned. */
  linkLocked(c: SizeClass, page: PageIndex): void;
  /** Removes a span from the list that it is in. */
  unlinkLocked(list: WordIndex, page: PageIndex): void;
  /** Moves a span that is in a list to another owner. */
  moveLocked(c: SizeClass, list: WordIndex, page: PageIndex, owner: number): void;
  /** Turns a span of a thread's list into a retired span. */
  retireLocked(c: SizeClass, page: PageIndex): void;
}

export function createPartialLists(memory: HeapMemory): PartialLists {
  const { i32, owners, geometry } = memory;
  const { slots, registry, threads } = geometry;
  const recordOf = (page: number): WordIndex => PageRecord.at(geometry.pageTable, page);

  function listOf(c: SizeClass, owner: number): WordIndex {
    if (owner === PageOwners.UNOWNED)
      return ClassRecord.unownedPartial(ClassRecord.at(geometry.classes, c));
    return Slot.partialOf(Slot.at(slots, PageOwners.slotAt(owner)), c);
  }

  const retiredAt = (c: SizeClass, owner: number): WordIndex =>
    Slot.retiredOf(Slot.at(slots, PageOwners.slotAt(owner)), c);

  function isAnybody(owner: number): boolean {
    return (
      owner <= threads &&
      owner !== PageOwners.UNOWNED &&
      Registry.peekOwner(i32, registry, PageOwners.slotAt(owner)) !== 0
    );
  }

  function linkLocked(c: SizeClass, page: PageIndex): void {
    if (!isAnybody(PageOwners.get(owners, page)))
      PageOwners.set(owners, page, SPAN_PAGES[c], PageOwners.UNOWNED);
    pushLocked(listOf(c, PageOwners.get(owners, page)), page);
  }

  function pushLocked(list: WordIndex, page: PageIndex): void {
    const first = ClassRecord.getPartial(i32, list);
    const record = recordOf(page);
    // point: partial.next
    PageRecord.setNext(i32, record, first);
    // point: partial.prev
    PageRecord.setPrev(i32, record, 0 as PageIndex);
    // point: partial.first
    if (first !== 0) PageRecord.setPrev(i32, recordOf(first), page);
    // point: partial.head
    ClassRecord.setPartial(i32, list, page);
  }

  function unlinkLocked(list: WordIndex, page: PageIndex): void {
    const record = recordOf(page);
    const next = PageRecord.getNext(i32, record);
    const prev = PageRecord.getPrev(i32, record);
    // point: partial.skip
    if (prev !== 0) PageRecord.setNext(i32, recordOf(prev), next);
    else ClassRecord.setPartial(i32, list, next);
    // point: partial.back
    if (next !== 0) PageRecord.setPrev(i32, recordOf(next), prev);
  }

  function moveLocked(c: SizeClass, list: WordIndex, page: PageIndex, owner: number): void {
    unlinkLocked(list, page);
    PageOwners.set(owners, page, SPAN_PAGES[c], owner);
    linkLocked(c, page);
  }

  function retireLocked(c: SizeClass, page: PageIndex): void {
    const owner = PageOwners.get(owners, page);
    unlinkLocked(listOf(c, owner), page);
    pushLocked(retiredAt(c, owner), page);
  }

  return { listOf, retiredAt, linkLocked, unlinkLocked, moveLocked, retireLocked };
}
