/**
 * Proves the thread slot: its fields and stacks keep apart, fences stand where the limit says and
 * nowhere else, and the closed slot has nothing to give and no room.
 */

import test from 'ava';
import {
  CLASS_ENTRIES,
  LARGE,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type StackIndex,
  type WordIndex,
} from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';

const AT = 64 as WordIndex;
const FENCE_WORD = 0xffffffff;
const classes = Array.from({ length: SIZE_CLASS_COUNT }, (_, i) => (i + 1) as SizeClass);
const stacks = Array.from({ length: 2 * CLASS_ENTRIES }, (_, i) => i as StackIndex);

function makeSlot() {
  const buffer = new SharedArrayBuffer(AT * 4 + 2 * layout.SLOT_BYTES);
  return {
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

test('stackBottom: all stacks are disjoint and inside the slot', (t) => {
  let free = layout.topsOf(AT) as number;
  for (const stack of stacks) {
    const bottom = layout.stackBottom(AT, stack);
    const limit = layout.STACK_LIMIT[stack];
    t.true(bottom - 1 >= free, `stack ${stack} begins in the one before`);
    free = bottom + limit + 2;
  }
  t.true(free <= AT + layout.SLOT_WORDS);
  t.is(layout.slotRecord(AT, 3) - layout.slotRecord(AT, 2), layout.SLOT_WORDS);
  t.is(layout.SLOT_BYTES % 64, 0);
});

test('slot: tops, transits, held, counts, counters, samples and thread keep apart', (t) => {
  const { u32, f64 } = makeSlot();
  const limitOf = (c: StackIndex) => Math.min(layout.STACK_LIMIT[c], 2 + (c % 7));
  layout.resetStacks(u32, AT, limitOf);
  layout.setThreadId(u32, AT, 41);
  for (const c of classes) {
    layout.setTop(u32, AT, c, 10_000 + c);
    layout.setTransit(u32, AT, c, 20_000 + c);
    layout.setTop(u32, AT, layout.awayStack(c), 30_000 + c);
    layout.setTransit(u32, AT, layout.awayStack(c), 40_000 + c);
    u32[layout.partialOf(AT, c)] = 50_000 + c;
    layout.addHeld(f64, AT, c, -c);
    f64[layout.mallocsOf(AT) + c] = 2 ** 40 + c;
    layout.addSample(f64, AT, c, 2 ** 30 + c);
    layout.addSample(f64, AT, c, 1);
  }
  for (let n = 0; n < layout.SLOT_COUNTERS; n++) layout.addSlotCounter(f64, AT, n, 2 ** 41 + n);
  for (const c of classes) {
    t.is(layout.getTop(u32, AT, c), 10_000 + c);
    t.is(layout.getTransit(u32, AT, c), 20_000 + c);
    t.is(layout.getTop(u32, AT, layout.awayStack(c)), 30_000 + c);
    t.is(layout.getTransit(u32, AT, layout.awayStack(c)), 40_000 + c);
    t.is(u32[layout.partialOf(AT, c)], 50_000 + c);
    t.is(layout.getHeld(f64, AT, c), -c);
    t.is(layout.getMallocs(f64, AT, c), 2 ** 40 + c);
    t.is(layout.getLimit(u32, AT, c), limitOf(c));
    t.is(layout.getSampledBytes(f64, AT, c), 2 ** 30 + c + 1);
    t.is(layout.getSampledRequests(f64, AT, c), 2);
    t.is(u32[layout.stackBottom(AT, c) - 1], 0);
    t.is(u32[layout.stackBottom(AT, c) + limitOf(c)], FENCE_WORD);
  }
  for (let n = 0; n < layout.SLOT_COUNTERS; n++) {
    t.is(layout.getSlotCounter(f64, AT, n), 2 ** 41 + n);
  }
  t.is(layout.getThreadId(u32, AT), 41);
  t.true(u32.subarray(0, AT).every((word) => word === 0));
  t.true(u32.subarray(AT + layout.SLOT_WORDS).every((word) => word === 0));
});

test('getThreadId: -1 where no thread ever had the slot', (t) => {
  const { u32 } = makeSlot();
  t.is(layout.getThreadId(u32, AT), -1);
  layout.setThreadId(u32, AT, 0);
  t.is(layout.getThreadId(u32, AT), 0);
});

test('resetStacks: empties dirty stacks; tags 0 and LARGE point at a fence over a zero', (t) => {
  const { u32, f64 } = makeSlot();
  f64[layout.mallocsOf(AT) + 1] = 5;
  for (const stack of stacks) {
    const bottom = layout.stackBottom(AT, stack);
    const limit = layout.STACK_LIMIT[stack];
    u32.fill(0xffffffff, bottom - 1, bottom + limit + 2);
    layout.setTransit(u32, AT, stack, 3);
  }
  layout.resetStacks(u32, AT, (stack) => layout.STACK_LIMIT[stack]);
  for (const stack of stacks) {
    const top = layout.getTop(u32, AT, stack);
    t.is(top, layout.stackBottom(AT, stack), `stack ${stack}`);
    t.is(u32[top - 1], 0, `stack ${stack}: empty is seen`);
    t.is(layout.getTransit(u32, AT, stack), 0);
    if (layout.STACK_LIMIT[stack] > 0) {
      t.is(u32[top + layout.STACK_LIMIT[stack]], FENCE_WORD, `stack ${stack}: full is seen`);
      t.is(u32[top + layout.STACK_LIMIT[stack] + 1], FENCE_WORD, `stack ${stack}: over the fence`);
    } else {
      t.is(u32[top], FENCE_WORD, `stack ${stack}: a free ends in the slow path`);
    }
  }
  t.is(layout.getTop(u32, AT, LARGE), layout.stackBottom(AT, LARGE));
  t.is(f64[layout.mallocsOf(AT) + 1], 5, 'counters stay');
});

test('moveFence: from any limit to any other: two fences, no other, no zero, entries kept', (t) => {
  const faults: string[] = [];
  for (const c of classes) {
    const { u32 } = makeSlot();
    const bottom = layout.stackBottom(AT, c);
    const most = layout.STACK_LIMIT[c];
    const end = bottom + most + 2;
    for (let from = 1; from <= most; from++) {
      for (let to = 1; to <= most; to++) {
        layout.resetStacks(u32, AT, () => from);
        for (let word = bottom; word < end; word++) {
          if (word !== bottom + from && word !== bottom + from + 1) u32[word] = word << 4;
        }
        layout.moveFence(u32, AT, c, to);
        const where = `class ${c}, ${from} to ${to}`;
        if (layout.getLimit(u32, AT, c) !== to) faults.push(`${where}: limit`);
        if (u32[bottom - 1] !== 0) faults.push(`${where}: word below the bottom`);
        for (let word = bottom; word < end; word++) {
          const fence = word === bottom + to || word === bottom + to + 1;
          const value = u32[word];
          if (fence !== (value === FENCE_WORD) || value === 0) {
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
