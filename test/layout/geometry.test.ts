/**
 * Proves the memory map: for heaps of all lengths, places and thread counts the structures follow
 * each other without overlap, on their boundaries, and the absolute number of a page gives its
 * record and tags inside their regions.
 */

import test from 'ava';
import fc from 'fast-check';
import { GIB, hex, KIB, LINE_BYTES, MIB, PAGE_BYTES } from '../../src/base/index.js';
import * as Baseline from '../../src/layout/baseline.js';
import * as ChunkRecord from '../../src/layout/chunk-record.js';
import * as ClassRecord from '../../src/layout/class-record.js';
import * as ContextRecord from '../../src/layout/context-record.js';
import * as Header from '../../src/layout/header.js';
import {
  computeGeometry,
  defaultThreads,
  type Geometry,
  HEAP_BYTES_MIN,
  HEAP_END_MAX,
  headerWord,
  MAGAZINE_BYTES_MIN,
  pageOf,
  viewMemory,
} from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as PageHeapRecord from '../../src/layout/page-heap-record.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Records from '../../src/layout/record-table.js';
import * as Registry from '../../src/layout/registry.js';
import * as Slot from '../../src/layout/slot.js';
import { seedOf } from '../helpers.js';

interface Region {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** All structures of a heap, in the order of the drawing. */
function regionsOf(g: Geometry): Region[] {
  const at = (name: string, start: number, length: number): Region => ({
    name,
    start,
    end: start + length,
  });
  const record = (page: number) => (g.pageTable + page * PageRecord.WORDS) * 4;
  const records = g.endPage - g.firstPage + 1;
  return [
    at('null page', g.base, PAGE_BYTES),
    at('header', g.header * 4, Header.RECORD_BYTES),
    at('registry', g.registry * 4, Registry.bytes(g.threads)),
    at('page heap', g.pageHeap * 4, PageHeapRecord.BYTES),
    at('locks', g.locks * 4, LockTable.BYTES),
    at('classes', g.classes * 4, ClassRecord.TABLE_BYTES),
    at('baseline', g.baseline * 4, Baseline.bytes(g.threads)),
    at('slots', g.slots * 4, g.threads * Slot.BYTES),
    at('magazines', g.magazines * 4, g.threads * g.depths.words * 4),
    at('contexts', g.contexts * 4, Records.words(g.contextCount, ContextRecord.WORDS) * 4),
    at('chunks', g.chunks * 4, Records.words(g.chunkCount, ChunkRecord.WORDS) * 4),
    at('page table', record(g.firstPage), records * PageRecord.BYTES),
    at('owners', g.ownersStart, g.endPage - g.firstPage),
    at('tags', g.tagsStart, g.dataBytes / 16),
    at('data', g.dataStart, g.dataBytes),
  ];
}

/** The faults of a memory map; empty if it has none. */
function findFaults(g: Geometry): string[] {
  const faults: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) faults.push(`${hex(g.base)}, ${g.bytes} bytes, ${g.threads} threads: ${what}`);
  };
  const regions = regionsOf(g);
  regions.forEach((region, i) => {
    const next = regions[i + 1];
    check(region.end > region.start, `${region.name} is empty`);
    check(
      region.end <= (next?.start ?? g.end),
      `${region.name} reaches into ${next?.name ?? 'what follows the heap'}`,
    );
    const boundary = region.name === 'data' || region.name === 'null page' ? PAGE_BYTES : 0;
    const system = region.name === 'page table' || region.name === 'tags' ? 4 * KIB : 0;
    check(
      region.start % (boundary || system || LINE_BYTES) === 0,
      `${region.name} is not on its boundary`,
    );
  });
  check(regions[0].start === g.base, 'the null page is not at the base');
  check(g.dataStart + g.dataBytes === g.end, 'the data does not end where the heap ends');
  check(g.end === g.base + g.bytes, 'the heap has another length');
  check(g.firstPage * PAGE_BYTES === g.dataStart, 'first page');
  check(g.endPage * PAGE_BYTES === g.end, 'end page');
  check(g.endPage - g.firstPage <= PageRecord.RUN_PAGES_MAX, 'a run word cannot hold all pages');
  check(g.header === headerWord(g.base), 'the header is not where headerWord looks');

  const [table, owners, tags] = regions.slice(-4);
  const bias = g.tagsStart - g.dataStart / 16;
  check(bias >= 0, `the tag view would begin at ${bias}`);
  for (const page of [g.firstPage, g.endPage - 1]) {
    const record = (g.pageTable + page * PageRecord.WORDS) * 4;
    check(
      record >= table.start && record + PageRecord.BYTES <= table.end,
      `record of page ${page}`,
    );
    const owner = g.ownersStart + page - g.firstPage;
    check(owner >= owners.start && owner < owners.end, `owner of page ${page}`);
    const first = bias + (page * PAGE_BYTES) / 16;
    const last = bias + (page * PAGE_BYTES + PAGE_BYTES - 1) / 16;
    check(first >= tags.start && last < tags.end, `tags of page ${page}`);
  }
  check(g.ownersStart >= g.firstPage, 'the view of the owners would begin before the buffer');
  check(bias + g.end / 16 <= g.end, 'the tag view reaches past the heap');
  return faults;
}

