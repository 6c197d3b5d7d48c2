/**
 * Proves that recovery finds exactly the objects of a dead thread's contexts, by the source words
 * in the tables alone: whatever the links say, and at whatever moment of a call the thread died.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Context, SharedHeap } from 'shmalloc';
import type { SlotIndex, WordIndex } from '../../src/base/index.js';
import { Contexts } from '../../src/contexts/index.js';
import { attachThreadHeap, type ThreadHeap } from '../../src/heap/index.js';
import * as ChunkRecord from '../../src/layout/chunk-record.js';
import * as ContextRecord from '../../src/layout/context-record.js';
import type { HeapMemory } from '../../src/layout/index.js';
import * as Records from '../../src/layout/record-table.js';
import * as Registry from '../../src/layout/registry.js';
import { assertNothingLeft, assertSound, countRecords } from '../contexts/audit.js';
import { enterDead, memoryOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';

/** The word of a thread that was attached to another heap, and has ended. */
let dead = 0;

test.before(async () => {
  const heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  const guest = new URL('../api/guest.worker.js', import.meta.url);
  const workerData = { handle: heap.handle, blocks: 1, end: 'stay' };
  const worker = new Worker(guest, { workerData });
  await nextMessage(worker);
  const { i32, geometry } = memoryOf(heap);
  dead = Registry.loadOwner(i32, geometry.registry, 1 as SlotIndex);
  const end = ended(worker);
  await worker.terminate();
  await end;
});

interface Stage {
  readonly heap: SharedHeap;
  readonly memory: HeapMemory;
  readonly victim: ThreadHeap;
  readonly contexts: Contexts;
  at(index: number): WordIndex;
  die(): void;
}

/** Makes a heap with a second attachment, whose thread the test can declare dead. */
function setStage(threads = 3): Stage {
  const heap = SharedHeap.create({ size: '16MiB', threads, contexts: 100 });
  const memory = memoryOf(heap);
  const victim = attachThreadHeap(memory, true, { threadId: 0, lockTimeoutMs: 1000 });
  const { i32, geometry } = memory;
  const contexts = new Contexts({
    core: victim,
    heapId: heap.handle.id,
    threadId: 0,
    scribble: false,
  });
  return {
    heap,
    memory,
    victim,
    contexts,
    at: (index) => Records.at(ContextRecord.contextTable(geometry), index),
    die() {
      enterDead(memory, dead);
      Registry.storeOwner(i32, geometry.registry, victim.slotIndex, dead);
    },
  };
}

/**
 * Makes a root with a child and a grandchild, with small, large and own chunks: records 1, 2, 3.
 */
function family({ contexts }: Stage): Context[] {
  const root = contexts.create('root');
  const child = root.createContext('child', { kind: 'set' });
  const grandchild = child.createContext('grandchild');
  for (const context of [root, child, grandchild]) {
    for (const size of [100, 5000, 100_000, 2_200_000]) context.malloc(size);
  }
  return [root, child, grandchild];
}

test("recover: ends a dead thread's contexts, deepest first; those of other threads stay", (t) => {
  const stage = setStage();
  const { heap } = stage;
  const mine = heap.contexts.create('mine', { kind: 'set' });
  const below = mine.createContext('below');
  for (const context of [mine, below]) context.malloc(5000);
  const stats = [mine.stats(), below.stats()];
  const inUse = heap.stats().inUseBytes;
  family(stage);
  assertSound(t, heap);
  stage.die();
  const found = heap.recover();
  t.is(found.slots, 1);
  t.is(found.contexts, 3);
  t.true(found.runs > 0 && found.blocks > 0);
  assertSound(t, heap);
  t.deepEqual(countRecords(heap), { contexts: 2, chunks: 2 });
  t.deepEqual([mine.stats(), below.stats()], stats);
  t.is(heap.stats().inUseBytes, inUse);
  t.is(heap.recover().contexts, 0);
  mine.delete();
  assertNothingLeft(t, heap);
  heap.detach();
});

