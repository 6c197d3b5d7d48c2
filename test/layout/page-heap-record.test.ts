/** Proves the bins of free runs: the bin of each length, and the two-level search for a bin. */

import test from 'ava';
import fc from 'fast-check';
import type { PageIndex, WordIndex } from '../../src/base/index.js';
import * as PageHeapRecord from '../../src/layout/page-heap-record.js';
import * as PageRecord from '../../src/layout/page-record.js';
import { seedOf } from '../helpers.js';

const AT = 16 as WordIndex;

const record = () => {
  const buffer = new SharedArrayBuffer(Math.ceil(PageHeapRecord.BYTES / 8) * 8 + 128);
  return { i32: new Int32Array(buffer), f64: new Float64Array(buffer) };
};

test('binOf: grows with the length of a run, uses each bin, and none past BIN_COUNT', (t) => {
  let before = PageHeapRecord.binOf(1);
  t.is(before, 1);
  const wrong: number[] = [];
  for (let pages = 2; pages <= PageRecord.RUN_PAGES_MAX; pages++) {
    const bin = PageHeapRecord.binOf(pages);
    if (bin !== before && bin !== before + 1) wrong.push(pages);
    before = bin;
  }
  t.deepEqual(wrong.slice(0, 5), []);
  t.is(before, PageHeapRecord.BIN_COUNT - 1);
});

test('isExactBin: true for exactly the bins that hold runs of one length', (t) => {
  const lengths = new Map<number, number>();
  for (let pages = 1; pages <= PageRecord.RUN_PAGES_MAX; pages++) {
    lengths.set(PageHeapRecord.binOf(pages), (lengths.get(PageHeapRecord.binOf(pages)) ?? 0) + 1);
  }
  for (const [bin, count] of lengths) {
    // The first doubling above the exact bins has fewer than eight lengths to a bin.
    if (PageHeapRecord.isExactBin(bin)) t.is(count, 1, `bin ${bin}`);
    else t.true(count > 1, `bin ${bin}`);
  }
});

test('binOf: the lengths of a bin differ by at most an eighth', (t) => {
  let shortest = 1;
  const wrong: number[] = [];
  for (let pages = 2; pages <= PageRecord.RUN_PAGES_MAX; pages++) {
    if (PageHeapRecord.binOf(pages) !== PageHeapRecord.binOf(shortest)) shortest = pages;
    else if (pages > shortest * (1 + 1 / 8)) wrong.push(pages);
  }
  t.deepEqual(wrong.slice(0, 5), []);
});

test('nextBin: finds the same bin as a search through all heads, for any set of bins', (t) => {
  const seed = seedOf(t);
  const bin = fc.integer({ min: 1, max: PageHeapRecord.BIN_COUNT - 1 });
  const change = fc.tuple(bin, fc.boolean());
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const { i32 } = record();
        const full = new Set<number>();
        for (const [n, used] of changes) {
          PageHeapRecord.setBinHead(i32, AT, n, (used ? n + 1 : 0) as PageIndex);
          if (used) full.add(n);
          else full.delete(n);
        }
        for (let from = 0; from <= PageHeapRecord.BIN_COUNT; from++) {
          let naive = from;
          while (naive < PageHeapRecord.BIN_COUNT && !full.has(naive)) naive++;
          const found = PageHeapRecord.nextBin(i32, AT, from);
          if (found !== (naive < PageHeapRecord.BIN_COUNT ? naive : -1)) {
            throw new Error(`from ${from}: ${found} instead of ${naive}`);
          }
        }
      }),
      { seed, numRuns: 500 },
    ),
  );
});

test('setBinHead: a single bin is found from below and from itself, not from above', (t) => {
  for (let bin = 1; bin < PageHeapRecord.BIN_COUNT; bin++) {
    const { i32 } = record();
    PageHeapRecord.setBinHead(i32, AT, bin, 9 as PageIndex);
    t.is(PageHeapRecord.getBinHead(i32, AT, bin) as number, 9);
    t.is(PageHeapRecord.nextBin(i32, AT, 0), bin);
    t.is(PageHeapRecord.nextBin(i32, AT, bin), bin);
    t.is(PageHeapRecord.nextBin(i32, AT, bin + 1), -1);
    PageHeapRecord.setBinHead(i32, AT, bin, 0 as PageIndex);
    t.is(PageHeapRecord.nextBin(i32, AT, 0), -1);
  }
});

test('page-heap record: frontiers, totals, counters and bins do not overlap', (t) => {
  const { i32, f64 } = record();
  for (let bin = 1; bin < PageHeapRecord.BIN_COUNT; bin++)
    PageHeapRecord.setBinHead(i32, AT, bin, (bin + 5000) as PageIndex);
  PageHeapRecord.setUntouched(i32, AT, 11 as PageIndex);
  PageHeapRecord.setBrk(i32, AT, 12 as PageIndex);
  PageHeapRecord.addMapped(i32, AT, 100, 3);
  PageHeapRecord.addMapped(i32, AT, -40, -1);
  for (const counter of [
    PageHeapRecord.SPLITS,
    PageHeapRecord.COALESCES,
    PageHeapRecord.DIRECT_MAPS,
  ]) {
    for (let n = 0; n <= counter; n++) PageHeapRecord.bumpCounter(f64, AT, counter);
  }
  t.is(PageHeapRecord.getUntouched(i32, AT) as number, 11);
  t.is(PageHeapRecord.getBrk(i32, AT) as number, 12);
  t.is(PageHeapRecord.getMappedPages(i32, AT), 60);
  t.is(PageHeapRecord.getMappedRuns(i32, AT), 2);
  t.is(PageHeapRecord.getPeakMappedPages(i32, AT), 100);
  t.is(PageHeapRecord.getCounter(f64, AT, PageHeapRecord.SPLITS), 1);
  t.is(PageHeapRecord.getCounter(f64, AT, PageHeapRecord.COALESCES), 2);
  t.is(PageHeapRecord.getCounter(f64, AT, PageHeapRecord.DIRECT_MAPS), 3);
  PageHeapRecord.setPeakLiveBytes(f64, AT, 2 ** 40 + 1);
  PageHeapRecord.setPeakMappedPages(i32, AT, 60);
  t.is(PageHeapRecord.getPeakLiveBytes(f64, AT), 2 ** 40 + 1);
  t.is(PageHeapRecord.getPeakMappedPages(i32, AT), 60);
  for (let bin = 1; bin < PageHeapRecord.BIN_COUNT; bin++) {
    t.is(PageHeapRecord.getBinHead(i32, AT, bin) as number, bin + 5000);
    t.is(PageHeapRecord.nextBin(i32, AT, bin), bin);
  }
  const end = AT + PageHeapRecord.BYTES / 4;
  t.true(i32.subarray(0, AT).every((word) => word === 0));
  t.true(i32.subarray(end).every((word) => word === 0));
});
