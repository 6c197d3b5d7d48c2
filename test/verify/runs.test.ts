/**
 * Proves that verify() reports runs that do not cover the data without gaps, wrong tails, and wrong
 * tags of large blocks and free runs. Each test breaks one of them, in a heap of its own.
 */

import test from 'ava';
import { LARGE } from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import * as PageHeapRecord from '../../src/layout/page-heap-record.js';
import * as PageRecord from '../../src/layout/page-record.js';
import { addressOf, assertReported, type Damage, LARGE_PAGES, type Scene } from './broken.js';

// ---- Runs

const RUN_WORDS: Record<string, (pagesLeft: number) => number> = {
  'a run word of 0': () => 0,
  'a run of no pages': () => PageRecord.wordOf(PageRecord.FREE_RUN, 0, 0),
  'a run of an unknown kind': () => PageRecord.wordOf(6 as layout.RunKind, 0, LARGE_PAGES),
  'a run past the end of the heap': (pagesLeft) =>
    PageRecord.wordOf(PageRecord.LARGE_RUN, 0, pagesLeft + 1),
  'a run word of all ones': () => -1,
};

const RUNS: Damage[] = Object.entries(RUN_WORDS).map(([what, word]) => ({
  what,
  invariant: 'page-heap I1',
  message: /^the run at 0x[0-9a-f]+ is \w+, \d+ pages, with \d+ pages left in the heap/,
  damage({ memory, record, geometry, large }: Scene) {
    const head = layout.pageOf(large[1]);
    PageRecord.setRun(memory.i32, record(head), word(geometry.endPage - head));
    return addressOf(head);
  },
}));

RUNS.push(
  {
    what: 'two free runs side by side',
    invariant: 'page-heap I3',
    message: /two free runs are adjacent/,
    damage({ memory: { i32 }, record, freed: [head] }) {
      const middle = head + 4;
      const rest = LARGE_PAGES - 4;
      PageRecord.setRun(i32, record(middle), PageRecord.wordOf(PageRecord.FREE_RUN, 0, rest));
      PageRecord.setTail(i32, record(middle + rest - 1), rest);
      PageRecord.setRun(i32, record(head), PageRecord.wordOf(PageRecord.FREE_RUN, 0, 4));
      PageRecord.setTail(i32, record(head + 3), 4);
      return addressOf(middle);
    },
  },
  {
    what: 'a second untouched run',
    invariant: 'page-heap I5',
    message: /a second untouched run/,
    damage({ memory: { i32 }, geometry, record, freed: [head] }) {
      PageRecord.setRun(
        i32,
        record(head),
        PageRecord.wordOf(PageRecord.UNTOUCHED_RUN, 0, LARGE_PAGES),
      );
      return addressOf(PageHeapRecord.getUntouched(i32, geometry.pageHeap));
    },
  },
  {
    what: 'a run that is left reserved',
    invariant: 'large I1',
    message: /a run is left RESERVED by slot 2/,
    quietOnly: true,
    damage({ memory: { i32 }, record, large: [block] }) {
      PageRecord.setRun(
        i32,
        record(layout.pageOf(block)),
        PageRecord.wordOf(PageRecord.RESERVED_RUN, 2, LARGE_PAGES),
      );
      return block;
    },
  },
);

for (const owner of [0, LARGE, PageRecord.RUN_OWNER_MAX]) {
  RUNS.push({
    what: `a span of class ${owner}`,
    invariant: 'spans I2',
    message: new RegExp(`a span of class ${owner}, which does not exist`),
    damage({ memory: { i32 }, record, full: [head] }) {
      const pages = PageRecord.pagesOf(PageRecord.getRun(i32, record(head)));
      PageRecord.setRun(i32, record(head), PageRecord.wordOf(PageRecord.SPAN_RUN, owner, pages));
      return addressOf(head);
    },
  });
}

const TAILS: Record<string, (scene: Scene) => { head: number; pages: number }> = {
  free: ({ freed: [head] }) => ({ head, pages: LARGE_PAGES }),
  large: ({ large: [block] }) => ({ head: layout.pageOf(block), pages: LARGE_PAGES }),
  span: ({ full: [head] }) => ({ head, pages: 3 }),
  untouched({ memory: { i32 }, geometry, record }) {
    const head = PageHeapRecord.getUntouched(i32, geometry.pageHeap);
    return { head, pages: PageRecord.pagesOf(PageRecord.getRun(i32, record(head))) };
  },
};

for (const [kind, find] of Object.entries(TAILS)) {
  RUNS.push({
    what: `a wrong tail of a run that is ${kind}`,
    invariant: 'page-heap I4',
    message: new RegExp(`^the ${kind} run at 0x[0-9a-f]+, \\d+ pages: its tail says 1$`),
    damage(scene) {
      const { head, pages } = find(scene);
      PageRecord.setTail(scene.memory.i32, scene.record(head + pages - 1), 1);
      return addressOf(head);
    },
  });
}

// ---- Tags of runs

const TAGS: Damage[] = [
  ...[0, 7].map(
    (tag): Damage => ({
      what: `a large block with tag ${tag}`,
      invariant: 'large I1',
      quietOnly: true,
      message: new RegExp(`the large block at 0x[0-9a-f]+ has tag ${tag}`),
      damage({ memory, large: [block] }) {
        memory.tags[block >>> 4] = tag;
        return block;
      },
    }),
  ),
  {
    what: 'a tag inside a large block',
    invariant: 'spans I1',
    message: /a tag at 0x[0-9a-f]+, where no block begins/,
    damage({ memory, large: [block] }) {
      const last = block + LARGE_PAGES * 8192 - 16;
      memory.tags[last >>> 4] = LARGE;
      return last;
    },
  },
  {
    what: 'a tag in a free run',
    invariant: 'spans I1',
    message: /a tag at 0x[0-9a-f]+, where no block begins/,
    damage({ memory, freed: [head] }) {
      memory.tags[addressOf(head) >>> 4] = 3;
      return addressOf(head);
    },
  },
];

for (const damage of [...RUNS, ...TAGS]) {
  test(`verify: ${damage.what} is reported as ${damage.invariant}`, (t) => {
    assertReported(t, damage);
  });
}