test('recover: a released context stays, with all contexts below it, whichever thread made them', (t) => {
  const stage = setStage();
  const { heap, contexts } = stage;
  const [root] = family(stage) as [Context];
  const handle = root.release();
  const other = contexts.create('not released');
  other.malloc(100);
  // The victim adopts a context of this thread, and this thread adopts one of the victim's.
  const taken = contexts.adopt(heap.contexts.create('taken').release());
  taken.malloc(100);
  const given = contexts.create('given');
  given.createContext('child of the given').malloc(100);
  const kept = heap.contexts.adopt(given.release());
  stage.die();
  t.is(heap.recover().contexts, 2, 'the one that was not released, and the adopted one');
  assertSound(t, heap);
  t.is(countRecords(heap).contexts, 5);
  kept.children[0]?.malloc(10);
  kept.delete();
  heap.contexts.adopt(handle).delete();
  assertNothingLeft(t, heap);
  heap.detach();
});

/**
 * States that a death in the middle of a call leaves, written by hand. Records: 1 root, 2 child, 3
 * grandchild.
 */
const MOMENTS: Record<string, (stage: Stage) => void> = {
  'create: claimed, and nothing more'({ memory, at, victim }) {
    Records.store(
      memory.i32,
      at(4),
      ContextRecord.withPhase(0, ContextRecord.UNRESOLVED, victim.slotIndex),
    );
  },
  'create: linked to its parent, not live'({ memory, at, victim }) {
    Records.store(
      memory.i32,
      at(4),
      ContextRecord.withPhase(0, ContextRecord.UNRESOLVED, victim.slotIndex),
    );
    ContextRecord.setParent(memory.u32, at(4), 3);
    ContextRecord.setFirstChild(memory.u32, at(3), 4);
  },
  'end: dying'({ memory, at, victim }) {
    const state = Records.load(memory.i32, at(3));
    Records.store(
      memory.i32,
      at(3),
      ContextRecord.withPhase(state, ContextRecord.UNRESOLVED, victim.slotIndex),
    );
  },
  'end: without a parent'({ memory, at, victim }) {
    const state = Records.load(memory.i32, at(3));
    Records.store(
      memory.i32,
      at(3),
      ContextRecord.withPhase(state, ContextRecord.UNRESOLVED, victim.slotIndex),
    );
    ContextRecord.setParent(memory.u32, at(3), 0);
  },
  'end: of the next generation'({ memory, at, victim }) {
    const state = Records.load(memory.i32, at(3));
    Records.store(
      memory.i32,
      at(3),
      ContextRecord.withPhase(state, ContextRecord.UNRESOLVED, victim.slotIndex),
    );
    ContextRecord.setParent(memory.u32, at(3), 0);
    ContextRecord.setGeneration(
      memory.u32,
      at(3),
      ContextRecord.getGeneration(memory.u32, at(3)) + 1,
    );
  },
  'setParent: the context has its own slot and the old parent'({ memory, at, victim }) {
    const state = Records.load(memory.i32, at(3));
    Records.store(
      memory.i32,
      at(3),
      ContextRecord.withPhase(state, ContextRecord.LIVE, victim.slotIndex),
    );
  },
  'setParent: the context is a root'({ memory, at, victim }) {
    const state = Records.load(memory.i32, at(2));
    Records.store(
      memory.i32,
      at(2),
      ContextRecord.withPhase(state, ContextRecord.LIVE, victim.slotIndex),
    );
    ContextRecord.setParent(memory.u32, at(2), 0);
  },
  'a chunk that is claimed and has no block'({ memory }) {
    const table = ChunkRecord.chunkTable(memory.geometry);
    Records.store(memory.i32, Records.at(table, 90), 2);
    // The frontier lies behind the chunk's record.
    memory.i32[table.start + 1] = 100;
  },
  'a chunk that is in no chain'({ memory, victim }) {
    const table = ChunkRecord.chunkTable(memory.geometry);
    Records.store(memory.i32, Records.at(table, 90), 2);
    memory.i32[table.start + 1] = 100;
    victim.ownedBlocks.replace(ChunkRecord.addressWord(Records.at(table, 90)), 5000);
  },
  'broken links, which recovery does not follow'({ memory, at }) {
    const { u32, geometry } = memory;
    for (const index of [1, 2, 3]) {
      ContextRecord.setChunk(u32, at(index), 1);
      ContextRecord.setFirstChild(u32, at(index), index);
      ContextRecord.setNextSibling(u32, at(index), index);
    }
    for (let n = 1; n < 12; n++)
      ChunkRecord.setNext(u32, Records.at(ChunkRecord.chunkTable(geometry), n), n);
  },
};

