/**
 * Proves the thread slot: its fields and magazines do not overlap, sentinels are where the limit
 * says and nowhere else, and a closed slot hands out no block and has no room for one.
 */

import test from 'ava';
import {
  BLOCK_BYTES,
  CLASS_ENTRIES,
  LARGE,
  type MagazineIndex,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type WordIndex,
} from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import * as Slot from '../../src/layout/slot.js';
import * as SlotCounters from '../../src/layout/slot-counters.js';

const AT = 64 as WordIndex;
const SENTINEL_WORD = 0xffffffff;
const classes = Array.from({ length: SIZE_CLASS_COUNT }, (_, i) => (i + 1) as SizeClass);
const magazines = Array.from({ length: 2 * CLASS_ENTRIES }, (_, i) => i as MagazineIndex);

/** The slot's magazines, which follow it directly. */
const MAGAZINES = (AT + Slot.WORDS) as WordIndex;
const depths = layout.magazineSizesFor(0);
const limits = depths.limits;

function makeSlot() {
  const words = MAGAZINES + depths.words + 64;
  const buffer = new SharedArrayBuffer(words * 4);
  return {
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

test('magazineSizesFor: the largest that fit; magazines do not overlap, and each has room', (t) => {
  let last = Number.POSITIVE_INFINITY;
  for (let bytes = 1024 * 1024; bytes >= 1024; bytes /= 2) {
    const { limits, offsets, words } = layout.magazineSizesFor(bytes);
    t.true(words * 4 <= bytes || words * 4 === layout.MAGAZINE_BYTES_MIN, `${bytes}: ${words}`);
    t.true(words <= last);
    last = words;
    let free = 0;
    for (const c of classes) {
      for (const magazine of layout.magazinesOf(c)) {
        t.true(offsets[magazine] - 1 >= free, `magazine ${magazine} begins in the one before`);
        t.true(limits[magazine] >= (magazine === c ? 2 : 1));
        t.true(limits[magazine] <= 2 || limits[magazine] * BLOCK_BYTES[c] <= 512 * 1024);
        free = offsets[magazine] + limits[magazine] + 2;
      }
    }
    t.true(free <= words);
    t.is(limits[0] + limits[LARGE] + limits[layout.remoteMagazine(LARGE)], 0);
  }
  t.is(layout.magazineSizesFor(1024 * 1024).limits[1], 4096);
  t.is(layout.magazineSizesFor(0).limits[1], 128);
});

test('slotRecord: slots follow each other on cache lines', (t) => {
  t.is(Slot.at(AT, 3) - Slot.at(AT, 2), Slot.WORDS);
  t.is(Slot.BYTES % 64, 0);
});

test('slot: tops, transits, held, counts, counters, samples and thread do not overlap', (t) => {
  const { u32, f64 } = makeSlot();
  const limitOf = (c: MagazineIndex) => Math.min(limits[c], 2 + (c % 7));
  Slot.resetMagazines(u32, AT, MAGAZINES, depths);
  for (const c of classes) Slot.openMagazine(u32, AT, c, limitOf(c));
  Slot.storeThreadId(u32, AT, 41);
  for (const c of classes) {
    Slot.openTransit(u32, AT, c, 20_000 + c);
    Slot.setTop(u32, AT, c, 10_000 + c);
    Slot.setFrom(u32, AT, layout.remoteMagazine(c), 30_000 + c);
    Slot.openTransit(u32, AT, layout.remoteMagazine(c), 40_000 + c);
    u32[Slot.partialOf(AT, c)] = 50_000 + c;
    u32[Slot.retiredOf(AT, c)] = 60_000 + c;
    Slot.addHeld(f64, AT, c, -c);
    f64[Slot.mallocsOf(AT) + c] = (2 ** 40 + c) * Slot.MALLOC_STEP;
    SlotCounters.addSample(f64, AT, c, 2 ** 30 + c);
    SlotCounters.addSample(f64, AT, c, 1);
  }
  for (let n = 0; n < SlotCounters.COUNT; n++) SlotCounters.add(f64, AT, n, 2 ** 41 + n);
  for (const c of classes) {
    t.is(Slot.getTop(u32, AT, c), 10_000 + c);
    t.is(Slot.getTransit(u32, AT, c), 20_000 + c);
    t.true(Slot.isParked(u32, AT, layout.remoteMagazine(c)));
    t.is(Slot.topOf(u32, AT, layout.remoteMagazine(c)), 30_000 + c);
    t.is(Slot.getTransit(u32, AT, layout.remoteMagazine(c)), 40_000 + c);
    t.is(u32[Slot.partialOf(AT, c)], 50_000 + c);
    t.is(u32[Slot.retiredOf(AT, c)], 60_000 + c);
    t.is(Slot.getHeld(f64, AT, c), -c);
    t.is(Slot.getMallocs(f64, AT, c), 2 ** 40 + c);
    t.is(Slot.getLimit(u32, AT, c), limitOf(c));
    t.is(SlotCounters.getSampledBytes(f64, AT, c), 2 ** 30 + c + 1);
    t.is(SlotCounters.getSampledRequests(f64, AT, c), 2);
    t.is(u32[Slot.magazineBottom(u32, AT, c) - 1], 0);
    t.is(u32[Slot.magazineBottom(u32, AT, c) + limitOf(c)], SENTINEL_WORD);
  }
  for (let n = 0; n < SlotCounters.COUNT; n++) {
    t.is(SlotCounters.get(f64, AT, n), 2 ** 41 + n);
  }
  t.is(Slot.getThreadId(u32, AT), 41);
  t.true(u32.subarray(0, AT).every((word) => word === 0));
  t.true(u32.subarray(MAGAZINES + depths.words).every((word) => word === 0));
});

test('getThreadId: -1 if no thread ever had the slot', (t) => {
  const { u32 } = makeSlot();
  t.is(Slot.getThreadId(u32, AT), -1);
  Slot.storeThreadId(u32, AT, 0);
  t.is(Slot.getThreadId(u32, AT), 0);
});

test('resetMagazines: opens no magazine: malloc finds it empty, free finds it full, its memory stays untouched', (t) => {
  const { u32, f64 } = makeSlot();
  f64[Slot.mallocsOf(AT) + 1] = 5;
  u32.fill(7, MAGAZINES, MAGAZINES + depths.words);
  for (const magazine of magazines) Slot.openTransit(u32, AT, magazine, 3);
  Slot.resetMagazines(u32, AT, MAGAZINES, depths);
  for (const magazine of magazines) {
    const top = Slot.getTop(u32, AT, magazine);
    t.is(u32[top - 1], 0, `magazine ${magazine}: empty is seen`);
    t.is(u32[top], SENTINEL_WORD, `magazine ${magazine}: full is seen`);
    t.true(Slot.isParked(u32, AT, magazine));
    t.is(Slot.magazineBlocks(u32, AT, magazine), 0);
    t.is(Slot.getTransit(u32, AT, magazine), 0);
  }
  t.true(u32.subarray(MAGAZINES, MAGAZINES + depths.words).every((word) => word === 7));
  t.is(f64[Slot.mallocsOf(AT) + 1], 5, 'counters keep their values');
});

test('openMagazine: a magazine of any length is empty, and full at its limit', (t) => {
  const { u32 } = makeSlot();
  Slot.resetMagazines(u32, AT, MAGAZINES, depths);
  for (const magazine of classes.flatMap((c) => layout.magazinesOf(c))) {
    Slot.openMagazine(u32, AT, magazine, limits[magazine]);
    const top = Slot.getTop(u32, AT, magazine);
    t.false(Slot.isParked(u32, AT, magazine));
    t.is(top, Slot.magazineBottom(u32, AT, magazine));
    t.is(u32[top - 1], 0, `magazine ${magazine}: empty is seen`);
    t.is(u32[top + limits[magazine]], SENTINEL_WORD, `magazine ${magazine}: full is seen`);
    t.is(u32[top + limits[magazine] + 1], SENTINEL_WORD, `magazine ${magazine}: over the sentinel`);
  }
});

test('moveSentinel: from any limit to any other: two sentinels, no other, no zero, entries kept', (t) => {
  const faults: string[] = [];
  for (const c of classes) {
    const { u32 } = makeSlot();
    const bottom = MAGAZINES + depths.offsets[c];
    const most = limits[c];
    const end = bottom + most + 2;
    for (let from = 1; from <= most; from++) {
      for (let to = 1; to <= most; to++) {
        Slot.resetMagazines(u32, AT, MAGAZINES, depths);
        Slot.openMagazine(u32, AT, c, from);
        for (let word = bottom; word < end; word++) {
          if (word !== bottom + from && word !== bottom + from + 1) u32[word] = word << 4;
        }
        Slot.moveSentinel(u32, AT, c, to);
        const where = `class ${c}, ${from} to ${to}`;
        if (Slot.getLimit(u32, AT, c) !== to) faults.push(`${where}: limit`);
        if (u32[bottom - 1] !== 0) faults.push(`${where}: word below the bottom`);
        for (let word = bottom; word < end; word++) {
          const sentinel = word === bottom + to || word === bottom + to + 1;
          const value = u32[word];
          if (sentinel !== (value === SENTINEL_WORD) || value === 0) {
            faults.push(`${where}: entry ${word - bottom} is ${value}`);
          }
          const kept = word < bottom + Math.min(from, to);
          if (kept && value !== word << 4) faults.push(`${where}: entry ${word - bottom} lost`);
        }
      }
    }
  }
  t.deepEqual(faults.slice(0, 5), []);
});
