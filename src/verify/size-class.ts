/**
 * Verification of one size class: the blocks of its spans, its partial lists, its caches.
 *
 * Called by verify.ts, which owns the lock of the class and the page lock.
 */

import {
  BLOCK_BYTES,
  countBits,
  GRANULE_SHIFT,
  hex,
  type MagazineIndex,
  OWNED,
  OwnSet,
  PAGE_BYTES,
  PAGE_SHIFT,
  type PageIndex,
  type SizeClass,
  SPAN_BLOCKS,
  SPAN_PAGES,
  type WordIndex,
} from '../base/index.js';
import {
  classRecord,
  getBitmap,
  getFreeCount,
  getLimit,
  getMallocs,
  getNext,
  getOwner,
  getPartial,
  getPrev,
  getSpanCount,
  getSpanHead,
  getTop,
  getTransit,
  type HeapMemory,
  isParked,
  isSpanOf,
  magazineBottom,
  magazinesOf,
  ownerCodeOf,
  type PageRecord,
  pageRecord,
  partialOf,
  retiredOf,
  runPages,
  SENTINEL,
  slotRecord,
  UNOWNED,
  unownedPartial,
  usedSlotRecords,
  usedSlots,
} from '../layout/index.js';
import { sumCached, sumHeld, walkRunsLocked } from '../pages/index.js';
import type { Findings } from './verify.js';

