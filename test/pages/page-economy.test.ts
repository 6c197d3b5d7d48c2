/**
 * Proves that a heap touches few pages: 1,024 blocks of 1,024 bytes, all written, take at most 290
 * pages of 4 KiB, data and metadata together (the blocks alone are 256); freeing each block before
 * the next is allocated takes at most 10 pages more than an idle heap.
 *
 * The test counts twice. First, pages that are not zero: on any system, but without pages that are
 * only read. Second, on Linux, the resident pages of the buffer's mapping (Rss in
 * /proc/self/smaps), unless the system uses huge pages, which are as large as 512 small ones.
 */

import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { SharedHeap } from 'shmalloc';

const KIB = 1024;
const GIB = 2 ** 30;
const SYSTEM_PAGE_BYTES = 4 * KIB;
const BLOCKS = 1024;
const BLOCK_BYTES = 1024;
const PAGES_MAX = 290;
const IDLE_PAGES_MORE_MAX = 10;

interface Mappings {
  readonly largest: number;
  readonly residentPages: number;
  readonly huge: boolean;
}

/** The sum of all mappings of at least a GiB: the system may have joined neighbours. */
function readLargeMappings(): Mappings | null {
  let text: string;
  try {
    text = readFileSync('/proc/self/smaps', 'latin1');
  } catch {
    return null;
  }
  let largest = 0;
  let resident = 0;
  let huge = 0;
  for (const mapping of text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(mapping)?.[1] ?? 0) * KIB;
    if (field('Size') < GIB) continue;
    largest = Math.max(largest, field('Size'));
    resident += field('Rss');
    huge += field('AnonHugePages') + field('ShmemPmdMapped');
  }
  return { largest, residentPages: resident / SYSTEM_PAGE_BYTES, huge: huge > 0 };
}

/** Pages of the heap that are not all zeros. Reads all of them, so it comes last. */
function countWrittenPages(heap: SharedHeap): number {
  const { f64 } = heap;
  const step = SYSTEM_PAGE_BYTES / 8;
  let pages = 0;
  for (let from = 0; from < f64.length; from += step) {
    const end = Math.min(from + step, f64.length);
    for (let n = from; n < end; n++) {
      if (f64[n] === 0) continue;
      pages++;
      break;
    }
  }
  return pages;
}

/** Keeps heaps until the process ends, so that no mapping goes away between two counts. */
const kept: SharedHeap[] = [];

function makeHeap(): SharedHeap {
  const heap = SharedHeap.create({ size: GIB + 40 * KIB, threads: 1 });
  kept.push(heap);
  return heap;
}

function write(heap: SharedHeap, p: number): void {
  heap.u8.fill(0x5a, p, p + BLOCK_BYTES);
}

function allocateAll(heap: SharedHeap): void {
  for (let n = 0; n < BLOCKS; n++) write(heap, heap.malloc_ts(BLOCK_BYTES));
}

function allocateOneByOne(heap: SharedHeap): void {
  for (let n = 0; n < BLOCKS; n++) {
    const p = heap.malloc_ts(BLOCK_BYTES);
    write(heap, p);
    heap.free_ts(p);
  }
}

test.after.always(() => {
  for (const heap of kept) heap.detach();
});

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

/** The number of pages that become resident while `work` runs. */
function residentBy<T>(t: ExecutionContext, work: () => T): { pages: number; result: T } {
  const before = readLargeMappings() as Mappings;
  const result = work();
  const after = readLargeMappings() as Mappings;
  t.true(after.largest >= GIB + 40 * KIB, 'the mapping that holds the buffer was found');
  return { pages: after.residentPages - before.residentPages, result };
}

/**
 * The reason why resident pages cannot be counted here; null = they can. Touches a heap to find
 * out.
 */
function whyNotCounted(): 'no /proc/self/smaps' | 'huge pages' | null {
  const heap = makeHeap();
  const p = heap.malloc_ts(4 * 2 ** 20);
  heap.u8.fill(1, p, p + 4 * 2 ** 20);
  const mappings = readLargeMappings();
  if (mappings === null) return 'no /proc/self/smaps';
  return mappings.huge ? 'huge pages' : null;
}

const why = whyNotCounted();

if (why === null) {
  test.serial('malloc_ts: 1,024 blocks of 1,024 bytes make at most 290 pages resident', (t) => {
    const { pages } = residentBy(t, () => allocateAll(makeHeap()));
    t.log(`${pages} pages of 4 KiB resident, metadata included; the blocks alone are 256`);
    t.true(pages >= 256 && pages <= PAGES_MAX, `${pages} pages`);
  });

  test.serial('free_ts: one block at a time makes at most 10 pages more resident', (t) => {
    const { pages: idle, result: heap } = residentBy(t, makeHeap);
    const { pages: more } = residentBy(t, () => allocateOneByOne(heap));
    t.log(`${idle} pages of 4 KiB resident in an idle heap, ${more} more`);
    t.true(idle >= 1 && more >= 1 && more <= IDLE_PAGES_MORE_MAX, `${idle} idle, ${more} more`);
  });
} else {
  // Then only the two counts of written pages above are checked: this test checks that the reason
  // is real.
  test.serial(`page economy: resident pages are not counted, because of ${why}`, (t) => {
    t.log(`not counted: ${why}`);
    if (why === 'huge pages') {
      const policy = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'latin1');
      t.regex(policy, /\[always\]/);
    } else {
      t.not(process.platform, 'linux');
    }
  });
}
