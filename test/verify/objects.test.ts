/**
 * Proves that verify() accepts sound contexts and vectors, counts them, and reports each broken
 * field of their records.
 */

import test from 'ava';
import { type Address, SharedHeap, type VerifyProblem } from 'shmalloc';
import type { SlotIndex, WordIndex } from '../../src/base/index.js';
import * as ChunkRecord from '../../src/layout/chunk-record.js';
import * as ContextRecord from '../../src/layout/context-record.js';
import type * as layout from '../../src/layout/index.js';
import * as Records from '../../src/layout/record-table.js';
import * as Slot from '../../src/layout/slot.js';
import * as VectorHeader from '../../src/layout/vector-header.js';
import { ContextMaker, type Made } from '../contexts.js';
import { assertIdentity } from '../helpers.js';

/** A heap with trees, small and large chunks, storages, vectors, and blocks of the program. */
function makeScene() {
  const heap = SharedHeap.create({ size: '8MiB', threads: 4 });
  const maker = new ContextMaker(heap);
  const { slotIndex: emptySlot, detach } = new ContextMaker(heap).core;
  detach();
  const plain = heap.malloc_ts(100);
  const root = maker.make('server');
  const [first, second] = ['request', 'request'].map((name) => maker.make(name, root));
  const deep = maker.make('parser', first as Made);
  const other = maker.make('cache', undefined, { kind: ContextRecord.SET_KIND, ident: 'users' });
  const released = maker.make('result');
  const small = [1, 2, 3].map(() => maker.addChunk(deep, 4096, 1000));
  const large = maker.addChunk(other, 100_000, 5000);
  maker.addChunk(released, 300, 16);
  maker.release(released);
  const vector = maker.addVector(3000);
  const bare = maker.addVector(0);
  const { memory } = maker.core;
  const storageOfVector = memory.u32[VectorHeader.dataWord((vector >>> 2) as WordIndex)] as Address;
  return {
    ...{ heap, maker, memory, plain, root, first: first as Made, second: second as Made, deep },
    ...{ other, released, small, large, vector, bare, storageOfVector },
    /** A slot whose thread has detached. */
    emptySlot: Slot.at(memory.geometry.slots, emptySlot),
    chunkOf: ({ record }: Made): WordIndex =>
      maker.chunkRecord(ContextRecord.getChunk(memory.u32, record)),
  };
}

type Scene = ReturnType<typeof makeScene>;

test('verify: accepts sound contexts and vectors, and counts them', (t) => {
  const { heap, maker, small, large, plain } = makeScene();
  const quiet = heap.verify({ quiet: true });
  t.deepEqual(quiet.problems, []);
  const blocks = heap.inspect.blocks();
  const owned = blocks.filter((block) => block.owned !== undefined);
  const bytes = owned.reduce((sum, block) => sum + block.bytes, 0);
  t.like(quiet, { contexts: 6, ownedBlocks: 8, ownedBytes: bytes, liveBlocks: 9 });
  t.is(quiet.liveBytes, assertIdentity(t, heap).inUseBytes);
  t.is(quiet.liveBytes, bytes + 112);
  t.like(heap.verify(), { ok: true, contexts: 6, ownedBlocks: 8, ownedBytes: bytes });
  t.true([...small, large].every((address) => owned.some((block) => block.address === address)));
  t.true(blocks.some(({ address, owned }) => address === plain && owned === undefined));
  maker.core.detach();
  // The released context stays; vectors of the heap belong to no thread.
  t.like(heap.verify({ quiet: true }), { ok: true, contexts: 1, ownedBlocks: 4 });
  heap.detach();
});

test('verify: accepts a heap without contexts', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', contexts: 0 });
  t.like(heap.verify({ quiet: true }), { ok: true, contexts: 0, ownedBlocks: 0, ownedBytes: 0 });
});

/** One way to break contexts and vectors. */
interface Damage {
  readonly what: string;
  readonly invariant: string;
  readonly message: RegExp;
  /** Breaks the heap; returns the address that verify must name. */
  damage(scene: Scene): number;
  readonly quietOnly?: boolean;
}