export function checkClassLocked(memory: HeapMemory, c: SizeClass, findings: Findings): void {
  const { i32, u32, f64, tags, owners, geometry } = memory;
  const { problem, report, owned } = findings;
  const { quiet } = report;
  const blockBytes = BLOCK_BYTES[c];
  const blocks = SPAN_BLOCKS[c];
  const list = classRecord(geometry.classes, c);
  const recordOf = (page: number): PageRecord => pageRecord(geometry.pageTable, page);
  const slots = usedSlotRecords(u32, geometry.slots, geometry.threads);

  const cached = quiet ? collectCached() : new OwnSet<number>();
  const heads = new OwnSet<PageIndex>();
  let taken = 0;
  let live = 0;
  walkRunsLocked(memory, (head, word, record) => {
    if (!isSpanOf(word, c)) return;
    heads.add(head);
    if (runPages(word) !== SPAN_PAGES[c]) {
      const pages = `${runPages(word)} pages, not ${SPAN_PAGES[c]}`;
      problem('spans I2', head * PAGE_BYTES, `a span of class ${c} has ${pages}`);
    }
    checkSpan(head, record);
  });
  // The remaining addresses are cached but in no span.
  for (const address of cached) {
    problem(
      'spans I5',
      address,
      `${hex(address)} is cached as class ${c} but is not a block of it`,
    );
  }
  if (getSpanCount(i32, list) !== heads.size) {
    problem(
      'class-record I2',
      list * 4,
      `class ${c} counts ${getSpanCount(i32, list)} spans, but the walk counts ${heads.size}`,
    );
  }
  // Called last, since it removes the spans that it meets from the set.
  checkPartialLists();
  countClass();

  function checkSpan(head: PageIndex, record: PageRecord): void {
    const start = head * PAGE_BYTES;
    for (let n = 0; n < SPAN_PAGES[c]; n++) {
      const back = getSpanHead(i32, recordOf(head + n));
      if (back === head) continue;
      problem('spans I2', start, `page ${head + n} says that its span begins at page ${back}`);
    }
    let free = 0;
    for (let n = 0; n << 5 < blocks; n++) {
      const bits = getBitmap(i32, record, n);
      free += countBits(bits);
      const rest = blocks - (n << 5);
      if (rest < 32 && bits >>> rest !== 0) {
        problem('spans I3', start, `bits are set past the span's last block (word ${n})`);
      }
    }
    if (getFreeCount(i32, record) !== free) {
      problem('spans I3', start, `free count ${getFreeCount(i32, record)}, bits set ${free}`);
    }
    taken += blocks - free;
    for (let n = 0; n < blocks; n++) {
      checkBlock(
        start + n * blockBytes,
        ((getBitmap(i32, record, n >>> 5) >>> (n & 31)) & 1) === 1,
      );
    }
    checkTagsBetween(start);
    report.spans++;
  }

  function checkBlock(address: number, free: boolean): void {
    const tag = tags[address >>> GRANULE_SHIFT];
    const inCache = cached.delete(address);
    const is = `the block at ${hex(address)} of class ${c}`;
    if (tag === OWNED) owned.set(address, blockBytes);
    if (tag !== 0 && tag !== c && tag !== OWNED)
      problem('spans I1', address, `${is} has tag ${tag}`);
    if (free && tag !== 0) problem('spans I1', address, `${is} is free in its span, but has a tag`);
    if (!quiet) return;
    if (free && inCache) problem('spans I1', address, `${is} is in a cache and free in its span`);
    if (inCache && tag !== 0) problem('slot I5', address, `${is} is in a cache, but has a tag`);
    if (free || inCache) return;
    if (tag === 0) problem('spans I5', address, `${is} is neither live, cached nor free: lost`);
    live++;
  }

  /** Checks that tags are at the starts of blocks only. */
  function checkTagsBetween(start: number): void {
    const end = start + (SPAN_PAGES[c] << PAGE_SHIFT);
    for (let address = start; address < end; address += 1 << GRANULE_SHIFT) {
      if (tags[address >>> GRANULE_SHIFT] === 0) continue;
      const offset = address - start;
      if (offset % blockBytes === 0 && offset / blockBytes < blocks) continue;
      problem('spans I1', address, `a tag at ${hex(address)}, where no block of class ${c} begins`);
    }
  }

  function checkPartialLists(): void {
    checkPartialList(unownedPartial(list), UNOWNED, 1);
    for (const slot of usedSlots(u32, geometry.slots, geometry.threads)) {
      const record = slotRecord(geometry.slots, slot);
      checkPartialList(partialOf(record, c), ownerCodeOf(slot), 1);
      checkPartialList(retiredOf(record, c), ownerCodeOf(slot), blocks);
    }
    for (const head of heads) {
      if (getFreeCount(i32, recordOf(head)) === 0) continue;
      problem(
        'class-record I1',
        head * PAGE_BYTES,
        `a span of class ${c} with free blocks is in no list`,
      );
    }
  }

  /** @param freeMin minimum free blocks of a span in the list */
  function checkPartialList(first: WordIndex, owner: number, freeMin: number): void {
    let prev = 0 as PageIndex;
    for (let page = getPartial(i32, first); page !== 0; page = getNext(i32, recordOf(page))) {
      const at = page * PAGE_BYTES;
      if (!heads.delete(page)) {
        problem(
          'class-record I1',
          at,
          `the partial list of class ${c} names page ${page}, which is not a span of it`,
        );
        return;
      }
      if (getPrev(i32, recordOf(page)) !== prev) {
        problem('class-record I1', at, `the partial list of class ${c} has a wrong link back`);
      }
      const free = getFreeCount(i32, recordOf(page));
      if (free < freeMin) {
        const what = free === 0 ? 'a full span' : `a span with ${free} of ${blocks} blocks free`;
        const where = freeMin === 1 ? 'the partial list' : 'the retired spans';
        problem('class-record I1', at, `${what} is in ${where} of class ${c}`);
      }
      if (getOwner(owners, page) !== owner) {
        const whose = `owner ${getOwner(owners, page)}`;
        problem(
          'class-record I1',
          at,
          `a span of ${whose} is in the partial list of owner ${owner}`,
        );
      }
      prev = page;
    }
  }

  /** Collects all cached blocks of the class; checks the magazines on the way. */
  function collectCached(): Set<number> {
    const found = new OwnSet<number>();
    for (const slot of slots) {
      const magazines = magazinesOf(c);
      for (let n = 0; n < magazines.length; n++) collectMagazine(slot, magazines[n], found);
    }
    return found;
  }

  function collectMagazine(slot: WordIndex, magazine: MagazineIndex, found: Set<number>): void {
    const bottom = magazineBottom(u32, slot, magazine);
    const top = getTop(u32, slot, magazine);
    if (getTransit(u32, slot, magazine) !== 0) {
      problem('slot I3', slot * 4, `a transit of class ${c} is open, but its lock was free`);
    }
    if (isParked(u32, slot, magazine)) return;
    if (!isBounded(bottom, top, bottom + getLimit(u32, slot, magazine))) {
      problem(
        'slot I1',
        slot * 4,
        `the entries of a magazine of class ${c} are not between a zero and a sentinel`,
      );
      return;
    }
    for (let entry = bottom; entry < top; entry++) {
      const address = u32[entry];
      if (found.has(address)) {
        problem('spans I5', address, `the block at ${hex(address)} is cached twice`);
      }
      found.add(address);
    }
  }

  /** At `end` is a sentinel, or one block that a free pushed over it before its flush failed. */
  function isBounded(bottom: number, top: number, end: number): boolean {
    const address = u32[end] % (1 << GRANULE_SHIFT) === 0 && u32[end] >= geometry.dataStart;
    return (
      u32[bottom - 1] === 0 &&
      bottom <= top &&
      top <= end + 1 &&
      (i32[end] === SENTINEL || address) &&
      i32[end + 1] === SENTINEL
    );
  }

  function countClass(): void {
    const held = sumHeld(memory, slots, c);
    const mallocs = slots.reduce((total, slot) => total + getMallocs(f64, slot, c), 0);
    const inCaches = sumCached(memory, slots, c);
    const inUse = quiet ? live : Math.max(0, held - inCaches);
    report.liveBlocks += inUse;
    report.liveBytes += inUse * blockBytes;
    report.cachedBlocks += inCaches;
    report.cachedBytes += inCaches * blockBytes;
    const free = getSpanCount(i32, list) * blocks - taken;
    report.freeBlocks += free;
    report.freeBlockBytes += free * blockBytes;
    if (held !== taken) {
      problem(
        'slot I6',
        list * 4,
        `class ${c}: ${held} blocks held by counters, ${taken} by bitmaps`,
      );
    }
    if (quiet && held - inCaches > mallocs) {
      problem(
        'slot I6',
        list * 4,
        `class ${c}: more blocks in use than were ever allocated (${mallocs})`,
      );
    }
  }
}
