/**
 * Proves that a heap makes few pages resident (page-economy.ts has the numbers): on Linux, the resident pages
 * of the buffer's mapping (Rss in /proc/self/smaps), unless the system uses huge pages, which are as large
 * as 512 small ones. page-economy.long.test.ts counts on any system.
 */

import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import {
  allocateAll,
  allocateOneByOne,
  GIB,
  IDLE_PAGES_MORE_MAX,
  KIB,
  makeHeap,
  PAGES_MAX,
  SYSTEM_PAGE_BYTES,
} from './page-economy.js';

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
  // Then only the counts of written pages are checked, by the long tests: this one checks that the
  // reason is real.
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
