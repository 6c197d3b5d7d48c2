/**
 * Proves that verify() finds nothing wrong with contexts and vectors that are sound, counts them, and
 * reports each field of their records that is broken.
 */

import test from 'ava';
import { type Address, SharedHeap, type VerifyProblem } from 'shmalloc';
import type { SlotIndex, WordIndex } from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import { ContextMaker, type Made } from '../contexts.js';
import { assertIdentity } from '../helpers.js';

/** Trees, chunks small and large, storages, vectors, and blocks of the program. */
function makeScene() {
  const heap = SharedHeap.create({ size: '8MiB', threads: 4 });
  const maker = new ContextMaker(heap);
  const { slotIndex: emptySlot, detach } = new ContextMaker(heap).core;
  detach();
  const plain = heap.malloc_ts(100);
  const root = maker.make('server');
  const [first, second] = ['request', 'request'].map((name) => maker.make(name, root));
  const deep = maker.make('parser', first as Made);
  const other = maker.make('cache', undefined, { kind: layout.SET_KIND, ident: 'users' });
  const released = maker.make('result');
  const small = [1, 2, 3].map(() => maker.addChunk(deep, 4096, 1000));
  const large = maker.addChunk(other, 100_000, 5000);
  maker.addChunk(released, 300, 16);
  const storage = maker.addStorage(other, 2000);
  maker.release(released);
  const vector = maker.addVector(3000);
  const bare = maker.addVector(0);
  const { memory } = maker.core;
  const storageOfVector = memory.u32[layout.vectorDataWord((vector >>> 2) as WordIndex)] as Address;
  return {
    ...{ heap, maker, memory, plain, root, first: first as Made, second: second as Made, deep },
    ...{ other, released, small, large, storage, vector, bare, storageOfVector },
    /** A thread had it that has detached. */
    emptySlot: layout.slotRecord(memory.geometry.slots, emptySlot),
    chunkOf: ({ record }: Made): WordIndex =>
      maker.chunkRecord(layout.getChunk(memory.u32, record)),
  };
}

type Scene = ReturnType<typeof makeScene>;

test('verify: contexts and vectors that are sound, counted', (t) => {
  const { heap, maker, small, large, plain } = makeScene();
  const quiet = heap.verify({ quiet: true });
  t.deepEqual(quiet.problems, []);
  const blocks = heap.blocks();
  const owned = blocks.filter((block) => block.owned !== undefined);
  const bytes = owned.reduce((sum, block) => sum + block.bytes, 0);
  t.like(quiet, { contexts: 6, ownedBlocks: 9, ownedBytes: bytes, liveBlocks: 10 });
  t.is(quiet.liveBytes, assertIdentity(t, heap).inUseBytes);
  t.is(quiet.liveBytes, bytes + 112);
  t.like(heap.verify(), { ok: true, contexts: 6, ownedBlocks: 9, ownedBytes: bytes });
  t.true([...small, large].every((address) => owned.some((block) => block.address === address)));
  t.true(blocks.some(({ address, owned }) => address === plain && owned === undefined));
  maker.core.detach();
  // What is nobody's stays; vectors of the heap belong to no thread.
  t.like(heap.verify({ quiet: true }), { ok: true, contexts: 1, ownedBlocks: 4 });
  heap.detach();
});

test('verify: a heap that is made for no contexts', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', contexts: 0 });
  t.like(heap.verify({ quiet: true }), { ok: true, contexts: 0, ownedBlocks: 0, ownedBytes: 0 });
});

/** One way to break them. */
interface Damage {
  readonly what: string;
  readonly invariant: string;
  readonly message: RegExp;
  /** Does it; gives the address that verify is to name. */
  damage(scene: Scene): number;
  readonly quietOnly?: boolean;
}

const state = ({ memory, maker }: Scene, phase: layout.ContextPhase, slot = maker.slotIndex) =>
  layout.contextState(phase, 0, slot, layout.getGeneration(memory.u32, 0 as WordIndex));

/** Sets one field of a context. */
const field =
  (
    of: (scene: Scene) => Made,
    set: (u32: Uint32Array, record: WordIndex, value: number) => void,
    value: (scene: Scene) => number,
  ) =>
  (scene: Scene): number => {
    const { record } = of(scene);
    set(scene.memory.u32, record, value(scene));
    return record * 4;
  };

