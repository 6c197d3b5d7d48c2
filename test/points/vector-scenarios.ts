/**
 * Scenarios of vectors: made, grown, changed, deleted, in the heap and in contexts, local and
 * shared.
 */

import type { Vector as AVector } from '../../src/collections/index.js';
import { type Blocks, type Program, type Scenario, SMALL } from './program.js';

const KIB = 1024;

/** Makes a vector of numbers, in the heap or in a context of this program. */
function make(program: Program, place: object = program.home, shared = false): AVector<number> {
  return program.lib.collections.Vector.create(place, Float64Array, { capacity: 4, shared });
}

/** The vector that the setup has made. */
const found = (program: Program, { vectors: [handle] }: Blocks): AVector<number> =>
  program.lib.collections.Vector.attach(program.home, handle as NonNullable<typeof handle>);

function push(vector: AVector<number>, count: number): void {
  for (let n = 0; n < count; n++) vector.push(n);
}

/** Makes every change that moves elements. */
function change(vector: AVector<number>): void {
  push(vector, 9);
  vector.insert(3, 7);
  vector.remove(1);
  vector.pop();
  // Its storage is a run of its own.
  vector.reserve(9000);
  push(vector, 2);
  vector.shrink();
  vector.clear();
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a vector in the heap is made, grows and is deleted',
    act(p) {
      const vector = make(p);
      push(vector, 9);
      vector.reserve(9000);
      vector.delete();
    },
    hits: ['inflight.clear', 'inflight.set', 'inflight.unmark', 'place.nowhere'],
  },
  {
    name: 'a shared vector in the heap is changed',
    setup(p, blocks) {
      blocks.vectors = [make(p, p.home, true).handle];
    },
    act: (p, blocks) => change(found(p, blocks)),
    hits: ['vector.push', 'vector.append', 'vector.cut', 'vector.version'],
  },
  {
    name: "a shared vector in another thread's context is changed",
    setup(p, blocks) {
      blocks.vectors = [make(p, p.context(), true).handle];
    },
    act: (p, blocks) => change(found(p, blocks)),
    hits: ['vector.append', 'place.publish'],
  },
  {
    name: 'a context with vectors is reset and ends',
    prepare(p, blocks) {
      const context = p.context();
      for (const shared of [false, true]) push(make(p, context, shared), 50);
      blocks.contexts = [context];
    },
    act(_, { contexts: [context] }) {
      context?.reset();
      context?.delete();
    },
    hits: ['storage.free'],
  },
  {
    name: 'records of a shared vector are set',
    prepare(p, blocks) {
      const vector = p.lib.collections.Vector.create(p.home, { bytes: 40 }, { shared: true });
      vector.push(new Uint8Array(40));
      blocks.vectors = [vector.handle];
    },
    act(p, blocks) {
      const vector = p.lib.collections.Vector.attach<Uint8Array>(
        p.home,
        blocks.vectors[0] as NonNullable<Blocks['vectors'][0]>,
      );
      vector.set(0, new Uint8Array(40).fill(1));
    },
    hits: ['vector.redo', 'vector.record', 'vector.done', 'vector.even'],
  },
  ...[false, true].map(
    (shared): Scenario => ({
      name: `a vector of addresses frees what it names${shared ? ', shared' : ''}`,
      prepare(p, blocks) {
        blocks.list = [p.malloc(SMALL), p.malloc(100 * KIB)];
      },
      act(p, { list }) {
        for (const address of list) {
          const vector = p.lib.collections.Vector.create(p.home, 'address', { shared });
          vector.push(address);
          p.freeBy(address, () => vector.freeAll());
        }
      },
      hits: shared ? ['vector.freed'] : ['place.nowhere'],
      // It may throw when it releases the lock: the blocks are freed by then.
      throws: !shared,
    }),
  ),
  {
    name: 'recovery of a thread that died with a shared vector of another one',
    setup(p, blocks) {
      blocks.vectors = [make(p, p.context(), true).handle];
    },
    corpse: {
      point: 'place.publish',
      passage: 2,
      act: (p, blocks) => push(found(p, blocks), 100),
    },
    act: (p) => void p.core.recover(),
    hits: ['resolve.done'],
  },
  {
    name: 'recovery of an owner of contexts with shared vectors',
    corpse: {
      point: 'vector.push',
      passage: 30,
      act(p) {
        const context = p.context();
        push(make(p, context, true), 20);
        push(make(p, context, true), 40);
      },
    },
    act: (p) => void p.core.recover(),
    hits: ['end.lock', 'end.serial', 'end.unlock'],
  },
  {
    name: 'detach with a shared vector that another thread is in the middle of changing',
    setup(p, blocks) {
      blocks.main = p;
    },
    prepare(p, { main }) {
      const { layout } = p.lib;
      const { handle } = make(p, p.context(), true);
      const header = layout.readVectorHeader(p.core.memory.u32, (handle.address >>> 2) as never);
      const table = layout.chunkTable(p.core.memory.geometry);
      const record = layout.recordAt(table, header?.chunk as number);
      main?.core.objectLocks.acquire(layout.storageLockWord(record));
    },
    act: (p) => p.core.detach(),
    hits: ['end.mark'],
    // A thread that has detached cannot repair itself.
    throws: false,
  },
  {
    name: 'recovery of a thread that died when it made a vector',
    corpse: {
      point: 'inflight.clear',
      act: (p) => void make(p),
    },
    act: (p) => void p.core.recover(),
    hits: ['end.publish'],
  },
];

export const VECTOR_SCENARIOS: readonly Scenario[] = SCENARIOS.map((scenario) => ({
  ...scenario,
  objects: true,
}));
