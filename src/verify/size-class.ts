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
import * as ClassRecord from '../layout/class-record.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageOwners from '../layout/page-owners.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import { sumCached, sumHeld, walkRunsLocked } from '../pages/index.js';
import { collectCached } from './cached-blocks.js';
import type { Findings } from './verify.js';

export function checkClassLocked(memory: HeapMemory, c: SizeClass, findings: Findings): void {
  new ClassVerifier(memory, c, findings).runLocked();
}

class ClassVerifier {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #tags: Uint8Array;
  readonly #findings: Findings;
  readonly #c: SizeClass;
  readonly #blockBytes: number;
  /** Number of blocks of a span. */
  readonly #blocks: number;
  readonly #list: WordIndex;
  readonly #slots: readonly WordIndex[];
  /** Cached blocks that no span has shown yet. */
  readonly #cached: Set<number>;
  /** Spans that no list has named yet. */
  readonly #heads = new OwnSet<PageIndex>();
  #taken = 0;
  #live = 0;

  constructor(memory: HeapMemory, c: SizeClass, findings: Findings) {
    const { classes, slots, threads } = memory.geometry;
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#tags = memory.tags;
    this.#findings = findings;
    this.#c = c;
    this.#blockBytes = BLOCK_BYTES[c];
    this.#blocks = SPAN_BLOCKS[c];
    this.#list = ClassRecord.at(classes, c);
    this.#slots = Slot.usedRecords(memory.u32, slots, threads);
    this.#cached = findings.report.quiet
      ? collectCached(memory, c, findings)
      : new OwnSet<number>();
  }

  runLocked(): void {
    const i32 = this.#i32;
    walkRunsLocked(this.#memory, (head, word, record) => {
      if (PageRecord.isSpanOf(word, this.#c)) this.#checkSpan(head, word, record);
    });
    // The remaining addresses are cached but in no span.
    for (const address of this.#cached) {
      this.#findings.problem(
        'spans I5',
        address,
        `${hex(address)} is cached as class ${this.#c} but is not a block of it`,
      );
    }
    if (ClassRecord.getSpanCount(i32, this.#list) !== this.#heads.size) {
      this.#findings.problem(
        'class-record I2',
        this.#list * 4,
        `class ${this.#c} counts ${ClassRecord.getSpanCount(i32, this.#list)} spans, but the walk counts ${this.#heads.size}`,
      );
    }
    // Called last, since it removes the spans that it meets from the set.
    this.#checkPartialLists();
    this.#countClass();
  }

  #recordOf(page: number): WordIndex {
    return PageRecord.at(this.#memory.geometry.pageTable, page);
  }

