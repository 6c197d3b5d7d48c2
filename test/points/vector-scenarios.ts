/**
 * Scenarios of vectors: made, grown, changed, deleted, in the heap, local and shared, and in
 * contexts.
 */

import type { Vector as AVector, VectorOptions } from '../../src/collections/index.js';
import { type Blocks, type Program, type Scenario, SMALL } from './program.js';

const KIB = 1024;

/** Makes a vector of numbers, in the heap or in a context of this program. */
const make = ({ vectors }: Program, options: VectorOptions = {}): AVector =>
  vectors.create(Float64Array, { capacity: 4, ...options });

/** The vector that the setup has made. */
const found = (program: Program, { vectors: [handle] }: Blocks): AVector =>
  program.vectors.attach(handle as NonNullable<typeof handle>);

function push(vector: AVector, count: number): void {
  for (let n = 0; n < count; n++) vector.push(n);
}

/** Makes every change that moves elements. */
function change(vector: AVector): void {
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
      blocks.vectors = [make(p, { shared: true }).handle];
    },
    act: (p, blocks) => change(found(p, blocks)),
    hits: ['vector.push', 'vector.append', 'vector.cut', 'vector.version'],
  },
  {
    name: 'a context with vectors is reset and ends',
    prepare(p, blocks) {
      const context = p.context();
      push(make(p, { context }), 50);
      blocks.contexts = [context];
    },
    act(_, { contexts: [context] }) {
      context?.reset();
      context?.delete();
    },
    hits: ['chunk.free'],
  },
  {
    name: 'records of a shared vector are set',
    prepare(p, blocks) {
      const vector = p.vectors.create({ bytes: 40 }, { shared: true });
      vector.push(new Uint8Array(40));
      blocks.vectors = [vector.handle];
    },
    act(p, blocks) {
      const vector = p.vectors.attach<{ bytes: number }>(
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
          const vector = p.vectors.create('address', { shared });
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
      blocks.vectors = [make(p, { shared: true }).handle];
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
    name: 'recovery of an owner of a context with a vector',
    corpse: {
      point: 'chunk.claim',
      passage: 2,
      act(p) {
        const context = p.context();
        push(make(p, { context }), 10_000);
      },
    },
    act: (p) => void p.core.recover(),
    hits: ['end.publish', 'end.chunk'],
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
