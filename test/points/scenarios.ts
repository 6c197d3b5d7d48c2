/**
 * Scenarios: short programs, cut at every point. They are the operations of the model's scenarios
 * (test/model/scenarios.ts), with sizes that make the real heap take the same ways.
 *
 * They act only on their arguments. Blocks go through a Program, which keeps the books.
 */

import type { Address } from 'shmalloc';
import { classOf, PAGE_BYTES } from '../../src/base/index.js';
import * as Slot from '../../src/layout/slot.js';
import { CONTEXT_SCENARIOS } from './context-scenarios.js';
import {
  ALL_HELD_BACK,
  type Blocks,
  type Corpse,
  GUARDED,
  HELD_BACK,
  PAGES,
  type Program,
  type Scenario,
  SMALL,
  TINY,
} from './program.js';
import { VECTOR_SCENARIOS } from './vector-scenarios.js';

/** Allocates three adjacent blocks of `pages` pages and one more, and frees some of them. */
function neighbours(program: Program, blocks: Blocks, below: boolean, above: boolean): void {
  const [a, b, c] = program.many(4, PAGES(10)) as [Address, Address, Address];
  blocks.a = b;
  if (below) program.free(a);
  if (above) program.free(c);
}

/** Frees blocks of one class until their magazine is full. */
function fillMagazine(program: Program, blocks: Address[]): void {
  const { memory, slotIndex } = program.core;
  const slot = Slot.at(memory.geometry.slots, slotIndex);
  const c = classOf(program.calls.usableSize(blocks[0]));
  const isFull = () =>
    Slot.magazineBlocks(memory.u32, slot, c) === Slot.getLimit(memory.u32, slot, c);
  while (!isFull()) program.free(blocks.pop() as Address);
}

/** Allocates and frees enough blocks that wholly free spans are retired. */
function makeRetired(program: Program): void {
  program.freeAll(program.many(140, TINY));
}

/** Fills the heap with runs: a block that is aligned to more than a page is a run of its own. */
function fillWithRuns(program: Program): void {
  for (let pages = 64; pages > 0; pages >>>= 1) {
    while (program.aligned(PAGE_BYTES * 2, PAGES(pages)) !== 0);
  }
}

const flushWithCorpse = {
  point: 'flush.bit',
  act(program: Program) {
    program.freeAll(program.many(12, SMALL));
  },
};

// ---- Instrumented heaps

/** Freed blocks of three kinds, more than their magazines hold, and one that was not handed out. */
const holder: Corpse = {
  point: 'debug.live',
  passage: 15,
  act(p) {
    const list = [...p.many(8, SMALL), ...p.many(4, TINY), ...p.many(2, PAGES(9))];
    p.freeAll(list);
    p.malloc(TINY);
  },
};

const INSTRUMENTED: readonly Scenario[] = [
  {
    name: 'instrumented malloc, calloc and alignedAlloc',
    debug: HELD_BACK,
    act: (p) => void [p.malloc(TINY), p.calloc(SMALL), p.aligned(4096, TINY), p.malloc(PAGES(9))],
    hits: ['debug.none', 'debug.pending', 'debug.live'],
  },
  {
    name: 'instrumented malloc of blocks that were used',
    debug: GUARDED,
    prepare: (p) => p.freeAll([...p.many(3, SMALL), p.malloc(PAGES(9))]),
    act: (p) => void [p.many(3, SMALL), p.malloc(PAGES(9))],
  },
  ...[GUARDED, HELD_BACK, ALL_HELD_BACK].map(
    (debug): Scenario => ({
      name: `instrumented frees, ${debug.quarantineBytes ?? 0} bytes held back`,
      debug,
      prepare(p, blocks) {
        blocks.list = [p.malloc(PAGES(9)), ...p.many(12, SMALL), p.malloc(PAGES(9))];
      },
      act: (p, { list }) => p.freeAll(list),
      hits:
        debug === ALL_HELD_BACK ? ['debug.claim'] : ['debug.claim', 'push.untag', 'large.untag'],
    }),
  ),
  {
    name: 'instrumented realloc',
    debug: HELD_BACK,
    prepare(p, blocks) {
      blocks.a = p.malloc(TINY);
    },
    act(p, { a }) {
      p.realloc(p.realloc(p.realloc(p.realloc(a, SMALL), PAGES(10)), PAGES(12)), TINY);
    },
    hits: ['debug.claim', 'debug.live'],
  },
  {
    name: 'instrumented malloc that empties the quarantine',
    debug: ALL_HELD_BACK,
    prepare(p) {
      p.freeAll([p.malloc(PAGES(80)), ...p.many(3, SMALL)]);
    },
    act: (p) => void p.malloc(PAGES(90)),
    hits: ['large.reserve', 'debug.live'],
  },
  {
    name: 'instrumented detach',
    debug: ALL_HELD_BACK,
    prepare: (p) => p.freeAll([...p.many(6, SMALL), p.malloc(PAGES(9)), p.malloc(TINY)]),
    act: (p) => p.core.detach(),
    hits: ['large.reserve', 'flush.transit', 'detach.slot'],
  },
  {
    name: 'recovery of a thread that held blocks back',
    debug: ALL_HELD_BACK,
    corpse: holder,
    act: (p) => void p.core.recover(),
    hits: ['orphan.entry', 'orphan.top', 'orphan.untag', 'orphan.reserve', 'orphan.large'],
  },
  {
    name: 'malloc in a heap full of what the dead hold back',
    debug: ALL_HELD_BACK,
    corpse: {
      point: 'debug.live',
      passage: 5,
      act(p) {
        p.freeAll([p.malloc(PAGES(80)), ...p.many(3, SMALL)]);
        p.malloc(TINY);
      },
    },
    act: (p) => void p.malloc(PAGES(90)),
    hits: ['orphan.reserve', 'orphan.untag'],
  },
];

