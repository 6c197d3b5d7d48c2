/**
 * Proves that blocks get into shared words and out of them, that a full heap changes nothing, and
 * that whatever an error has left standing is ended by the next placement as the rule says.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, InvalidAddressError, SharedHeap, type VerifyProblem } from 'shmalloc';
import { OWNED, OWNED_LARGE, type WordIndex } from '../../src/base/index.js';
import { attachThreadHeap, type ThreadHeap } from '../../src/heap/index.js';
import { OwnedBlocks } from '../../src/heap/owned-blocks.js';
import * as ChunkRecord from '../../src/layout/chunk-record.js';
import { nowhereWord } from '../../src/layout/index.js';
import * as Records from '../../src/layout/record-table.js';
import * as Slot from '../../src/layout/slot.js';
import { fillPattern, findDamage, memoryOf, metadataHash, Random, seedOf } from '../helpers.js';

interface Stage {
  readonly heap: SharedHeap;
  readonly core: ThreadHeap;
  readonly slot: WordIndex;
  word(n: number): WordIndex;
}

/** A heap with a second attachment of this thread, and words of chunk records that nobody has. */
function setStage(size = '8MiB'): Stage {
  const heap = SharedHeap.create({ size, threads: 3 });
  const memory = memoryOf(heap);
  const core = attachThreadHeap(memory, true, { threadId: 0, lockTimeoutMs: 1000 });
  const table = ChunkRecord.chunkTable(memory.geometry);
  return {
    heap,
    core,
    slot: Slot.at(memory.geometry.slots, core.slotIndex),
    word: (n) => ChunkRecord.addressWord(Records.at(table, n)),
  };
}

/** What verify finds; but for what it says of these words, whose records are no context's. */
function problemsOf(from: ThreadHeap | SharedHeap): VerifyProblem[] {
  const { problems } =
    from instanceof SharedHeap ? from.verify({ quiet: true }) : from.verify(true);
  return problems.filter(({ invariant }) => invariant !== 'chunk-record I1');
}

function assertEmpty(t: ExecutionContext, { heap, core }: Stage): void {
  t.deepEqual(problemsOf(core), []);
  t.is(heap.stats().inUseBytes, 0);
  core.detach();
  heap.detach();
  using again = SharedHeap.attach(heap.handle);
  t.deepEqual(problemsOf(again), []);
  t.is(again.stats().mappedBytes, 0);
}

const SIZES = [1, 16, 100, 1000, 5000, 16_384, 65_536, 65_537, 200_000, 1_000_000];

for (const size of SIZES) {
  test(`Placement.replace and remove: a block of ${size} bytes is filled, published, owned, gone`, (t) => {
    const stage = setStage();
    const { heap, core } = stage;
    const word = stage.word(1);
    let seen = 0;
    const block = core.ownedBlocks.replace(word, size, (address, bytes, old) => {
      seen++;
      t.is(old, 0 as Address);
      t.is(heap.u32[word], 0, 'nobody can see it yet');
      t.true(bytes >= size);
      fillPattern(heap, address, size, 1);
    });
    t.is(heap.u32[word], block);
    t.is(core.memory.tags[block >>> 4], size > 65_536 ? OWNED_LARGE : OWNED);
    t.true(core.ownedBlocks.bytesOf(block) >= size);
    t.is(heap.stats().inUseBytes, core.ownedBlocks.bytesOf(block));
    for (const call of [() => heap.free_ts(block), () => core.shared.realloc(block, 10)]) {
      t.is(t.throws(call, { instanceOf: InvalidAddressError })?.reason, 'owned');
    }
    const next = core.ownedBlocks.replace(word, size * 2, (address, bytes, old) => {
      seen++;
      t.is(old, block);
      t.not(address, block);
      t.true(bytes >= size * 2);
      t.is(heap.u32[word], block, 'until it is filled');
      t.is(findDamage(heap, old, size, 1), -1);
    });
    t.is(heap.u32[word], next);
    t.is(core.memory.tags[block >>> 4], 0);
    t.is(seen, 2);
    t.is(heap.stats().inUseBytes, core.ownedBlocks.bytesOf(next));
    core.ownedBlocks.remove(word);
    t.is(heap.u32[word], 0);
    core.ownedBlocks.remove(word);
    t.is(Slot.getIntentWord(heap.u32, stage.slot), 0 as WordIndex);
    assertEmpty(t, stage);
  });
}

