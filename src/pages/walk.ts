/**
 * The walk: visits all runs of the data region, from head to head. Recovery and all checks rely on
 * it.
 *
 * Used by repair.ts, self-repair.ts, large.ts, locate.ts, list-blocks.ts and verify*.ts. Needs the
 * page lock: the lock guards the order of the heads; the walk reads nothing inside a run.
 *
 * I1  The walk ends: every step goes up, by a length that is checked.
 */

import {
  HeapCorruptionError,
  hex,
  PAGE_BYTES,
  type PageIndex,
  type WordIndex,
} from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageRecord from '../layout/page-record.js';
import { type HeapAccess, walkAsFar } from './access.js';

/** Called at each head. `word` is the run word before the visit. */
export type Visit = (head: PageIndex, word: number, record: WordIndex) => void;

/**
 * Visits all heads from the bottom up.
 * @throws HeapCorruptionError if a word is not a run, or a run goes past the end (page-heap I1)
 */
export function walkRunsLocked(memory: HeapMemory, visit: Visit): void {
  findRunLocked(memory, (head, word, record) => {
    visit(head, word, record);
    return false;
  });
}

/**
 * Copies all runs, as they are at one moment, from the bottom up: head page and run word, in turn.
 * The copy can be read without a lock. Copying holds the page lock for about 10 ns a run; counting
 * from the copy holds no lock.
 */
export function copyRunsLocked(memory: HeapMemory, access: HeapAccess): Int32Array {
  // The room doubles: a plain array of a hundred thousand runs takes half as long again.
  let runs = new Int32Array(1024);
  let length = 0;
  const copy = (head: PageIndex, word: number): void => {
    if (length === runs.length) {
      const longer = new Int32Array(2 * length);
      longer.set(runs);
      runs = longer;
    }
    runs[length++] = head;
    runs[length++] = word;
  };
  walkAsFar(access, () => walkRunsLocked(memory, copy));
  return runs.subarray(0, length);
}

/** The first head for which `fits` is true; 0 = none. */
export function findRunLocked(
  memory: HeapMemory,
  fits: (head: PageIndex, word: number, record: WordIndex) => boolean,
): PageIndex {
  const { endPage, firstPage } = memory.geometry;
  for (let head = firstPage; head < endPage; ) {
    const record = PageRecord.at(memory.geometry.pageTable, head);
    const word = checkedRun(memory, head, record);
    if (fits(head, word, record)) return head;
    head = (head + PageRecord.pagesOf(word)) as PageIndex;
  }
  return 0 as PageIndex;
}

/** The head of the run that a data page lies in. */
export const headOfLocked = (memory: HeapMemory, page: PageIndex): PageIndex =>
  findRunLocked(memory, (head, word) => page < head + PageRecord.pagesOf(word));

function checkedRun({ i32, geometry }: HeapMemory, head: PageIndex, record: WordIndex): number {
  const word = PageRecord.getRun(i32, record);
  const pages = PageRecord.pagesOf(word);
  const kind = PageRecord.kindOf(word);
  const known = kind >= 1 && kind <= PageRecord.LARGE_RUN;
  if (known && pages > 0 && head + pages <= geometry.endPage) return word;
  throw new HeapCorruptionError(
    `the run at ${hex(head * PAGE_BYTES)} is ${PageRecord.RUN_KIND_NAMES[kind] ?? 'invalid'}, ${pages} pages, ` +
      `with ${geometry.endPage - head} pages left in the heap (page-heap I1)`,
  );
}