const state = ({ memory, maker }: Scene, phase: layout.ContextPhase, slot = maker.slotIndex) =>
  ContextRecord.stateOf(phase, 0, slot, ContextRecord.getGeneration(memory.u32, 0 as WordIndex));

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
  // ---- Tables
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
    message: /frontier of the chunks is \d+, but the table has \d+ records/,
    damage({ memory }) {
      const { chunks, chunkCount } = memory.geometry;
      memory.u32[chunks + 1] = chunkCount + 1;
      return chunks * 4;
    },
  },
  {
    what: 'a frontier that has fallen',
    invariant: 'record-table I2',
    message: /record 6 of the contexts is in use behind the frontier/,
    quietOnly: true,
    damage({ memory, released }) {
      const { contexts } = memory.geometry;
      memory.u32[contexts + 1]--;
      for (const chunk of [5]) Records.store(memory.i32, chunkAt(memory, chunk), 0);
      memory.u32[ChunkRecord.addressWord(chunkAt(memory, 5))] = 0;
      return released.record * 4;
    },
  },
  // ---- Context records
  {
    what: 'a state without a phase',
    invariant: 'context-record I1',
    message: /context 1 has state 0x8, which does not exist/,
    damage({ memory, root }) {
      Records.store(memory.i32, root.record, 8);
      return root.record * 4;
    },
  },
  {
    what: 'a state with a slot that does not exist',
    invariant: 'context-record I1',
    message: /which does not exist/,
    damage(scene) {
      const broken = state(scene, ContextRecord.LIVE, 4 as SlotIndex);
      Records.store(scene.memory.i32, scene.root.record, broken);
      return scene.root.record * 4;
    },
  },
  {
    what: 'a state with a slot that has no owner',
    invariant: 'context-record I1',
    message: /context 1 belongs to slot 3, which has no owner/,
    quietOnly: true,
    damage(scene) {
      const broken = state(scene, ContextRecord.LIVE, 3 as SlotIndex);
      Records.store(scene.memory.i32, scene.root.record, broken);
      return scene.root.record * 4;
    },
  },
  {
    what: 'a context left unresolved',
    invariant: 'context-record I1',
    message: /context 5 is unresolved: its creation or end was not completed by slot 1/,
    quietOnly: true,
    damage(scene) {
      const { i32 } = scene.memory;
      Records.store(i32, scene.other.record, state(scene, ContextRecord.UNRESOLVED));
      return scene.other.record * 4;
    },
  },
  {
    what: 'a context that has no owner and is not a root',
    invariant: 'context-record I1',
    message: /context 2 has no owner, but is not a root/,
    damage({ maker, first }) {
      maker.release(first);
      return first.record * 4;
    },
  },
  {
    what: 'a free context that has chunks',
    invariant: 'chunk-record I1',
    message: /chunk 4 belongs to context 5, which does not exist/,
    damage(scene) {
      Records.store(scene.memory.i32, scene.other.record, 0);
      return scene.chunkOf(scene.other) * 4;
    },
  },
  {
    what: 'a parent that is free',
    invariant: 'context-record I2',
    message: /context 4 is below context 2, which does not exist/,
    damage({ memory, first, deep }) {
      Records.store(memory.i32, first.record, 0);
      return deep.record * 4;
    },
  },
  ...[60, STRAY].map((parent) => ({
    what: `the parent ${parent}`,
    invariant: 'context-record I2',
    message: /context 3 is below context \d+, which does not exist/,
    damage: field(
      ({ second }) => second,
      ContextRecord.setParent,
      () => parent,
    ),
  })),
  {
    what: 'a chain of parents that does not end',
    invariant: 'context-record I2',
    message: /the chain of parents of context 1 does not end/,
    damage: field(
      ({ root }) => root,
      ContextRecord.setParent,
      ({ deep }) => deep.index,
    ),
  },
  {
    what: 'a parent that does not list its child',
    invariant: 'context-record I2',
    message: /context 3 is below context 5, which does not list it/,
    quietOnly: true,
    damage: field(
      ({ second }) => second,
      ContextRecord.setParent,
      ({ other }) => other.index,
    ),
  },
  {
    what: 'a child that has another parent',
    invariant: 'context-record I2',
    message: /context 5 has context 4 as a child, which is below context 2/,
    quietOnly: true,
    damage: field(
      ({ other }) => other,
      ContextRecord.setFirstChild,
      ({ deep }) => deep.index,
    ),
  },
  {
    what: 'a child that does not exist',
    invariant: 'context-record I2',
    message: /context 5 has context \d+ as a child, which does not exist/,
    quietOnly: true,
    damage: field(
      ({ other }) => other,
      ContextRecord.setFirstChild,
      () => STRAY,
    ),
  },
  {
    what: 'siblings in a cycle',
    invariant: 'context-record I2',
    message: /context 1 has context 3 as a child, which is listed twice/,
    quietOnly: true,
    damage({ memory, first, second, root }) {
      ContextRecord.setNextSibling(memory.u32, first.record, second.index);
      return root.record * 4;
    },
  },
  {
    what: 'a sibling that is missing in the list',
    invariant: 'context-record I2',
    message: /context 2 is below context 1, which does not list it/,
    quietOnly: true,
    damage({ memory, first, second }) {
      ContextRecord.setNextSibling(memory.u32, second.record, 0);
      return first.record * 4;
    },
  },
  {
    what: 'a wrong link back',
    invariant: 'context-record I2',
    message: /context 1 has context 2 as a child, which has a wrong link back/,
    quietOnly: true,
    damage({ memory, first, root }) {
      ContextRecord.setPrevSibling(memory.u32, first.record, 5);
      return root.record * 4;
    },
  },
  ...[ContextRecord.CURSOR, ContextRecord.LIMIT].map((word) => ({
    what: `room in record 0 (word ${word})`,
    invariant: 'context-record I3',
    message: /record 0 is not a context, but has room/,
    damage({ memory, maker }: Scene) {
      memory.u32[maker.recordOf(0) + word] = 4096;
      return maker.recordOf(0) * 4;
    },
  })),
  ...[ContextRecord.setChunkCount, ContextRecord.setBytes].map((set, n) => ({
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
      [
        'before its chunk',
        ContextRecord.setChunkStart,
        ({ small }: Scene) => (small[2] as number) - 16,
      ],
      [
        'past its chunk',
        ContextRecord.setChunkEnd,
        ({ small }: Scene) => (small[2] as number) + 4112,
      ],
      [
        'past its limit',
        ContextRecord.setCursor,
        ({ small }: Scene) => (small[2] as number) + 4112,
      ],
      [
        'before its start',
        ContextRecord.setCursor,
        ({ small }: Scene) => (small[2] as number) - 16,
      ],
    ] as const
  ).map(([where, set, value]) => ({
    what: `a next object ${where}`,
    invariant: 'context-record I4',
    message:
      /context 4 has the cursor \d+ and a chunk from \d+ to \d+: not inside one of its chunks/,
    quietOnly: true,
    damage: field(({ deep }) => deep, set, value),
  })),
  {
    what: 'a chain that begins with no record',
    invariant: 'context-record I4',
    message: /the chain of context 4 has chunk \d+, which is not its own/,
    quietOnly: true,
    damage: field(
      ({ deep }) => deep,
      ContextRecord.setChunk,
      () => STRAY,
    ),
  },
  {
    what: 'a chain that continues in that of another context',
    invariant: 'context-record I4',
    message: /the chain of context 4 has chunk 5, which is not its own/,
    quietOnly: true,
    damage({ memory, chunkOf, deep }) {
      ChunkRecord.setNext(memory.u32, chunkOf(deep), 5);
      return deep.record * 4;
    },
  },
  {
    what: 'a chain in a cycle',
    invariant: 'context-record I4',
    message: /the chain of context 4 has chunk 3, twice/,
    quietOnly: true,
    damage({ memory, chunkOf, deep }) {
      ChunkRecord.setNext(memory.u32, chunkOf(deep), 3);
      return deep.record * 4;
    },
  },
  {
    what: 'a wrong link back in a chain',
    invariant: 'context-record I4',
    message: /chunk 2 of context 4 has a wrong link back/,
    quietOnly: true,
    damage({ memory, maker }) {
      ChunkRecord.setPrev(memory.u32, maker.chunkRecord(2), 1);
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
      ContextRecord.setKeeper,
      () => chunk,
    ),
  })),
  ...[ContextRecord.setUsedBefore, ContextRecord.setFreedBytes].map((set, n) => ({
    what: `more bytes taken, or freed, than there are (${n})`,
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
    what: 'a freed object in another context',
    invariant: 'context-record I4',
    message: /context 5 has a freed object at 0x[\da-f]+: not inside its chunks/,
    quietOnly: true,
    damage({ memory, other, small }) {
      memory.u32[ContextRecord.freeListWord(other.record, 6)] = small[0] as number;
      return other.record * 4;
    },
  },
  {
    what: 'a chunk in no chain',
    invariant: 'context-record I4',
    message: /chunk 1 belongs to context 4, but is not in its chain/,
    quietOnly: true,
    damage({ memory, maker }) {
      ChunkRecord.setNext(memory.u32, maker.chunkRecord(2), 0);
      return maker.chunkRecord(1) * 4;
    },
  },
  {
    what: 'a wrong number of bytes of a chunk',
    invariant: 'context-record I4',
    message: /a chunk of context 4 has 8192 bytes; its block has 4096/,
    quietOnly: true,
    damage({ memory, chunkOf, deep }) {
      ChunkRecord.setBytes(memory.u32, chunkOf(deep), 8192);
      return chunkOf(deep) * 4;
    },
  },
  // ---- Chunk records
  ...[60, STRAY, -5].map((context) => ({
    what: `a chunk of context ${context}`,
    invariant: 'chunk-record I1',
    message: /chunk 3 belongs to context -?\d+, which does not exist/,
    damage({ memory, chunkOf, deep }: Scene) {
      Records.store(memory.i32, chunkOf(deep), context);
      return chunkOf(deep) * 4;
    },
  })),
  {
    what: 'a free chunk with a block',
    invariant: 'chunk-record I1',
    message: /chunk 3 is free, but names 0x/,
    damage({ memory, chunkOf, deep }) {
      Records.store(memory.i32, chunkOf(deep), 0);
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
      scene.memory.u32[ChunkRecord.addressWord(record)] = block(scene);
      return record * 4;
    },
  })),
  {
    what: 'two chunks with one block',
    invariant: 'chunk-record I1',
    message: /two chunks name the block at/,
    damage(scene) {
      scene.memory.u32[ChunkRecord.addressWord(scene.chunkOf(scene.deep))] = scene
        .small[0] as number;
      return scene.small[0] as number;
    },
  },
  {
    what: 'a chunk without a record',
    invariant: 'chunk-record I1',
    message: /the owned block at 0x[\da-f]+ belongs to no chunk and no vector: lost/,
    quietOnly: true,
    damage(scene) {
      scene.memory.u32[ChunkRecord.addressWord(scene.chunkOf(scene.other))] = 0;
      return scene.large;
    },
  },
  // ---- Slots
  {
    what: 'an intent that was not resolved',
    invariant: 'slot I7',
    message: /slot 2 has not finished a placement into the word at 0x/,
    quietOnly: true,
    damage({ memory, maker, emptySlot }) {
      Slot.setIntentWord(memory.u32, emptySlot, ChunkRecord.addressWord(maker.chunkRecord(1)));
      return emptySlot * 4;
    },
  },
  {
    what: 'a vector in the in-flight header',
    invariant: 'vector-header I1',
    message: /slot 2 has not finished creating or deleting the vector at 0x/,
    quietOnly: true,
    damage({ memory, emptySlot, vector }) {
      memory.u32[Slot.inFlightHeaderWord(emptySlot)] = vector;
      return emptySlot * 4;
    },
  },
];

