/**
 * As much of a memory context as vectors need, for tests of vectors: every allocation is a chunk.
 */

import assert from 'node:assert/strict';
import type { SharedHeap } from 'shmalloc';
import type { Address } from '../../src/base/index.js';
import { createRecordPool, freeContext } from '../../src/heap/index.js';
import {
  BUMP_KIND,
  chunkTable,
  chunkWord,
  contextState,
  contextTable,
  getEpoch,
  getGeneration,
  LIVE_CONTEXT,
  recordAt,
  SET_KIND,
  setEpoch,
  setParent,
} from '../../src/layout/index.js';
import {
  addVectorContext,
  endStorage,
  hostOf,
  type VectorContext,
} from '../../src/objects/index.js';

export interface FakeContext {
  /** Everything in it ends. */
  reset(): void;
  delete(): void;
  /** How many allocations there are now. */
  count(): number;
}

export function fakeContext(heap: SharedHeap, kind: 'bump' | 'set' = 'bump'): FakeContext {
  const host = hostOf('test', heap);
  const { memory, placement, slotIndex } = host.core;
  const { i32, u32, geometry } = memory;
  const contexts = contextTable(geometry);
  const chunks = chunkTable(geometry);
  const pool = createRecordPool(i32, chunks);
  const state = contextState(LIVE_CONTEXT, kind === 'set' ? SET_KIND : BUMP_KIND, slotIndex, 0);
  const index = createRecordPool(i32, contexts).take(state);
  assert.notEqual(index, 0);
  const record = recordAt(contexts, index);
  setParent(u32, record, 0);
  const used = new Map<Address, number>();
  let storages: number[] = [];

  function drop(address: Address, chunk: number): void {
    placement.remove(chunkWord(recordAt(chunks, chunk)));
    pool.give(chunk);
    used.delete(address);
  }

  const implementation: VectorContext = {
    host,
    index,
    generation: getGeneration(u32, record),
    kind,
    epoch: () => getEpoch(u32, record),
    malloc(bytes) {
      const chunk = pool.take(index);
      assert.notEqual(chunk, 0);
      const address = placement.replace(chunkWord(recordAt(chunks, chunk)), bytes);
      if (address === 0) pool.give(chunk);
      else used.set(address, chunk);
      return address;
    },
    free(address) {
      assert.equal(kind, 'set');
      drop(address, used.get(address) ?? assert.fail('not in the context'));
    },
    addStorage() {
      const chunk = pool.take(index);
      storages.push(chunk);
      return chunk;
    },
  };

  function reset(): void {
    setEpoch(u32, record, getEpoch(u32, record) + 1);
    for (const chunk of storages) endStorage(host, chunk);
    storages = [];
    for (const [address, chunk] of used) drop(address, chunk);
  }

  const context: FakeContext = {
    reset,
    delete() {
      reset();
      freeContext(memory, slotIndex, record);
    },
    count: () => used.size + storages.length,
  };
  addVectorContext(context, implementation);
  return context;
}