test('Placement: thousands of words at random beside malloc and free, nothing is lost', (t) => {
  const random = new Random(seedOf(t));
  const stage = setStage('12MiB');
  const { heap, core } = stage;
  const blocks: Address[] = [];
  const has = new Map<WordIndex, { address: Address; size: number; seed: number }>();
  const check = (word: WordIndex): void => {
    const block = has.get(word);
    if (block === undefined) return;
    if (heap.u32[word] !== block.address) t.fail('the word has its block');
    if (findDamage(heap, block.address, block.size, block.seed) !== -1) t.fail('it is whole');
  };
  let full = 0;
  for (let n = 0; n < 20_000; n++) {
    const word = stage.word(1 + random.below(400));
    check(word);
    const what = random.below(10);
    if (what < 5) {
      const size = random.below(random.pick([100, 2000, 30_000, 300_000]));
      const address = core.ownedBlocks.replace(word, size, (at) => fillPattern(heap, at, size, n));
      if (address === 0) full++;
      else has.set(word, { address, size, seed: n });
      check(word);
    } else if (what < 8) {
      core.ownedBlocks.remove(word);
      has.delete(word);
      t.is(heap.u32[word], 0);
    } else if (blocks.length < 200) {
      const block = core.shared.malloc(random.below(20_000));
      if (block !== 0) blocks.push(block);
    } else for (const block of blocks.splice(0)) core.shared.free(block);
    if (n % 2000 === 0) t.deepEqual(problemsOf(core), []);
  }
  t.true(full > 0, 'the heap was full');
  for (const word of has.keys()) {
    check(word);
    core.ownedBlocks.remove(word);
  }
  for (const block of blocks) core.shared.free(block);
  assertEmpty(t, stage);
});

test('Placement.replace: a full heap changes nothing, whatever the word has', (t) => {
  const stage = setStage('2MiB');
  const { heap, core } = stage;
  const small = core.ownedBlocks.replace(stage.word(1), 100);
  fillPattern(heap, small, 100, 1);
  const large = core.ownedBlocks.replace(stage.word(2), 100_000);
  const blocks: Address[] = [];
  for (const size of [80_000, 5000, 16]) {
    for (let block = heap.malloc_ts(size); block !== 0; block = heap.malloc_ts(size)) {
      blocks.push(block);
    }
  }
  // Once, so that what it gives back on its way to the answer is given back.
  t.is(core.ownedBlocks.replace(stage.word(1), 70_000), 0 as Address);
  const before = metadataHash(heap);
  for (const bytes of [70_000, 100_000, 2 ** 31, 2 ** 32, 2 ** 40]) {
    for (const n of [1, 2, 3]) {
      const fill = () => t.fail('there is nothing to fill');
      t.is(core.ownedBlocks.replace(stage.word(n), bytes, fill), 0 as Address);
    }
  }
  t.is(metadataHash(heap), before);
  t.is(heap.u32[stage.word(1)], small);
  t.is(heap.u32[stage.word(2)], large);
  t.is(findDamage(heap, small, 100, 1), -1);
  for (const block of blocks) heap.free_ts(block);
  t.true(core.ownedBlocks.replace(stage.word(1), 70_000) > 0);
  for (const n of [1, 2]) core.ownedBlocks.remove(stage.word(n));
  assertEmpty(t, stage);
});

test('Placement.remove: with a full magazine of its class, which is flushed before', (t) => {
  const stage = setStage();
  const { core } = stage;
  for (const size of [16, 1000, 16_384, 65_536]) {
    for (let n = 1; n <= 300; n++) {
      if (core.ownedBlocks.replace(stage.word(n), size) === 0) break;
    }
    for (let n = 1; n <= 300; n++) core.ownedBlocks.remove(stage.word(n));
    t.deepEqual(problemsOf(core), []);
  }
  assertEmpty(t, stage);
});

// ---- what an error leaves standing

type Kind = 'published' | 'in the magazine' | 'reserved' | "nobody's, small" | "nobody's, large";

/** A block in one of the states that the rule knows; 0 where there is none of that kind for it. */
function blockThat(kind: Kind, { core, heap }: Stage, word: WordIndex): Address {
  const large = kind === "nobody's, large" || kind === 'reserved';
  if (kind === 'in the magazine') {
    const block = core.shared.malloc(1000);
    core.shared.free(block);
    return block;
  }
  if (kind === 'reserved') return core.shared.reserve(16, 100_000, false);
  const block = core.ownedBlocks.replace(word, large ? 100_000 : 1000);
  if (kind !== 'published') heap.u32[word] = 0;
  return block;
}