const chunkAt = (memory: layout.HeapMemory, index: number): WordIndex =>
  Records.at(ChunkRecord.chunkTable(memory.geometry), index);

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
    else t.true(heap.verify().problems.some(fits), 'found at any time');
    memory.u8.set(before, base);
    t.deepEqual(heap.verify({ quiet: true }).problems, [], 'sound after');
    maker.core.detach();
    heap.detach();
  });
}

/** Damages of vectors, whose words lie in the data, where programs can write. */
const VECTOR_DAMAGES: [
  string,
  RegExp,
  (scene: Scene) => [word: number, value: number, at: number],
][] = [
  [
    'a header that was erased',
    /the owned block at 0x[\da-f]+ belongs to no chunk and no vector: lost/,
    ({ vector }) => [vector >>> 2, 0, vector],
  ],
  [
    'storage without a header',
    /the owned block at 0x[\da-f]+ belongs to no chunk and no vector: lost/,
    ({ vector, storageOfVector }) => [(vector >>> 2) + 3, 0, storageOfVector],
  ],
  [
    'storage that is a block of the program',
    /the vector at 0x[\da-f]+ has its storage at 0x[\da-f]+, where no owned block begins/,
    ({ vector, plain }) => [(vector >>> 2) + 3, plain, vector],
  ],
  [
    'storage that is a chunk',
    /the vector at 0x[\da-f]+ has its storage at 0x[\da-f]+, which belongs to another object, too/,
    ({ bare, large }) => [(bare >>> 2) + 3, large, bare],
  ],
  [
    'storage of two vectors',
    /the vector at 0x[\da-f]+ has its storage at 0x[\da-f]+, which belongs to another object, too/,
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
    t.true(heap.verify().ok, 'not checked while threads use the heap');
    memory.u32[word] = before;
    t.true(heap.verify({ quiet: true }).ok, 'sound after');
    maker.core.detach();
    heap.detach();
  });
}

test('verify: elements that look like a vector’s header are not one', (t) => {
  const { heap, maker, memory, storageOfVector } = makeScene();
  memory.u32[storageOfVector >>> 2] = VectorHeader.MAGIC;
  memory.u32[(storageOfVector >>> 2) + 3] = 4711;
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  maker.core.detach();
  heap.detach();
});
