/**
 * Verification of the runs: they cover the data without gaps, and all derived words of the page
 * heap are right.
 *
 * Called by verify.ts, which owns the page lock.
 */

import {
  GRANULE_SHIFT,
  hex,
  LARGE,
  OWNED_LARGE,
  OwnSet,
  PAGE_BYTES,
  PAGE_SHIFT,
  type PageIndex,
  type WordIndex,
} from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import { walkRunsLocked } from '../pages/index.js';
import type { Findings } from './verify.js';

export function checkRunsLocked(memory: HeapMemory, findings: Findings): void {
  new RunVerifier(memory, findings).runLocked();
}

class RunVerifier {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #tags: Uint8Array;
  readonly #pageHeap: WordIndex;
  readonly #findings: Findings;
  /** Free runs that no bin has named yet. */
  readonly #free = new OwnSet<PageIndex>();
  #untouched = 0;
  #mappedPages = 0;
  #mappedRuns = 0;
  /** True if the run before this one is free. */
  #freeBelow = false;

  constructor(memory: HeapMemory, findings: Findings) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#tags = memory.tags;
    this.#pageHeap = memory.geometry.pageHeap;
    this.#findings = findings;
  }

  runLocked(): void {
    const i32 = this.#i32;
    const pageHeap = this.#pageHeap;
    walkRunsLocked(this.#memory, (head, word) => this.#checkRun(head, word));
    this.#findings.report.freeRuns = this.#free.size;
    this.#checkBins();
    this.#checkIndex('untouched', PageHeapRecord.getUntouched(i32, pageHeap), this.#untouched);
    this.#checkIndex(
      'mappedPages',
      PageHeapRecord.getMappedPages(i32, pageHeap),
      this.#mappedPages,
    );
    this.#checkIndex('mappedRuns', PageHeapRecord.getMappedRuns(i32, pageHeap), this.#mappedRuns);
    if (this.#untouched !== 0)
      this.#checkIndex('brk', PageHeapRecord.getBrk(i32, pageHeap), this.#untouched);
  }

  #recordOf(page: number): WordIndex {
    return PageRecord.at(this.#memory.geometry.pageTable, page);
  }

  #checkRun(head: PageIndex, word: number): void {
    const kind = PageRecord.kindOf(word);
    const pages = PageRecord.pagesOf(word);
    this.#checkTail(head, kind, pages);
    if (kind === PageRecord.FREE_RUN) {
      this.#free.add(head);
      if (this.#freeBelow)
        this.#findings.problem('page-heap I3', head * PAGE_BYTES, 'two free runs are adjacent');
      this.#checkNoTags(head * PAGE_BYTES, pages);
    } else if (kind === PageRecord.UNTOUCHED_RUN) {
      if (this.#untouched !== 0)
        this.#findings.problem('page-heap I5', head * PAGE_BYTES, 'a second untouched run');
      this.#untouched = head;
    } else {
      this.#mappedPages += pages;
      this.#mappedRuns++;
      if (kind === PageRecord.LARGE_RUN) this.#checkLarge(head, pages);
      if (kind === PageRecord.RESERVED_RUN && this.#findings.report.quiet) {
        this.#findings.problem(
          'large I1',
          head * PAGE_BYTES,
          `a run is left RESERVED by slot ${PageRecord.ownerOf(word)}`,
        );
      }
      if (
        kind === PageRecord.SPAN_RUN &&
        (PageRecord.ownerOf(word) === 0 || PageRecord.ownerOf(word) >= LARGE)
      ) {
        this.#findings.problem(
          'spans I2',
          head * PAGE_BYTES,
          `a span of class ${PageRecord.ownerOf(word)}, which does not exist`,
        );
      }
    }
    this.#freeBelow = kind === PageRecord.FREE_RUN;
  }

  #checkTail(head: PageIndex, kind: number, pages: number): void {
    const tail = PageRecord.getTail(this.#i32, this.#recordOf(head + pages - 1));
    if (tail === (kind === PageRecord.FREE_RUN ? pages : 0)) return;
    const is = `the ${PageRecord.RUN_KIND_NAMES[kind]} run at ${hex(head * PAGE_BYTES)}, ${pages} pages`;
    this.#findings.problem('page-heap I4', head * PAGE_BYTES, `${is}: its tail says ${tail}`);
  }

  #checkLarge(head: PageIndex, pages: number): void {
    const address = head * PAGE_BYTES;
    const tag = this.#tags[address >>> GRANULE_SHIFT];
    this.#findings.report.largeBlocks++;
    this.#findings.report.liveBlocks++;
    this.#findings.report.liveBytes += pages * PAGE_BYTES;
    if (tag === OWNED_LARGE) this.#findings.owned.set(address, pages * PAGE_BYTES);
    // Tag and run word are written by two stores, outside the lock.
    if (this.#findings.report.quiet && tag !== LARGE && tag !== OWNED_LARGE)
      this.#findings.problem(
        'large I1',
        address,
        `the large block at ${hex(address)} has tag ${tag}`,
      );
    this.#checkNoTags(address + (1 << GRANULE_SHIFT), pages, 1);
  }

  /** Checks that no block begins in these pages, except in the first `skip` granules. */
  #checkNoTags(start: number, pages: number, skip = 0): void {
    const first = start >>> GRANULE_SHIFT;
    const end = first - skip + ((pages << PAGE_SHIFT) >>> GRANULE_SHIFT);
    for (let granule = first; granule < end; granule++) {
      if (this.#tags[granule] === 0) continue;
      const address = granule * (1 << GRANULE_SHIFT);
      this.#findings.problem(
        'spans I1',
        address,
        `a tag at ${hex(address)}, where no block begins`,
      );
      return;
    }
  }

  #checkBins(): void {
    const i32 = this.#i32;
    if (!PageHeapRecord.isSummaryTrue(i32, this.#pageHeap)) {
      this.#findings.problem(
        'page-heap-record I1',
        this.#pageHeap * 4,
        'the summary of the bins and their bits do not agree',
      );
    }
    for (let bin = 0; bin < PageHeapRecord.BIN_COUNT; bin++) {
      const first = PageHeapRecord.getBinHead(i32, this.#pageHeap, bin);
      if ((first !== 0) !== (PageHeapRecord.nextBin(i32, this.#pageHeap, bin) === bin)) {
        this.#findings.problem(
          'page-heap-record I1',
          this.#pageHeap * 4,
          `bin ${bin} and its bit do not agree`,
        );
      }
      this.#checkBin(bin, first);
    }
    for (const head of this.#free) {
      this.#findings.problem(
        'run-bins I1',
        head * PAGE_BYTES,
        `the free run at ${hex(head * PAGE_BYTES)} is in no bin`,
      );
    }
  }

  #checkBin(bin: number, first: PageIndex): void {
    const i32 = this.#i32;
    let prev = 0 as PageIndex;
    for (let page = first; page !== 0; page = PageRecord.getNext(i32, this.#recordOf(page))) {
      const at = page * PAGE_BYTES;
      // A run is removed from the set when it is seen, so that a cycle ends here, too.
      if (!this.#free.delete(page)) {
        this.#findings.problem(
          'run-bins I1',
          at,
          `bin ${bin} names page ${page}, which begins no free run, or is listed twice`,
        );
        return;
      }
      const pages = PageRecord.pagesOf(PageRecord.getRun(i32, this.#recordOf(page)));
      if (PageHeapRecord.binOf(pages) !== bin)
        this.#findings.problem('run-bins I1', at, `bin ${bin} has a run of ${pages} pages`);
      if (PageRecord.getPrev(i32, this.#recordOf(page)) !== prev) {
        this.#findings.problem('run-bins I1', at, `bin ${bin} has a wrong link back`);
      }
      prev = page;
    }
  }

  #checkIndex(name: string, kept: number, counted: number): void {
    if (kept === counted) return;
    this.#findings.problem(
      'page-heap I6',
      this.#pageHeap * 4,
      `${name} is ${kept}, but the walk counts ${counted}`,
    );
  }
}
