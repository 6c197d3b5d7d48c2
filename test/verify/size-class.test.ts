/**
 * Proves that verify() reports every broken invariant of a size class: spans, bitmaps, tags, the
 * partial list, caches and their counters. Each test breaks one of them, in a heap of its own.
 */

import test from 'ava';
import { PAGE_BYTES, type PageIndex } from '../../src/base/index.js';
import * as ClassRecord from '../../src/layout/class-record.js';
import * as layout from '../../src/layout/index.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Slot from '../../src/layout/slot.js';
import { addressOf, assertReported, bitOf, type Damage, freeBlock, STRAY_PAGES } from './broken.js';

const NONE = 0 as PageIndex;

/** Index of the tag of an address. */
const tagAt = (address: number): number => address >>> 4;

const SPANS: Damage[] = [
  {
    what: 'a page that names another span as its own',
    invariant: 'spans I2',
    message: /page \d+ says that its span begins at page \d+/,
    damage({ memory, record, full }) {
      PageRecord.setSpanHead(memory.i32, record(full[0] + 1), full[1]);
      return addressOf(full[0]);
    },
  },
  {
    what: 'a bit past the last block of a span',
    invariant: 'spans I3',
    message: /bits are set past the span's last block/,
    damage({ memory: { i32 }, record, partial }) {
      const span = record(partial[0]);
      PageRecord.setBitmap(i32, span, 0, PageRecord.getBitmap(i32, span, 0) | (1 << 8));
      return addressOf(partial[0]);
    },
  },
  {
    what: 'a free count that differs from the number of bits',
    invariant: 'spans I3',
    message: /free count \d+, bits set \d+/,
    damage({ memory: { i32 }, record, partial }) {
      const span = record(partial[1]);
      PageRecord.setFreeCount(i32, span, PageRecord.getFreeCount(i32, span) + 1);
      return addressOf(partial[1]);
    },
  },
  {
    what: "a live block with another class's tag",
    invariant: 'spans I1',
    message: /of class \d+ has tag \d+/,
    damage({ memory, live, c }) {
      memory.tags[tagAt(live[3])] = c + 1;
      return live[3];
    },
  },
  {
    what: 'a free block with a tag',
    invariant: 'spans I1',
    message: /is free in its span, but has a tag/,
    damage(scene) {
      const address = freeBlock(scene);
      scene.memory.tags[tagAt(address)] = scene.c;
      return address;
    },
  },
  {
    what: 'a tag inside a block',
    invariant: 'spans I1',
    message: /a tag at 0x[0-9a-f]+, where no block of class \d+ begins/,
    damage({ memory, live, c }) {
      memory.tags[tagAt(live[0] + 16)] = c;
      return live[0] + 16;
    },
  },
  {
    what: 'a tag in the unused end of a span',
    invariant: 'spans I1',
    message: /where no block of class 3 begins/,
    damage({ memory, tiny }) {
      // 170 blocks of 48 bytes leave 32 bytes of the page.
      const end = addressOf(layout.pageOf(tiny)) + PAGE_BYTES - 32;
      memory.tags[tagAt(end)] = 3;
      return end;
    },
  },
  {
    what: 'a live block that lost its tag',
    invariant: 'spans I5',
    message: /is neither live, cached nor free: lost/,
    quietOnly: true,
    damage({ memory, live }) {
      memory.tags[tagAt(live[5])] = 0;
      return live[5];
    },
  },
];

const LISTS: Damage[] = [
  {
    what: 'a span count that differs from the number of spans',
    invariant: 'class-record I2',
    message: /class \d+ counts \d+ spans, but the walk counts \d+/,
    damage({ memory, counts }) {
      ClassRecord.addSpanCount(memory.i32, counts, 1);
      return counts * 4;
    },
  },
  ...Object.entries(STRAY_PAGES).map(
    ([what, find]): Damage => ({
      what: `a partial list that begins with ${what}`,
      invariant: 'class-record I1',
      message: /the partial list of class \d+ names page -?\d+, which is not a span of it/,
      damage(scene) {
        const page = find(scene);
        ClassRecord.setPartial(scene.memory.i32, scene.list, page);
        return addressOf(page);
      },
    }),
  ),
  {
    what: 'a partial list that is a cycle',
    invariant: 'class-record I1',
    message: /names page \d+, which is not a span of it/,
    damage({ memory, record, partial }) {
      PageRecord.setNext(memory.i32, record(partial.at(-1) as number), partial[0]);
      return addressOf(partial[0]);
    },
  },
  {
    what: 'a wrong link back in a partial list',
    invariant: 'class-record I1',
    message: /the partial list of class \d+ has a wrong link back/,
    damage({ memory, record, partial, full }) {
      PageRecord.setPrev(memory.i32, record(partial[1]), full[0]);
      return addressOf(partial[1]);
    },
  },
  {
    what: 'a full span in the partial list',
    invariant: 'class-record I1',
    message: /a full span is in the partial list/,
    damage({ memory: { i32 }, record, list, partial, full }) {
      ClassRecord.setPartial(i32, list, full[0]);
      PageRecord.setNext(i32, record(full[0]), partial[0]);
      PageRecord.setPrev(i32, record(full[0]), NONE);
      PageRecord.setPrev(i32, record(partial[0]), full[0]);
      return addressOf(full[0]);
    },
  },
  {
    what: 'a span that is not wholly free among the retired spans',
    invariant: 'class-record I1',
    message: /a span with \d+ of \d+ blocks free is in the retired spans of class/,
    damage({ memory: { i32 }, slot, c, list, partial }) {
      ClassRecord.setPartial(i32, Slot.retiredOf(slot, c), partial[0]);
      ClassRecord.setPartial(i32, list, NONE);
      return addressOf(partial[0]);
    },
  },
  {
    what: "a span in another owner's list",
    invariant: 'class-record I1',
    message: /a span of owner 2 is in the partial list of owner 1/,
    damage({ memory, partial }) {
      memory.owners[partial[1]] = 2;
      return addressOf(partial[1]);
    },
  },
  {
    what: 'a span with free blocks that is in no list',
    invariant: 'class-record I1',
    message: /a span of class \d+ with free blocks is in no list/,
    damage({ memory: { i32 }, record, list, partial }) {
      ClassRecord.setPartial(i32, list, partial[1]);
      PageRecord.setPrev(i32, record(partial[1]), NONE);
      return addressOf(partial[0]);
    },
  },
];