for (const [moment, prepare] of Object.entries(MOMENTS)) {
  for (const how of ['recover', 'detach'] as const) {
    test(`${how}: reclaims all of it (${moment})`, (t) => {
      const stage = setStage();
      const { heap, memory } = stage;
      family(stage);
      const table = ContextRecord.contextTable(memory.geometry);
      // No record behind the frontier was ever taken.
      if (moment.startsWith('create')) memory.i32[table.start + 1] = 4;
      prepare(stage);
      if (how === 'recover') {
        stage.die();
        t.true(heap.recover().contexts >= 3);
      } else stage.victim.detach();
      for (const index of [1, 2, 3, 4]) {
        t.is(Records.load(memory.i32, stage.at(index)), 0);
        t.is(ContextRecord.getParent(memory.u32, stage.at(index)), 0 as never);
      }
      assertNothingLeft(t, heap);
      heap.detach();
    });
  }
}

test('recover: a stale handle of a context that recovery has ended is refused', (t) => {
  const stage = setStage();
  const { heap, contexts, memory, at } = stage;
  const handle = contexts.create('c').release();
  contexts.adopt(handle).malloc(100);
  stage.die();
  heap.recover();
  t.throws(() => heap.contexts.adopt(handle), { code: 'ERR_SHMALLOC_CONTEXT_ENDED' });
  using same = heap.contexts.create('in its record');
  t.is(Records.load(memory.i32, at(1)) !== 0, true);
  t.throws(() => heap.contexts.adopt(handle), { code: 'ERR_SHMALLOC_CONTEXT_ENDED' });
  same.delete();
  assertNothingLeft(t, heap);
  heap.detach();
});

test('recover: leaves parents in a cycle alone, as a living thread can make them for a moment', (t) => {
  const stage = setStage();
  const { heap, memory, at } = stage;
  family(stage);
  ContextRecord.setParent(memory.u32, at(1), 3);
  stage.die();
  t.is(heap.recover().contexts, 0);
  t.true(heap.verify().problems.some(({ invariant }) => invariant === 'context-record I2'));
});

test('recover: leaves contexts alone that other threads change meanwhile', (t) => {
  const stage = setStage();
  const { heap, memory, at } = stage;
  family(stage);
  const states = [ContextRecord.UNRESOLVED, ContextRecord.LIVE, ContextRecord.RELEASED];
  const table = ContextRecord.contextTable(memory.geometry);
  memory.i32[table.start + 1] = 20;
  // They belong to slot 2, which another living thread owns.
  for (const [n, phase] of states.entries()) {
    Records.store(memory.i32, at(10 + n), ContextRecord.withPhase(0, phase as never, 2));
    ContextRecord.setParent(memory.u32, at(10 + n), [0, 19, 0][n] as number);
  }
  const before = [10, 11, 12].map((index) => Records.load(memory.i32, at(index)));
  stage.die();
  t.is(heap.recover().contexts, 3);
  t.deepEqual(
    [10, 11, 12].map((index) => Records.load(memory.i32, at(index))),
    before,
  );
});

test('detach, recover: touch no table for a thread without contexts', (t) => {
  const stage = setStage();
  const { heap, memory } = stage;
  using mine = heap.contexts.create('mine');
  mine.malloc(100);
  const tables = () => {
    const { contexts, chunks, chunkCount } = memory.geometry;
    return memory.u32.slice(contexts, chunks + (chunkCount + 1) * 8);
  };
  const before = tables();
  stage.die();
  t.is(heap.recover().contexts, 0);
  t.deepEqual(tables(), before);
  heap.detach();
});