const STRAY = 0x7fff_fff0;

const DAMAGES: Damage[] = [
  // ---- the tables
  ...[STRAY, 0xffff_ffff].map((frontier) => ({
    what: `the frontier of the contexts is ${frontier}`,
    invariant: 'record-table I2',
    message: /frontier of the contexts is/,
    damage({ memory }: Scene) {
      const { contexts } = memory.geometry;
      memory.u32[contexts + 1] = frontier;
      return contexts * 4;
    },
  })),
  {
    what: 'the frontier of the chunks',
    invariant: 'record-table I2',
    message: /frontier of the chunks is \d+, of \d+ records/,
    damage({ memory }) {
      const { chunks, chunkCount } = memory.geometry;
      memory.u32[chunks + 1] = chunkCount + 1;
      return chunks * 4;
    },
  },
  {
    what: 'a frontier that has fallen',
    invariant: 'record-table I2',
    message: /record 6 of the contexts is past the frontier/,
    quietOnly: true,
    damage({ memory, released }) {
      const { contexts } = memory.geometry;
      memory.u32[contexts + 1]--;
      for (const chunk of [5]) layout.storeRecord(memory.i32, chunkAt(memory, chunk), 0);
      memory.u32[layout.chunkWord(chunkAt(memory, 5))] = 0;
      return released.record * 4;
    },
  },
  // ---- context records
  {
    what: 'a state of no phase',
    invariant: 'context-record I1',
    message: /context 1 is in state 0x8, which is none/,
    damage({ memory, root }) {
      layout.storeRecord(memory.i32, root.record, 8);
      return root.record * 4;
    },
  },
  {
    what: 'a state of a slot that there is not',
    invariant: 'context-record I1',
    message: /which is none/,
    damage(scene) {
      const broken = state(scene, layout.LIVE_CONTEXT, 4 as SlotIndex);
      layout.storeRecord(scene.memory.i32, scene.root.record, broken);
      return scene.root.record * 4;
    },
  },
  {
    what: 'a state of a slot that nobody has',
    invariant: 'context-record I1',
    message: /context 1 is of slot 3, which nobody has/,
    quietOnly: true,
    damage(scene) {
      const broken = state(scene, layout.LIVE_CONTEXT, 3 as SlotIndex);
      layout.storeRecord(scene.memory.i32, scene.root.record, broken);
      return scene.root.record * 4;
    },
  },
  {
    what: 'a context left unresolved',
    invariant: 'context-record I1',
    message: /context 5 was left half made or ended by slot 1/,
    quietOnly: true,
    damage(scene) {
      const { i32 } = scene.memory;
      layout.storeRecord(i32, scene.other.record, state(scene, layout.UNRESOLVED_CONTEXT));
      return scene.other.record * 4;
    },
  },
  {
    what: 'a context that is nobody’s, and no root',
    invariant: 'context-record I1',
    message: /context 2 is nobody's, and is no root/,
    damage({ maker, first }) {
      maker.release(first);
      return first.record * 4;
    },
  },
  {
    what: 'a free context that has chunks',
    invariant: 'chunk-record I1',
    message: /chunk 4 is of context 5, which is none/,
    damage(scene) {
      layout.storeRecord(scene.memory.i32, scene.other.record, 0);
      return scene.chunkOf(scene.other) * 4;
    },
  },
  {
    what: 'a parent that is free',
    invariant: 'context-record I2',
    message: /context 4 is below context 2, which is none/,
    damage({ memory, first, deep }) {
      layout.storeRecord(memory.i32, first.record, 0);
      return deep.record * 4;
    },
  },
  ...[60, STRAY].map((parent) => ({
    what: `the parent ${parent}`,
    invariant: 'context-record I2',
    message: /context 3 is below context \d+, which is none/,
    damage: field(
      ({ second }) => second,
      layout.setParent,
      () => parent,
    ),
  })),
  {
    what: 'a way up that does not end',
    invariant: 'context-record I2',
    message: /the way up from context 1 does not end/,
    damage: field(
      ({ root }) => root,
      layout.setParent,
      ({ deep }) => deep.index,
    ),
  },
  {
    what: 'a parent that has another child list',
    invariant: 'context-record I2',
    message: /context 3 is below context 5, which does not list it/,
    quietOnly: true,
    damage: field(
      ({ second }) => second,
      layout.setParent,
      ({ other }) => other.index,
    ),
  },
  {
    what: 'a child that is below another',
    invariant: 'context-record I2',
    message: /context 5 has context 4 as a child, which is below context 2/,
    quietOnly: true,
    damage: field(
      ({ other }) => other,
      layout.setFirstChild,
      ({ deep }) => deep.index,
    ),
  },
  {
    what: 'a child that is none',
    invariant: 'context-record I2',
    message: /context 5 has context \d+ as a child, which is none/,
    quietOnly: true,
    damage: field(
      ({ other }) => other,
      layout.setFirstChild,
      () => STRAY,
    ),
  },
  {
    what: 'siblings in a circle',
    invariant: 'context-record I2',
    message: /context 1 has context 3 as a child, which is so twice/,
    quietOnly: true,
    damage({ memory, first, second, root }) {
      layout.setNextSibling(memory.u32, first.record, second.index);
      return root.record * 4;
    },
  },
  {
    what: 'a sibling that is left out',
    invariant: 'context-record I2',
    message: /context 2 is below context 1, which does not list it/,
    quietOnly: true,
    damage({ memory, first, second }) {
      layout.setNextSibling(memory.u32, second.record, 0);
      return first.record * 4;
    },
  },
  {
    what: 'a wrong link back',
    invariant: 'context-record I2',
    message: /context 1 has context 2 as a child, which has a wrong link back/,
    quietOnly: true,
    damage({ memory, first, root }) {
      layout.setPrevSibling(memory.u32, first.record, 5);
      return root.record * 4;
    },
  },
  ...[layout.CURSOR, layout.LIMIT].map((word) => ({
    what: `room in no context (word ${word})`,
    invariant: 'context-record I3',
    message: /record 0 is no context, and has room/,
    damage({ memory, maker }: Scene) {
      memory.u32[maker.recordOf(0) + word] = 4096;
      return maker.recordOf(0) * 4;
    },
  })),
  ...[layout.setChunkCount, layout.setContextBytes].map((set, n) => ({
    what: `a wrong count (${n})`,
    invariant: 'context-record I4',
    message: /context 4 counts \d+ chunks, \d+ bytes; it has 3, 12288/,
    quietOnly: true,
    damage: field(
      ({ deep }) => deep,
      set,
      () => 7,
    ),
  })),
  ...(
    [
      ['before its chunk', layout.setChunkStart, ({ small }: Scene) => (small[2] as number) - 16],
      ['past its chunk', layout.setChunkEnd, ({ small }: Scene) => (small[2] as number) + 4112],
      ['past its limit', layout.setCursor, ({ small }: Scene) => (small[2] as number) + 4112],
      ['before its start', layout.setCursor, ({ small }: Scene) => (small[2] as number) - 16],
    ] as const
  ).map(([where, set, value]) => ({
    what: `a next object ${where}`,
    invariant: 'context-record I4',
    message: /objects of context 4 go to \d+, from \d+ to \d+: not inside one of its chunks/,
    quietOnly: true,
    damage: field(({ deep }) => deep, set, value),
  })),
  ...([layout.setChunk, layout.setStorages] as const).map((set) => ({
    what: `a chain that begins nowhere (${set === layout.setChunk ? 'chunks' : 'storages'})`,
    invariant: 'context-record I4',
    message: /the chain of context 4 has chunk \d+, which is not its own/,
    quietOnly: true,
    damage: field(
      ({ deep }) => deep,
      set,
      () => STRAY,
    ),
  })),
  {
    what: 'a chain into that of another',
    invariant: 'context-record I4',
    message: /the chain of context 4 has chunk 5, which is not its own/,
    quietOnly: true,
    damage({ memory, chunkOf, deep }) {
      layout.setNextChunk(memory.u32, chunkOf(deep), 5);
      return deep.record * 4;
    },
  },
  {
    what: 'a chain in a circle',
    invariant: 'context-record I4',
    message: /the chain of context 4 has chunk 3, twice/,
    quietOnly: true,
    damage({ memory, chunkOf, deep }) {
      layout.setNextChunk(memory.u32, chunkOf(deep), 3);
      return deep.record * 4;
    },
  },
  {
    what: 'a wrong link back in a chain',
    invariant: 'context-record I4',
    message: /chunk 2 of context 4: a wrong link back/,
    quietOnly: true,
    damage({ memory, maker }) {
      layout.setPrevChunk(memory.u32, maker.chunkRecord(2), 1);
      return maker.chunkRecord(2) * 4;
    },
  },
  ...[5, STRAY].map((chunk) => ({
    what: `chunk ${chunk} to be kept`,
    invariant: 'context-record I4',
    message: /context 4 is to keep chunk \d+, which is not in its chain/,
    quietOnly: true,
    damage: field(
      ({ deep }) => deep,
      layout.setKeeper,
      () => chunk,
    ),
  })),
  ...[layout.setUsedBefore, layout.setFreedBytes].map((set, n) => ({
    what: `more taken, or freed, than there is (${n})`,
    invariant: 'context-record I4',
    message: /objects of context 4 take -?\d+ of 12288 bytes/,
    quietOnly: true,
    damage: field(
      ({ deep }) => deep,
      set,
      () => 50_000,
    ),
  })),
  {
    what: 'a freed object that is in another context',
    invariant: 'context-record I4',
    message: /context 5 has a freed object at 0x[\da-f]+: not inside its chunks/,
    quietOnly: true,
    damage({ memory, other, small }) {
      memory.u32[layout.freeListWord(other.record, 6)] = small[0] as number;
      return other.record * 4;
    },
  },
  {
    what: 'a chunk in no chain',
    invariant: 'context-record I4',
    message: /chunk 1 is of context 4, and not in its chain/,
    quietOnly: true,
    damage({ memory, maker }) {
      layout.setNextChunk(memory.u32, maker.chunkRecord(2), 0);
      return maker.chunkRecord(1) * 4;
    },
  },
  {
    what: 'wrong bytes of a chunk',
    invariant: 'context-record I4',
    message: /a chunk of context 4 has 8192 bytes, its block 4096/,
    quietOnly: true,
    damage({ memory, chunkOf, deep }) {
      layout.setChunkBytes(memory.u32, chunkOf(deep), 8192);
      return chunkOf(deep) * 4;
    },
  },
  // ---- chunk records
  ...[60, STRAY, -5].map((context) => ({
    what: `a chunk of context ${context}`,
    invariant: 'chunk-record I1',
    message: /chunk 3 is of context -?\d+, which is none/,
    damage({ memory, chunkOf, deep }: Scene) {
      layout.storeRecord(memory.i32, chunkOf(deep), context);
      return chunkOf(deep) * 4;
    },
  })),
  {
    what: 'a free chunk with a block',
    invariant: 'chunk-record I1',
    message: /chunk 3 is free, and names 0x/,
    damage({ memory, chunkOf, deep }) {
      layout.storeRecord(memory.i32, chunkOf(deep), 0);
      return chunkOf(deep) * 4;
    },
  },
  ...(
    [
      ['of the program', ({ plain }: Scene) => plain],
      ['inside of one', ({ small }: Scene) => (small[0] as number) + 16],
      ['not aligned', ({ small }: Scene) => (small[0] as number) + 1],
      ['in the metadata', ({ maker }: Scene) => maker.slot * 4],
      ['past the end', ({ memory }: Scene) => memory.geometry.end],
    ] as const
  ).map(([where, block]) => ({
    what: `a chunk ${where}`,
    invariant: 'chunk-record I1',
    message: /chunk 3 names 0x[\da-f]+, where no owned block begins/,
    damage(scene: Scene) {
      const record = scene.chunkOf(scene.deep);
      scene.memory.u32[layout.chunkWord(record)] = block(scene);
      return record * 4;
    },
  })),
  {
    what: 'two chunks with one block',
    invariant: 'chunk-record I1',
    message: /two chunks have the block at/,
    damage(scene) {
      scene.memory.u32[layout.chunkWord(scene.chunkOf(scene.deep))] = scene.small[0] as number;
      return scene.small[0] as number;
    },
  },
  {
    what: 'a chunk that no record names',
    invariant: 'chunk-record I1',
    message: /the owned block at 0x[\da-f]+ is no chunk and no vector's: lost/,
    quietOnly: true,
    damage(scene) {
      scene.memory.u32[layout.chunkWord(scene.chunkOf(scene.other))] = 0;
      return scene.large;
    },
  },
  // ---- slots
  {
    what: 'an intent that stands',
    invariant: 'slot I7',
    message: /slot 2 has not ended a placement into the word at 0x/,
    quietOnly: true,
    damage({ memory, maker, emptySlot }) {
      layout.setIntentWord(memory.u32, emptySlot, layout.chunkWord(maker.chunkRecord(1)));
      return emptySlot * 4;
    },
  },
  {
    what: 'a vector in the in-flight header',
    invariant: 'vector-header I1',
    message: /slot 2 has not ended the making of a vector at 0x/,
    quietOnly: true,
    damage({ memory, emptySlot, vector }) {
      memory.u32[layout.inFlightHeaderWord(emptySlot)] = vector;
      return emptySlot * 4;
    },
  },
];