const LENGTHS = [
  HEAP_BYTES_MIN,
  HEAP_BYTES_MIN + PAGE_BYTES,
  3 * MIB,
  8 * MIB,
  8 * MIB + 5 * PAGE_BYTES,
  64 * MIB,
  GIB,
  GIB + 40 * KIB,
  2 * GIB,
  3 * GIB + 8 * KIB,
  HEAP_END_MAX,
];
const BASES = [0, PAGE_BYTES, 64 * KIB, 3 * PAGE_BYTES, MIB, 512 * MIB];
const THREADS = [1, 2, 3, 16, 64, 254, 255];

test('computeGeometry: bases, lengths and thread counts in all combinations, without overlap', (t) => {
  const faults: string[] = [];
  let maps = 0;
  for (const bytes of LENGTHS) {
    for (const base of BASES.filter((start) => start + bytes <= 4 * GIB)) {
      for (const threads of THREADS.filter(
        (n) => n * (Slot.BYTES + MAGAZINE_BYTES_MIN) < bytes / 2,
      )) {
        faults.push(...findFaults(computeGeometry({ base, bytes, threads })));
        maps++;
      }
    }
  }
  t.deepEqual(faults.slice(0, 5), []);
  t.true(maps > 250, `${maps} maps`);
});

test('computeGeometry: every length from 2 to 24 MiB, page by page, with 1 thread', (t) => {
  const faults: string[] = [];
  for (let bytes = HEAP_BYTES_MIN; bytes <= 24 * MIB; bytes += PAGE_BYTES) {
    faults.push(...findFaults(computeGeometry({ base: 0, bytes, threads: 1 })));
  }
  t.deepEqual(faults.slice(0, 5), []);
});

test('computeGeometry: random bases, lengths and default thread counts', (t) => {
  const seed = seedOf(t);
  const pagesMax = HEAP_END_MAX / PAGE_BYTES;
  const arbitrary = fc
    .tuple(fc.integer({ min: HEAP_BYTES_MIN / PAGE_BYTES, max: pagesMax }), fc.nat(pagesMax))
    .filter(([pages, base]) => pages + base <= 4 * (GIB / PAGE_BYTES));
  t.notThrows(() =>
    fc.assert(
      fc.property(arbitrary, ([pages, base]) => {
        const bytes = pages * PAGE_BYTES;
        const faults = findFaults(
          computeGeometry({ base: base * PAGE_BYTES, bytes, threads: defaultThreads(bytes) }),
        );
        if (faults.length > 0) throw new Error(faults.join('\n'));
      }),
      { seed, numRuns: 3000 },
    ),
  );
});

test('computeGeometry: loses no more than a few pages between the structures', (t) => {
  for (const bytes of LENGTHS) {
    const regions = regionsOf(computeGeometry({ base: 0, bytes, threads: 1 }));
    const used = regions.reduce((sum, { start, end }) => sum + end - start, 0);
    t.true(bytes - used < 4 * PAGE_BYTES, `${bytes} bytes: ${bytes - used} lost`);
  }
});

test('computeGeometry: gives 92 percent of the largest heap to data, and 80 of the smallest', (t) => {
  t.true(
    computeGeometry({ base: 0, bytes: HEAP_END_MAX, threads: 64 }).dataBytes > HEAP_END_MAX * 0.92,
  );
  t.true(
    computeGeometry({ base: 0, bytes: HEAP_BYTES_MIN, threads: 1 }).dataBytes >
      HEAP_BYTES_MIN * 0.8,
  );
});

test('computeGeometry: refuses more slots than the heap has room for', (t) => {
  const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_OPTION' };
  t.throws(
    () => computeGeometry({ base: 0, bytes: HEAP_BYTES_MIN, threads: Registry.THREADS_MAX }),
    refusal,
  );
  t.throws(
    () => computeGeometry({ base: 0, bytes: GIB, threads: Registry.THREADS_MAX + 1 }),
    refusal,
  );
  t.notThrows(() => computeGeometry({ base: 0, bytes: GIB, threads: Registry.THREADS_MAX }));
});

test('defaultThreads: 64, fewer if slots would take more than an eighth, at least 1', (t) => {
  t.is(defaultThreads(GIB), 64);
  for (let bytes = HEAP_BYTES_MIN; bytes <= 64 * MIB; bytes += 64 * KIB) {
    const threads = defaultThreads(bytes);
    t.true(threads >= 1 && threads <= 64);
    t.true(
      threads === 1 || threads * (Slot.BYTES + MAGAZINE_BYTES_MIN) <= bytes / 8,
      `${bytes} bytes`,
    );
  }
});

test('viewMemory: tags and records of the first and last page are where the map says', (t) => {
  for (const base of [0, MIB]) {
    const geometry = computeGeometry({ base, bytes: 4 * MIB, threads: 2 });
    const buffer = new SharedArrayBuffer(base + 4 * MIB);
    const memory = viewMemory(buffer, geometry);
    t.is(memory.u8.length, buffer.byteLength);
    t.is(memory.tags[(geometry.end - 16) >>> 4], 0);
    memory.tags[geometry.dataStart >>> 4] = 1;
    memory.tags[(geometry.end - 16) >>> 4] = 2;
    t.is(memory.u8[geometry.tagsStart], 1);
    t.is(memory.u8[geometry.tagsStart + geometry.dataBytes / 16 - 1], 2);
    t.is(pageOf(geometry.dataStart), geometry.firstPage);
    t.is(pageOf(geometry.end - 1) as number, geometry.endPage - 1);
  }
});
