/**
 * Proves that verify() reports bins that differ from the walk over the free runs, and likewise the
 * page heap's frontiers and counts. Each test breaks one of them, in a heap of its own.
 */

import test from 'ava';
import type { PageIndex } from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import * as PageHeapRecord from '../../src/layout/page-heap-record.js';
import * as PageRecord from '../../src/layout/page-record.js';
import {
  addressOf,
  assertReported,
  type Damage,
  LARGE_PAGES,
  type Scene,
  STRAY_PAGES,
} from './broken.js';

const NONE = 0 as PageIndex;

/**
 * The bit of a bin, and the bit of its bitmap word in the summary: the words that change when a run
 * comes into the bin and all other bins are empty.
 */
function bitsOf({ memory: { i32 }, geometry: { pageHeap } }: Scene, bin: number) {
  const words = i32.subarray(pageHeap, pageHeap + PageHeapRecord.BYTES / 4);
  const before = words.slice();
  PageHeapRecord.clearBins(i32, pageHeap);
  const empty = words.slice();
  PageHeapRecord.setBinHead(i32, pageHeap, bin, 1 as PageIndex);
  // The summary stands before the bitmap, the heads after both.
  const [summary, bitmap] = [...words.keys()].filter((n) => words[n] !== empty[n]);
  const bits = { summary: words[summary], bitmap: words[bitmap] };
  words.set(before);
  return {
    /** Sets or clears the bits, in one word or in both. */
    set(which: ('summary' | 'bitmap')[], on: boolean): void {
      for (const name of which) {
        const n = name === 'summary' ? summary : bitmap;
        words[n] = on ? words[n] | bits[name] : words[n] & ~bits[name];
      }
    },
  };
}

/** A bin of a bitmap word whose bins are all empty. */
const LONELY_BIN = 70;
const BIN = PageHeapRecord.binOf(LARGE_PAGES);

const BIT_DAMAGES: Record<string, (scene: Scene) => void> = {
  'a bin with a run whose bit is not set': (scene) => bitsOf(scene, BIN).set(['bitmap'], false),
  'an empty bin whose bit is set': (scene) =>
    bitsOf(scene, LONELY_BIN).set(['bitmap', 'summary'], true),
  'a summary without the bit of a bitmap word that has bits': (scene) =>
    bitsOf(scene, BIN).set(['summary'], false),
  'a summary with the bit of a bitmap word that has none': (scene) =>
    bitsOf(scene, LONELY_BIN).set(['summary'], true),
};

const BINS: Damage[] = [
  ...Object.entries(BIT_DAMAGES).map(
    ([what, damage]): Damage => ({
      what,
      invariant: 'page-heap-record I1',
      message: /bit/,
      damage(scene) {
        damage(scene);
        return scene.geometry.pageHeap * 4;
      },
    }),
  ),
  {
    what: 'a free run that is in no bin',
    invariant: 'run-bins I1',
    message: /the free run at 0x[0-9a-f]+ is in no bin/,
    damage({ memory: { i32 }, geometry: { pageHeap }, record }) {
      const first = PageHeapRecord.getBinHead(i32, pageHeap, BIN);
      const next = PageRecord.getNext(i32, record(first));
      PageHeapRecord.setBinHead(i32, pageHeap, BIN, next);
      PageRecord.setPrev(i32, record(next), NONE);
      return addressOf(first);
    },
  },
  ...Object.entries(STRAY_PAGES).map(
    ([what, find]): Damage => ({
      what: `a bin that begins with ${what}`,
      invariant: 'run-bins I1',
      message: /names page -?\d+, which begins no free run, or is listed twice/,
      damage(scene) {
        const page = find(scene);
        PageHeapRecord.setBinHead(scene.memory.i32, scene.geometry.pageHeap, BIN, page);
        return addressOf(page);
      },
    }),
  ),
  {
    what: 'a bin that is a cycle',
    invariant: 'run-bins I1',
    message: /names page \d+, which begins no free run, or is listed twice/,
    damage({ memory: { i32 }, geometry: { pageHeap }, record }) {
      const first = PageHeapRecord.getBinHead(i32, pageHeap, BIN);
      const next = PageRecord.getNext(i32, record(first));
      PageRecord.setNext(i32, record(next), first);
      return addressOf(first);
    },
  },
  {
    what: 'a free run in the bin of another length',
    invariant: 'run-bins I1',
    message: new RegExp(`bin ${BIN + 2} has a run of ${LARGE_PAGES} pages`),
    damage({ memory: { i32 }, geometry: { pageHeap } }) {
      const first = PageHeapRecord.getBinHead(i32, pageHeap, BIN);
      PageHeapRecord.setBinHead(i32, pageHeap, BIN, NONE);
      PageHeapRecord.setBinHead(i32, pageHeap, BIN + 2, first);
      return addressOf(first);
    },
  },
  {
    what: 'a wrong link back in a bin',
    invariant: 'run-bins I1',
    message: new RegExp(`bin ${BIN} has a wrong link back`),
    damage({ memory: { i32 }, geometry: { pageHeap }, record, large: [block] }) {
      const next = PageRecord.getNext(i32, record(PageHeapRecord.getBinHead(i32, pageHeap, BIN)));
      PageRecord.setPrev(i32, record(next), layout.pageOf(block));
      return addressOf(next);
    },
  },
];

// ---- Frontiers and counts

const INDEXES: Record<string, (scene: Scene) => void> = {
  untouched({ memory: { i32 }, geometry: { pageHeap } }) {
    PageHeapRecord.setUntouched(i32, pageHeap, NONE);
  },
  brk({ memory: { i32 }, geometry: { pageHeap } }) {
    PageHeapRecord.setBrk(i32, pageHeap, (PageHeapRecord.getBrk(i32, pageHeap) + 8) as PageIndex);
  },
  mappedPages({ memory: { i32 }, geometry: { pageHeap } }) {
    PageHeapRecord.addMapped(i32, pageHeap, 1, 0);
  },
  mappedRuns({ memory: { i32 }, geometry: { pageHeap } }) {
    PageHeapRecord.addMapped(i32, pageHeap, 0, -1);
  },
};

const COUNTS = Object.entries(INDEXES).map(
  ([name, damage]): Damage => ({
    what: `${name} that differs from the walk`,
    invariant: 'page-heap I6',
    message: new RegExp(`^${name} is \\d+, but the walk counts \\d+$`),
    damage(scene) {
      damage(scene);
      return scene.geometry.pageHeap * 4;
    },
  }),
);

for (const damage of [...BINS, ...COUNTS]) {
  test(`verify: ${damage.what} is reported as ${damage.invariant}`, (t) => {
    assertReported(t, damage);
  });
}