const KINDS: Kind[] = [
  'published',
  'in the magazine',
  'reserved',
  "nobody's, small",
  "nobody's, large",
];

for (const kind of KINDS) {
  for (const which of ['in', 'out'] as const) {
    for (const how of ['the next placement', 'detach'] as const) {
      test(`an intent that stands, its block ${kind} (${which}): ended by ${how}`, (t) => {
        const stage = setStage();
        const { heap, core, slot } = stage;
        const word = stage.word(1);
        const block = blockThat(kind, stage, word);
        t.true(block > 0);
        Slot.setIntentIn(heap.u32, slot, which === 'in' ? block : 0);
        Slot.setIntentOut(heap.u32, slot, which === 'out' ? block : 0);
        Slot.setIntentWord(heap.u32, slot, word);
        if (how === 'the next placement') {
          const other = core.ownedBlocks.replace(stage.word(2), 50);
          t.is(Slot.getIntentWord(heap.u32, slot), 0 as WordIndex);
          t.deepEqual(problemsOf(core), []);
          t.is(heap.u32[word], kind === 'published' ? block : 0);
          core.ownedBlocks.remove(stage.word(2));
          if (kind === 'published') core.ownedBlocks.remove(word);
          t.true(other > 0);
          assertEmpty(t, stage);
        } else {
          if (kind === 'published') core.ownedBlocks.remove(stage.word(2));
          core.detach();
          t.deepEqual(problemsOf(heap), []);
          const left = kind === 'published' ? 1024 : 0;
          t.is(heap.stats().inUseBytes, left, 'what is published stays');
          heap.detach();
        }
      });
    }
  }
}

test('an old block that cannot be given back: the call succeeds, and the intent is about it alone', (t) => {
  const stage = setStage();
  const { heap, core, slot } = stage;
  const { memory } = core;
  const word = stage.word(1);
  const old = core.ownedBlocks.replace(word, 100_000);
  // An earlier placement has left an intent for a block that is nobody's.
  const left = core.ownedBlocks.replace(stage.word(4), 50);
  heap.u32[stage.word(4)] = 0;
  Slot.setIntentIn(heap.u32, slot, left);
  Slot.setIntentWord(heap.u32, slot, stage.word(4));
  let entered = 0;
  const told: string[] = [];
  // As thread-heap.ts makes it, but for a page lock that nobody gets.
  const ownedBlocks = new OwnedBlocks({
    ...core,
    section: {
      checkOpen() {},
      enter: () => void entered++,
      leave() {},
      abort: (error: unknown) => error,
      read: (work: () => unknown) => work(),
    } as never,
    large: {
      free() {
        throw new Error('no lock');
      },
    } as never,
    events: { addExhausted() {}, flush: () => void told.push('told') } as never,
  });
  const block = ownedBlocks.replace(word, 1000);
  t.is(heap.u32[word], block, 'the word has its new block');
  t.is(Slot.getIntentWord(heap.u32, slot), nowhereWord(memory.geometry), 'no word of others');
  t.is(Slot.getIntentOut(heap.u32, slot), old);
  t.is(Slot.getIntentIn(heap.u32, slot), 0 as Address, 'another thread may replace that one now');
  t.is(memory.tags[left >>> 4], 0, 'the earlier placement was resolved before');
  t.is(entered, 2, 'on its way to the new block, and to give the old one back');
  t.deepEqual(told, ['told']);
  // Another thread does so, and the new block is somebody else's.
  heap.u32[word] = 0;
  memory.tags[block >>> 4] = 0;
  const before = core.shared.malloc(16);
  memory.tags[block >>> 4] = OWNED;
  heap.u32[stage.word(2)] = block;
  core.ownedBlocks.replace(stage.word(3), 50);
  t.is(Slot.getIntentWord(heap.u32, slot), 0 as WordIndex);
  t.is(memory.tags[old >>> 4], 0, 'the old one went back, ...');
  t.is(memory.tags[block >>> 4], OWNED, '... and this did not');
  core.shared.free(before);
  for (const n of [2, 3]) core.ownedBlocks.remove(stage.word(n));
  assertEmpty(t, stage);
});