export const SCENARIOS: readonly Scenario[] = [
  { name: 'malloc in a fresh heap, small', act: (p) => void p.malloc(SMALL) },
  { name: 'malloc in a fresh heap, tiny', act: (p) => void p.malloc(TINY) },
  { name: 'malloc, refills and the partial list', act: (p) => void p.many(12, SMALL) },
  { name: 'malloc, refills of many blocks', act: (p) => void p.many(40, TINY) },
  {
    name: 'calloc of a used block',
    prepare: (p) => p.free(p.malloc(TINY)),
    act: (p) => void p.calloc(TINY),
  },
  {
    name: 'free into the cache, then flush',
    prepare(p, blocks) {
      blocks.list = p.many(12, SMALL);
    },
    act: (p, { list }) => p.freeAll(list),
  },
  {
    name: 'flush of many blocks in several spans',
    prepare(p, blocks) {
      const list = p.many(140, TINY);
      // Every other block first, then the rest, so that each flush changes several bitmap words.
      blocks.list = [...list.filter((_, n) => n % 2), ...list.filter((_, n) => n % 2 === 0)];
    },
    act: (p, { list }) => p.freeAll(list),
    hits: ['flush.bit'],
  },
  {
    name: 'flush with span release between free runs',
    setup(p, blocks) {
      blocks.a = p.malloc(PAGES(10));
    },
    prepare(p, blocks) {
      blocks.list = p.many(12, SMALL);
      blocks.b = p.malloc(PAGES(10));
      p.malloc(TINY);
      p.free(blocks.b);
      p.free(blocks.a);
    },
    act: (p, { list }) => p.freeAll(list),
  },
  ...(
    [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const
  ).map(
    ([below, above]): Scenario => ({
      name: `large free, ${below ? 'free' : 'used'} below, ${above ? 'free' : 'used'} above`,
      prepare: (p, blocks) => neighbours(p, blocks, below, above),
      act: (p, { a }) => p.free(a),
    }),
  ),
  {
    name: 'large malloc that splits a free run',
    prepare(p) {
      const a = p.malloc(PAGES(15));
      p.malloc(PAGES(9));
      p.free(a);
    },
    act: (p) => void p.malloc(PAGES(10)),
  },
  {
    name: 'large malloc, aligned, with a lead and a rest',
    prepare(p) {
      p.malloc(SMALL);
      const a = p.malloc(PAGES(15));
      const b = p.malloc(PAGES(15));
      p.malloc(PAGES(9));
      p.freeAll([a, b]);
    },
    act: (p) => void p.aligned(64 * 1024, PAGES(10)),
  },
  {
    name: 'large calloc of a used run',
    prepare(p) {
      const a = p.malloc(PAGES(10));
      p.malloc(PAGES(9));
      p.free(a);
    },
    act: (p) => void p.calloc(PAGES(10)),
  },
  {
    name: 'brk growth next to a free run',
    prepare(p) {
      p.malloc(PAGES(9));
    },
    act: (p) => void p.many(3, PAGES(12)),
  },
  {
    name: 'brk growth, then a direct map down to its end',
    act: (p) => void p.malloc(PAGES(9)),
    survivor(p) {
      // Without it the brk would move by 16 pages.
      const reserve = p.core.memory.geometry.dataBytes;
      p.free(p.malloc(reserve - PAGES(16)));
    },
  },
  {
    name: 'direct maps from the top down',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(20));
    },
    act(p, { a }) {
      const b = p.malloc(PAGES(17));
      p.free(a);
      p.free(b);
    },
  },
  {
    name: 'direct map, aligned: its rest joins the free run above',
    prepare(p) {
      p.malloc(PAGES(17));
      const a = p.malloc(PAGES(18));
      p.free(a);
    },
    act: (p) => void p.many(2, PAGES(19)).concat(p.aligned(64 * 1024, PAGES(21))),
  },
  {
    name: 'direct map that eats the whole reserve',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(16));
      while (p.malloc(PAGES(15)) !== 0 && p.books.size < 12);
    },
    act(p, { a }) {
      for (let pages = 64; pages >= 16; pages--) p.malloc(PAGES(pages));
      p.free(a);
    },
  },
  {
    name: 'a direct map of the whole reserve',
    act: (p) => p.free(p.malloc(p.core.memory.geometry.dataBytes)),
    hits: ['top.index'],
  },
  {
    name: 'brk growth to the end, joining a free run above',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(30));
      for (let n = 0; n < 30 && p.malloc(PAGES(9)) !== 0; n++);
      p.free(blocks.a);
    },
    act: (p) => void p.many(3, PAGES(12)),
  },
  {
    name: 'realloc grows in place',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(9));
      blocks.b = p.malloc(PAGES(12));
      p.malloc(PAGES(9));
      p.free(blocks.b);
    },
    act: (p, { a }) => void p.realloc(a, PAGES(14)),
  },
  {
    name: 'realloc grows in place over the whole neighbour',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(9));
      blocks.b = p.malloc(PAGES(12));
      p.malloc(PAGES(9));
      p.free(blocks.b);
    },
    act: (p, { a }) => void p.realloc(a, PAGES(21)),
  },
  {
    name: 'realloc grows in place into the reserve',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(10));
    },
    act: (p, { a }) => void p.realloc(p.realloc(a, PAGES(13)), PAGES(40)),
  },
  {
    name: 'realloc shrinks in place',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(14));
      p.malloc(PAGES(9));
    },
    act: (p, { a }) => void p.realloc(a, PAGES(10)),
  },
  {
    name: 'realloc shrinks in place next to a free run',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(14));
      blocks.b = p.malloc(PAGES(9));
      p.malloc(PAGES(9));
      p.free(blocks.b);
    },
    act: (p, { a }) => void p.realloc(a, PAGES(10)),
  },
  {
    name: 'realloc moves a large block',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(9));
      p.malloc(PAGES(9));
    },
    act: (p, { a }) => void p.realloc(a, PAGES(30)),
  },
  {
    name: 'realloc small to large',
    prepare(p, blocks) {
      blocks.a = p.malloc(SMALL);
    },
    act: (p, { a }) => void p.realloc(a, PAGES(12)),
  },
  {
    name: 'realloc large to small',
    prepare(p, blocks) {
      blocks.a = p.malloc(PAGES(9));
    },
    act: (p, { a }) => void p.realloc(a, SMALL),
  },
  {
    name: 'realloc small to small, flush on the way',
    prepare(p, blocks) {
      const list = p.many(13, SMALL);
      blocks.a = list.pop() as Address;
      fillMagazine(p, list);
    },
    act: (p, { a }) => void p.realloc(a, TINY),
    hits: ['flush.transit', 'refill.transit'],
  },
  {
    name: 'detach with caches, and attach',
    prepare(p) {
      p.freeAll([...p.many(3, SMALL), ...p.many(3, TINY)]);
    },
    act: (p) => p.core.detach(),
  },
  {
    name: "another thread's blocks, freed until their magazine is flushed",
    setup(p, blocks) {
      blocks.list = p.many(12, SMALL);
    },
    act: (p, { list }) => p.freeAll(list),
    hits: ['flush.transit', 'flush.bit', 'partial.head'],
  },
  {
    name: "realloc of another thread's block, with a flush on the way",
    setup(p, blocks) {
      blocks.list = p.many(12, SMALL);
      blocks.a = blocks.list.pop() as Address;
    },
    prepare: (p, { list }) => p.freeAll(list.slice(0, 2)),
    act: (p, { a }) => void p.realloc(a, TINY),
    hits: ['flush.transit', 'refill.transit'],
  },
  {
    name: 'detach with spans of its own, and blocks of another thread',
    setup(p, blocks) {
      blocks.main = p;
      blocks.list = p.many(3, SMALL);
    },
    prepare(p, { list }) {
      p.freeAll(p.many(12, SMALL).slice(3));
      p.freeAll(list.slice(0, 1));
    },
    act: (p) => p.core.detach(),
    hits: ['partial.skip', 'flush.transit'],
  },
  {
    name: 'malloc from spans that a dead thread leaves behind',
    corpse: {
      point: 'transit.close',
      passage: 4,
      act: (p) => p.freeAll(p.many(12, SMALL)),
    },
    act(p) {
      p.core.recover();
      p.many(3, SMALL);
    },
    hits: ['partial.skip', 'refill.transit'],
  },
  {
    name: "malloc from another thread's span, in a full heap",
    setup(p) {
      p.freeAll(p.many(12, SMALL).slice(1));
      fillWithRuns(p);
    },
    act: (p) => void p.malloc(SMALL),
    hits: ['partial.skip', 'refill.transit'],
  },
  {
    name: 'spans that come wholly free become retired',
    prepare(p, blocks) {
      blocks.list = p.many(140, TINY);
    },
    act: (p, { list }) => p.freeAll(list),
    hits: ['partial.skip', 'partial.head', 'release.spans'],
  },
  {
    name: 'malloc from a retired span',
    prepare: makeRetired,
    act: (p) => void p.many(80, TINY),
    hits: ['partial.skip', 'refill.transit'],
  },
  {
    name: 'retired spans go back before the heap grows',
    prepare: makeRetired,
    act: (p) => void p.many(2, PAGES(20)),
    hits: ['release.spans', 'top.commit'],
  },
  {
    name: 'detach with retired spans',
    prepare: makeRetired,
    act: (p) => p.core.detach(),
    hits: ['release.spans'],
  },
  {
    name: 'recovery of a thread that had retired spans',
    corpse: {
      point: 'large.tag',
      act(p) {
        makeRetired(p);
        p.malloc(PAGES(9));
      },
    },
    act: (p) => void p.core.recover(),
    hits: ['release.spans'],
  },
  {
    name: "malloc in a heap that is full but for another thread's retired spans",
    setup(p) {
      const list = p.many(140, TINY);
      fillWithRuns(p);
      p.freeAll(list);
    },
    act: (p) => void p.malloc(PAGES(22)),
    hits: ['release.spans', 'large.commit'],
  },
  {
    name: 'recovery of a thread that died in a flush',
    corpse: flushWithCorpse,
    act: (p) => void p.core.recover(),
  },
  {
    name: 'recovery of a thread that died in a refill',
    corpse: {
      point: 'refill.count',
      act: (p) => void p.many(4, TINY),
    },
    act: (p) => void p.core.recover(),
  },
  {
    name: 'recovery of a thread that died in a split',
    corpse: {
      point: 'cut.leadTail',
      act(p) {
        // The run after this one begins a page past a multiple of 64 KiB.
        p.aligned(64 * 1024, PAGES(9));
        const a = p.malloc(PAGES(15));
        p.malloc(PAGES(9));
        p.free(a);
        p.aligned(64 * 1024, PAGES(8));
      },
    },
    act: (p) => void p.core.recover(),
  },
  {
    name: 'recovery of a thread that died in a large allocation',
    corpse: { point: 'large.commit', act: (p) => void p.malloc(PAGES(12)) },
    act: (p) => void p.core.recover(),
  },
  {
    name: 'a waiter takes a dead class lock over',
    corpse: flushWithCorpse,
    act: (p) => void p.many(12, SMALL),
  },
  {
    name: 'a waiter takes a dead page lock over',
    corpse: { point: 'merge.commit', act: (p) => p.free(p.malloc(PAGES(10))) },
    act: (p) => void p.malloc(PAGES(11)),
  },
  {
    name: 'a waiter takes a dead page lock over and joins two free runs',
    corpse: {
      point: 'brk.brk',
      passage: 2,
      act: (p) => void [p.malloc(PAGES(9)), p.malloc(PAGES(12))],
    },
    act: (p) => void p.malloc(PAGES(11)),
    hits: ['pages.join'],
  },
  ...INSTRUMENTED,
  ...CONTEXT_SCENARIOS,
  ...VECTOR_SCENARIOS,
];
