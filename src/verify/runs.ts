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
} from '../base/index.js';
import {
  BIN_COUNT,
  binOf,
  FREE_RUN,
  getBinHead,
  getBrk,
  getMappedPages,
  getMappedRuns,
  getNext,
  getPrev,
  getRun,
  getTail,
  getUntouched,
  type HeapMemory,
  isSummaryTrue,
  LARGE_RUN,
  nextBin,
  type PageRecord,
  pageRecord,
  RESERVED_RUN,
  RUN_KIND_NAMES,
  runKind,
  runOwner,
  runPages,
  SPAN_RUN,
  UNTOUCHED_RUN,
} from '../layout/index.js';
import { walkRunsLocked } from '../pages/index.js';
import type { Findings } from './verify.js';

export function checkRunsLocked(memory: HeapMemory, findings: Findings): void {
  const { i32, tags, geometry } = memory;
  const { pageHeap, pageTable } = geometry;
  const { problem, report } = findings;
  const recordOf = (page: number): PageRecord => pageRecord(pageTable, page);

  const free = new OwnSet<PageIndex>();
  let untouched = 0;
  let mappedPages = 0;
  let mappedRuns = 0;
  let freeBelow = false;
  walkRunsLocked(memory, (head, word) => {
    const kind = runKind(word);
    const pages = runPages(word);
    checkTail(head, kind, pages);
    if (kind === FREE_RUN) {
      free.add(head);
      if (freeBelow) problem('page-heap I3', head * PAGE_BYTES, 'two free runs are adjacent');
      checkNoTags(head * PAGE_BYTES, pages);
    } else if (kind === UNTOUCHED_RUN) {
      if (untouched !== 0) problem('page-heap I5', head * PAGE_BYTES, 'a second untouched run');
      untouched = head;
    } else {
      mappedPages += pages;
      mappedRuns++;
      if (kind === LARGE_RUN) checkLarge(head, pages);
      if (kind === RESERVED_RUN && report.quiet) {
        problem('large I1', head * PAGE_BYTES, `a run is left RESERVED by slot ${runOwner(word)}`);
      }
      if (kind === SPAN_RUN && (runOwner(word) === 0 || runOwner(word) >= LARGE)) {
        problem(
          'spans I2',
          head * PAGE_BYTES,
          `a span of class ${runOwner(word)}, which does not exist`,
        );
      }
    }
    freeBelow = kind === FREE_RUN;
  });
  report.freeRuns = free.size;
  checkBins();
  checkIndex('untouched', getUntouched(i32, pageHeap), untouched);
  checkIndex('mappedPages', getMappedPages(i32, pageHeap), mappedPages);
  checkIndex('mappedRuns', getMappedRuns(i32, pageHeap), mappedRuns);
  if (untouched !== 0) checkIndex('brk', getBrk(i32, pageHeap), untouched);

  function checkTail(head: PageIndex, kind: number, pages: number): void {
    const tail = getTail(i32, recordOf(head + pages - 1));
    if (tail === (kind === FREE_RUN ? pages : 0)) return;
    const is = `the ${RUN_KIND_NAMES[kind]} run at ${hex(head * PAGE_BYTES)}, ${pages} pages`;
    problem('page-heap I4', head * PAGE_BYTES, `${is}: its tail says ${tail}`);
  }

  function checkLarge(head: PageIndex, pages: number): void {
    const address = head * PAGE_BYTES;
    const tag = tags[address >>> GRANULE_SHIFT];
    report.largeBlocks++;
    report.liveBlocks++;
    report.liveBytes += pages * PAGE_BYTES;
    if (tag === OWNED_LARGE) findings.owned.set(address, pages * PAGE_BYTES);
    // Tag and run word are written by two stores, outside the lock.
    if (report.quiet && tag !== LARGE && tag !== OWNED_LARGE)
      problem('large I1', address, `the large block at ${hex(address)} has tag ${tag}`);
    checkNoTags(address + (1 << GRANULE_SHIFT), pages, 1);
  }

  /** Checks that no block begins in these pages, except in the first `skip` granules. */
  function checkNoTags(start: number, pages: number, skip = 0): void {
    const first = start >>> GRANULE_SHIFT;
    const end = first - skip + ((pages << PAGE_SHIFT) >>> GRANULE_SHIFT);
    for (let granule = first; granule < end; granule++) {
      if (tags[granule] === 0) continue;
      const address = granule * (1 << GRANULE_SHIFT);
      problem('spans I1', address, `a tag at ${hex(address)}, where no block begins`);
      return;
    }
  }

  function checkBins(): void {
    if (!isSummaryTrue(i32, pageHeap)) {
      problem(
        'page-heap-record I1',
        pageHeap * 4,
        'the summary of the bins and their bits do not agree',
      );
    }
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      const first = getBinHead(i32, pageHeap, bin);
      if ((first !== 0) !== (nextBin(i32, pageHeap, bin) === bin)) {
        problem('page-heap-record I1', pageHeap * 4, `bin ${bin} and its bit do not agree`);
      }
      checkBin(bin, first);
    }
    for (const head of free) {
      problem(
        'run-bins I1',
        head * PAGE_BYTES,
        `the free run at ${hex(head * PAGE_BYTES)} is in no bin`,
      );
    }
  }

  function checkBin(bin: number, first: PageIndex): void {
    let prev = 0 as PageIndex;
    for (let page = first; page !== 0; page = getNext(i32, recordOf(page))) {
      const at = page * PAGE_BYTES;
      // A run is removed from the set when it is seen, so that a cycle ends here, too.
      if (!free.delete(page)) {
        problem(
          'run-bins I1',
          at,
          `bin ${bin} names page ${page}, which begins no free run, or is listed twice`,
        );
        return;
      }
      const pages = runPages(getRun(i32, recordOf(page)));
      if (binOf(pages) !== bin)
        problem('run-bins I1', at, `bin ${bin} has a run of ${pages} pages`);
      if (getPrev(i32, recordOf(page)) !== prev) {
        problem('run-bins I1', at, `bin ${bin} has a wrong link back`);
      }
      prev = page;
    }
  }

  function checkIndex(name: string, kept: number, counted: number): void {
    if (kept === counted) return;
    problem('page-heap I6', pageHeap * 4, `${name} is ${kept}, but the walk counts ${counted}`);
  }
}
