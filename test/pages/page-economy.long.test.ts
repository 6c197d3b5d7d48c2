/**
 * Proves that a heap writes to few pages (page-economy.ts has the numbers), by pages that are not zero: on any
 * system, but without pages that are only read.
 */

import test from 'ava';
import type { SharedHeap } from 'shmalloc';
import {
  allocateAll,
  allocateOneByOne,
  IDLE_PAGES_MORE_MAX,
  makeHeap,
  PAGES_MAX,
  SYSTEM_PAGE_BYTES,
} from './page-economy.js';

/** Pages of the heap that are not all zeros. Reads all of them, so it comes last. */
function countWrittenPages(heap: SharedHeap): number {
  const { buffer, byteOffset, byteLength } = heap.u8;
  const zeros = Buffer.alloc(SYSTEM_PAGE_BYTES);
  const end = byteOffset + byteLength;
  let pages = 0;
  for (let from = byteOffset; from < end; from += SYSTEM_PAGE_BYTES) {
    const bytes = Math.min(SYSTEM_PAGE_BYTES, end - from);
    // One call for a page: a loop over its words takes ten times as long.
    if (zeros.compare(new Uint8Array(buffer, from, bytes), 0, bytes, 0, bytes) !== 0) pages++;
  }
  return pages;
}

test.serial('malloc_ts: 1,024 blocks of 1,024 bytes write to at most 290 pages', (t) => {
  const heap = makeHeap();
  allocateAll(heap);
  const pages = countWrittenPages(heap);
  t.log(`${pages} pages of 4 KiB written, metadata included; the blocks alone are 256`);
  t.true(pages >= 256 && pages <= PAGES_MAX, `${pages} pages`);
});

test.serial('free_ts: one block at a time writes to at most 10 pages more than no block', (t) => {
  const idle = countWrittenPages(makeHeap());
  const heap = makeHeap();
  allocateOneByOne(heap);
  const pages = countWrittenPages(heap);
  t.log(`${pages} pages of 4 KiB written, ${idle} in an idle heap`);
  t.true(pages >= idle + 1 && pages <= idle + IDLE_PAGES_MORE_MAX, `${pages} pages, idle ${idle}`);
});