const chunkAt = (memory: layout.HeapMemory, index: number): WordIndex =>
  layout.recordAt(layout.chunkTable(memory.geometry), index);

for (const { what, invariant, message, damage, quietOnly } of DAMAGES) {
  test(`verify: ${invariant}: ${what}`, (t) => {
    const scene = makeScene();
    const { heap, memory, maker } = scene;
    const { base, dataStart } = memory.geometry;
    t.deepEqual(heap.verify({ quiet: true }).problems, [], 'sound before');
    const before = memory.u8.slice(base, dataStart);
    const address = damage(scene);
    const fits = (problem: VerifyProblem): boolean =>
      problem.invariant === invariant &&
      problem.address === address &&
      message.test(problem.message);
    const { problems } = heap.verify({ quiet: true });
    t.true(problems.some(fits), `${address}: ${JSON.stringify(problems.slice(0, 9))}`);
    if (quietOnly === true) t.deepEqual(heap.verify().problems, []);
    else t.true(heap.verify().problems.some(fits), 'seen at any time');
    memory.u8.set(before, base);
    t.deepEqual(heap.verify({ quiet: true }).problems, [], 'sound after');
    maker.core.detach();
    heap.detach();
  });
}

/** Vectors lie in the data, where programs can write. */
const VECTOR_DAMAGES: [
  string,
  RegExp,
  (scene: Scene) => [word: number, value: number, at: number],
][] = [
  [
    'a header that is none any more',
    /the owned block at 0x[\da-f]+ is no chunk and no vector's: lost/,
    ({ vector }) => [vector >>> 2, 0, vector],
  ],
  [
    'storage that no header names',
    /the owned block at 0x[\da-f]+ is no chunk and no vector's: lost/,
    ({ vector, storageOfVector }) => [(vector >>> 2) + 3, 0, storageOfVector],
  ],
  [
    'storage that is a block of the program',
    /the vector at 0x[\da-f]+ has 0x[\da-f]+, where no owned block begins/,
    ({ vector, plain }) => [(vector >>> 2) + 3, plain, vector],
  ],
  [
    'storage that is a chunk',
    /the vector at 0x[\da-f]+ has 0x[\da-f]+, which something else has too/,
    ({ bare, large }) => [(bare >>> 2) + 3, large, bare],
  ],
  [
    'storage that another has',
    /the vector at 0x[\da-f]+ has 0x[\da-f]+, which something else has too/,
    ({ bare, storageOfVector }) => [(bare >>> 2) + 3, storageOfVector, bare],
  ],
];

for (const [what, message, damage] of VECTOR_DAMAGES) {
  test(`verify: chunk-record I1: ${what}`, (t) => {
    const scene = makeScene();
    const { heap, memory, maker } = scene;
    const [word, value, address] = damage(scene);
    const before = memory.u32[word] as number;
    memory.u32[word] = value;
    const { problems } = heap.verify({ quiet: true });
    const found = problems.find((problem) => problem.address === address);
    t.like(found, { invariant: 'chunk-record I1' }, JSON.stringify(problems));
    t.regex(found?.message ?? '', message);
    t.true(heap.verify().ok, 'nothing to be seen of it while threads are at work');
    memory.u32[word] = before;
    t.true(heap.verify({ quiet: true }).ok, 'sound after');
    maker.core.detach();
    heap.detach();
  });
}

test('verify: elements that look like a vector’s header are none', (t) => {
  const { heap, maker, memory, storageOfVector } = makeScene();
  memory.u32[storageOfVector >>> 2] = layout.VECTOR_MAGIC;
  memory.u32[(storageOfVector >>> 2) + 3] = 4711;
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  maker.core.detach();
  heap.detach();
});