  #checkSpan(head: PageIndex, word: number, record: WordIndex): void {
    const i32 = this.#i32;
    this.#heads.add(head);
    if (PageRecord.pagesOf(word) !== SPAN_PAGES[this.#c]) {
      const pages = `${PageRecord.pagesOf(word)} pages, not ${SPAN_PAGES[this.#c]}`;
      this.#findings.problem(
        'spans I2',
        head * PAGE_BYTES,
        `a span of class ${this.#c} has ${pages}`,
      );
    }
    const start = head * PAGE_BYTES;
    for (let n = 0; n < SPAN_PAGES[this.#c]; n++) {
      const back = PageRecord.getSpanHead(i32, this.#recordOf(head + n));
      if (back === head) continue;
      this.#findings.problem(
        'spans I2',
        start,
        `page ${head + n} says that its span begins at page ${back}`,
      );
    }
    let free = 0;
    for (let n = 0; n << 5 < this.#blocks; n++) {
      const bits = PageRecord.getBitmap(i32, record, n);
      free += countBits(bits);
      const rest = this.#blocks - (n << 5);
      if (rest < 32 && bits >>> rest !== 0) {
        this.#findings.problem(
          'spans I3',
          start,
          `bits are set past the span's last block (word ${n})`,
        );
      }
    }
    if (PageRecord.getFreeCount(i32, record) !== free) {
      this.#findings.problem(
        'spans I3',
        start,
        `free count ${PageRecord.getFreeCount(i32, record)}, bits set ${free}`,
      );
    }
    this.#taken += this.#blocks - free;
    for (let n = 0; n < this.#blocks; n++) {
      this.#checkBlock(
        start + n * this.#blockBytes,
        ((PageRecord.getBitmap(i32, record, n >>> 5) >>> (n & 31)) & 1) === 1,
      );
    }
    this.#checkTagsBetween(start);
    this.#findings.report.spans++;
  }

  #checkBlock(address: number, free: boolean): void {
    const tag = this.#tags[address >>> GRANULE_SHIFT];
    const inCache = this.#cached.delete(address);
    const is = `the block at ${hex(address)} of class ${this.#c}`;
    if (tag === OWNED) this.#findings.owned.set(address, this.#blockBytes);
    if (tag !== 0 && tag !== this.#c && tag !== OWNED)
      this.#findings.problem('spans I1', address, `${is} has tag ${tag}`);
    if (free && tag !== 0)
      this.#findings.problem('spans I1', address, `${is} is free in its span, but has a tag`);
    if (!this.#findings.report.quiet) return;
    if (free && inCache)
      this.#findings.problem('spans I1', address, `${is} is in a cache and free in its span`);
    if (inCache && tag !== 0)
      this.#findings.problem('slot I5', address, `${is} is in a cache, but has a tag`);
    if (free || inCache) return;
    if (tag === 0)
      this.#findings.problem('spans I5', address, `${is} is neither live, cached nor free: lost`);
    this.#live++;
  }

  /** Checks that tags are at the starts of blocks only. */
  #checkTagsBetween(start: number): void {
    const end = start + (SPAN_PAGES[this.#c] << PAGE_SHIFT);
    for (let address = start; address < end; address += 1 << GRANULE_SHIFT) {
      if (this.#tags[address >>> GRANULE_SHIFT] === 0) continue;
      const offset = address - start;
      if (offset % this.#blockBytes === 0 && offset / this.#blockBytes < this.#blocks) continue;
      this.#findings.problem(
        'spans I1',
        address,
        `a tag at ${hex(address)}, where no block of class ${this.#c} begins`,
      );
    }
  }

  #checkPartialLists(): void {
    this.#checkPartialList(ClassRecord.unownedPartial(this.#list), PageOwners.UNOWNED, 1);
    for (const slot of Slot.used(
      this.#u32,
      this.#memory.geometry.slots,
      this.#memory.geometry.threads,
    )) {
      const record = Slot.at(this.#memory.geometry.slots, slot);
      this.#checkPartialList(Slot.partialOf(record, this.#c), PageOwners.codeOf(slot), 1);
      this.#checkPartialList(
        Slot.retiredOf(record, this.#c),
        PageOwners.codeOf(slot),
        this.#blocks,
      );
    }
    for (const head of this.#heads) {
      if (PageRecord.getFreeCount(this.#i32, this.#recordOf(head)) === 0) continue;
      this.#findings.problem(
        'class-record I1',
        head * PAGE_BYTES,
        `a span of class ${this.#c} with free blocks is in no list`,
      );
    }
  }

  /** @param freeMin minimum free blocks of a span in the list */
  #checkPartialList(first: WordIndex, owner: number, freeMin: number): void {
    const i32 = this.#i32;
    let prev = 0 as PageIndex;
    for (
      let page = ClassRecord.getPartial(i32, first);
      page !== 0;
      page = PageRecord.getNext(i32, this.#recordOf(page))
    ) {
      const at = page * PAGE_BYTES;
      if (!this.#heads.delete(page)) {
        this.#findings.problem(
          'class-record I1',
          at,
          `the partial list of class ${this.#c} names page ${page}, which is not a span of it`,
        );
        return;
      }
      if (PageRecord.getPrev(i32, this.#recordOf(page)) !== prev) {
        this.#findings.problem(
          'class-record I1',
          at,
          `the partial list of class ${this.#c} has a wrong link back`,
        );
      }
      const free = PageRecord.getFreeCount(i32, this.#recordOf(page));
      if (free < freeMin) {
        const what =
          free === 0 ? 'a full span' : `a span with ${free} of ${this.#blocks} blocks free`;
        const where = freeMin === 1 ? 'the partial list' : 'the retired spans';
        this.#findings.problem('class-record I1', at, `${what} is in ${where} of class ${this.#c}`);
      }
      if (PageOwners.get(this.#memory.owners, page) !== owner) {
        const whose = `owner ${PageOwners.get(this.#memory.owners, page)}`;
        this.#findings.problem(
          'class-record I1',
          at,
          `a span of ${whose} is in the partial list of owner ${owner}`,
        );
      }
      prev = page;
    }
  }

  #countClass(): void {
    const held = sumHeld(this.#memory, this.#slots, this.#c);
    const mallocs = this.#slots.reduce(
      (total, slot) => total + Slot.getMallocs(this.#memory.f64, slot, this.#c),
      0,
    );
    const inCaches = sumCached(this.#memory, this.#slots, this.#c);
    const inUse = this.#findings.report.quiet ? this.#live : Math.max(0, held - inCaches);
    this.#findings.report.liveBlocks += inUse;
    this.#findings.report.liveBytes += inUse * this.#blockBytes;
    this.#findings.report.cachedBlocks += inCaches;
    this.#findings.report.cachedBytes += inCaches * this.#blockBytes;
    const free = ClassRecord.getSpanCount(this.#i32, this.#list) * this.#blocks - this.#taken;
    this.#findings.report.freeBlocks += free;
    this.#findings.report.freeBlockBytes += free * this.#blockBytes;
    if (held !== this.#taken) {
      this.#findings.problem(
        'slot I6',
        this.#list * 4,
        `class ${this.#c}: ${held} blocks held by counters, ${this.#taken} by bitmaps`,
      );
    }
    if (this.#findings.report.quiet && held - inCaches > mallocs) {
      this.#findings.problem(
        'slot I6',
        this.#list * 4,
        `class ${this.#c}: more blocks in use than were ever allocated (${mallocs})`,
      );
    }
  }
}