const CACHES: Damage[] = [
  {
    what: 'a cached block that is also free in its span',
    invariant: 'spans I1',
    message: /is in a cache and free in its span/,
    damage(scene) {
      const { i32 } = scene.memory;
      const { span, word, bit } = bitOf(scene, scene.cached[0]);
      PageRecord.setBitmap(i32, span, word, PageRecord.getBitmap(i32, span, word) | bit);
      return scene.cached[0];
    },
  },
  {
    what: 'a cached block with a tag',
    invariant: 'slot I5',
    message: /is in a cache, but has a tag/,
    quietOnly: true,
    damage({ memory, cached, c }) {
      memory.tags[tagAt(cached[0])] = c;
      return cached[0];
    },
  },
  {
    what: 'a block of another class in a cache',
    invariant: 'spans I5',
    message: /is cached as class \d+ but is not a block of it/,
    quietOnly: true,
    damage({ memory, bottom, tiny }) {
      memory.u32[bottom] = tiny;
      return tiny;
    },
  },
  {
    what: 'a block that is cached twice',
    invariant: 'spans I5',
    message: /is cached twice/,
    quietOnly: true,
    damage({ memory, bottom, cached }) {
      memory.u32[bottom] = cached[1];
      return cached[1];
    },
  },
  {
    what: 'a transit that is open while its lock is free',
    invariant: 'slot I3',
    message: /a transit of class \d+ is open, but its lock was free/,
    quietOnly: true,
    damage({ memory, slot, c, bottom }) {
      Slot.setFrom(memory.u32, slot, c, bottom);
      Slot.openTransit(memory.u32, slot, c, bottom + 1);
      return slot * 4;
    },
  },
];

const MAGAZINE_ENDS: Record<string, (u32: Uint32Array, bottom: number, end: number) => void> = {
  'without the zero below it': (u32, bottom) => {
    u32[bottom - 1] = 16;
  },
  'without the sentinel at its limit': (u32, _, end) => {
    u32[end] = 16;
  },
  'without the sentinel above its limit': (u32, _, end) => {
    u32[end + 1] = 16;
  },
};

for (const [what, damage] of Object.entries(MAGAZINE_ENDS)) {
  CACHES.push({
    what: `a magazine ${what}`,
    invariant: 'slot I1',
    message: /the entries of a magazine of class \d+ are not between a zero and a sentinel/,
    quietOnly: true,
    damage({ memory, bottom, end, slot }) {
      damage(memory.u32, bottom, end);
      return slot * 4;
    },
  });
}

for (const [what, top] of [
  ['below its first entry', -1],
  ['past its sentinels', 100],
  ['outside of the slot', 1e6],
] as const) {
  CACHES.push({
    what: `a magazine whose top is ${what}`,
    invariant: 'slot I1',
    message: /the entries of a magazine of class \d+ are not between a zero and a sentinel/,
    quietOnly: true,
    damage({ memory, slot, c, bottom }) {
      Slot.setTop(memory.u32, slot, c, bottom + top);
      return slot * 4;
    },
  });
}

const COUNTERS: Damage[] = [
  {
    what: 'a count of held blocks that differs from the bitmaps',
    invariant: 'slot I6',
    message: /class \d+: \d+ blocks held by counters, \d+ by bitmaps/,
    damage({ memory, slot, c, counts }) {
      Slot.addHeld(memory.f64, slot, c, 1);
      return counts * 4;
    },
  },
  {
    what: 'fewer allocations than blocks in use',
    invariant: 'slot I6',
    message: /class \d+: more blocks in use than were ever allocated \(0\)/,
    quietOnly: true,
    damage({ memory, slot, c, counts }) {
      memory.f64[Slot.mallocsOf(slot) + c] = 0;
      return counts * 4;
    },
  },
];

for (const damage of [...SPANS, ...LISTS, ...CACHES, ...COUNTERS]) {
  test(`verify: ${damage.what} is reported as ${damage.invariant}`, (t) => {
    assertReported(t, damage);
  });
}
