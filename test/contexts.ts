/**
 * Contexts and vectors for tests of what looks at them: records and blocks as the heap has them,
 * with every field where the test wants it.
 */

import { SharedHeap } from 'shmalloc';
import type { Address, SlotIndex, WordIndex } from '../src/base/index.js';
import { attachThreadHeap, type ThreadHeap } from '../src/heap/index.js';
import * as ChunkRecord from '../src/layout/chunk-record.js';
import * as ContextRecord from '../src/layout/context-record.js';
import type * as layout from '../src/layout/index.js';
import * as Records from '../src/layout/record-table.js';
import * as Slot from '../src/layout/slot.js';
import * as VectorHeader from '../src/layout/vector-header.js';
import { createRecordPool } from '../src/pages/index.js';
import { memoryOf } from './helpers.js';

const encode = (text: string) => new TextEncoder().encode(text);

export interface Made {
  readonly index: layout.ContextIndex;
  readonly record: WordIndex;
}

/** A second attachment of this thread, which has contexts and vectors. */
export class ContextMaker {
  readonly core: ThreadHeap;
  readonly slot: WordIndex;
  readonly #contexts;
  readonly #chunks;

  constructor(heap: SharedHeap, threadId = 0) {
    this.core = attachThreadHeap(memoryOf(heap), true, { threadId, lockTimeoutMs: 1000 });
    const { geometry, i32 } = this.core.memory;
    this.slot = Slot.at(geometry.slots, this.core.slotIndex);
    this.#contexts = createRecordPool(i32, ContextRecord.contextTable(geometry));
    this.#chunks = createRecordPool(i32, ChunkRecord.chunkTable(geometry));
  }

  recordOf(index: number): WordIndex {
    return Records.at(ContextRecord.contextTable(this.core.memory.geometry), index);
  }

  chunkRecord(index: number): WordIndex {
    return Records.at(ChunkRecord.chunkTable(this.core.memory.geometry), index);
  }

  /** A living context: a root, or below another. */
  make(name: string, parent?: Made, { ident = '', kind = ContextRecord.BUMP_KIND } = {}): Made {
    const { i32, u32, u8 } = this.core.memory;
    const state = (phase: layout.ContextPhase, generation = 0) =>
      ContextRecord.stateOf(phase, kind, this.core.slotIndex, generation);
    const index = this.#contexts.take(state(ContextRecord.UNRESOLVED)) as layout.ContextIndex;
    const record = this.recordOf(index);
    u32.fill(0, record + 2, record + ContextRecord.WORDS);
    ContextRecord.writeNames(u8, record, encode(name), encode(ident));
    if (parent !== undefined) {
      ContextRecord.setParent(u32, record, parent.index);
      const first = ContextRecord.getFirstChild(u32, parent.record);
      ContextRecord.setNextSibling(u32, record, first);
      if (first !== 0) ContextRecord.setPrevSibling(u32, this.recordOf(first), index);
      ContextRecord.setFirstChild(u32, parent.record, index);
    }
    const generation = ContextRecord.getGeneration(u32, record);
    Records.store(i32, record, state(ContextRecord.LIVE, generation));
    return { index, record };
  }

  /** A root that is nobody's from now on. */
  release({ record }: Made): void {
    const { i32 } = this.core.memory;
    const state = Records.load(i32, record);
    const released = ContextRecord.withPhase(state, ContextRecord.RELEASED, this.core.slotIndex);
    Records.store(i32, record, released);
  }

  /** A new current chunk; `used` bytes of it belong to `objects` objects. */
  addChunk({ index, record }: Made, bytes: number, used = 0, objects = 1): Address {
    const { u32 } = this.core.memory;
    const chunk = this.#chunks.take(index);
    const block = this.#place(chunk, bytes);
    const usable = this.core.ownedBlocks.bytesOf(block);
    ChunkRecord.setNext(u32, this.chunkRecord(chunk), ContextRecord.getChunk(u32, record));
    const last = ContextRecord.getChunk(u32, record);
    if (last !== 0) ChunkRecord.setPrev(u32, this.chunkRecord(last), chunk);
    else ContextRecord.setKeeper(u32, record, chunk);
    ChunkRecord.setPrev(u32, this.chunkRecord(chunk), 0);
    ContextRecord.setChunk(u32, record, chunk);
    ContextRecord.setChunkCount(u32, record, ContextRecord.getChunkCount(u32, record) + 1);
    ContextRecord.setBytes(u32, record, ContextRecord.getBytes(u32, record) + usable);
    const before = ContextRecord.getCursor(u32, record) - ContextRecord.getChunkStart(u32, record);
    ContextRecord.setUsedBefore(u32, record, ContextRecord.getUsedBefore(u32, record) + before);
    ContextRecord.setChunkStart(u32, record, block);
    ContextRecord.setCursor(u32, record, block + used);
    ContextRecord.setChunkEnd(u32, record, block + usable);
    ContextRecord.setObjects(u32, record, ContextRecord.getObjects(u32, record) + objects);
    return block;
  }

  #place(chunk: number, bytes: number): Address {
    const { u32 } = this.core.memory;
    const word = ChunkRecord.addressWord(this.chunkRecord(chunk));
    const block = this.core.ownedBlocks.replace(word, bytes);
    ChunkRecord.setBytes(u32, this.chunkRecord(chunk), this.core.ownedBlocks.bytesOf(block));
    return block;
  }

  /** A vector of the heap: its header; storage where `bytes` is not 0. */
  addVector(bytes: number): Address {
    const { u32 } = this.core.memory;
    const inFlightHeader = Slot.inFlightHeaderWord(this.slot);
    const nowhere = { context: 0, epoch: 0, generation: 0 };
    const fields = { type: 1, stride: 4, ...nowhere, serial: 1, threadId: 0 };
    const header = this.core.ownedBlocks.replace(inFlightHeader, VectorHeader.BYTES, (block) =>
      VectorHeader.write(u32, (block >>> 2) as WordIndex, fields),
    );
    const word = VectorHeader.dataWord((header >>> 2) as WordIndex);
    if (bytes > 0) this.core.ownedBlocks.replace(word, bytes);
    u32[inFlightHeader] = 0;
    return header;
  }

  get slotIndex(): SlotIndex {
    return this.core.slotIndex;
  }
}

/** Plain blocks, contexts and vectors, each in spans of their own and in large blocks. */
export function heapWithContexts(): SharedHeap {
  const heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  for (let n = 0; n < 200; n++) heap.malloc_ts(300);
  heap.malloc_ts(100_000);
  const maker = new ContextMaker(heap);
  const context = maker.make('request');
  for (let n = 0; n < 30; n++) maker.addChunk(context, 4096);
  for (let n = 0; n < 2; n++) maker.addChunk(context, 150_000);
  for (let n = 0; n < 5; n++) maker.addVector(2000);
  maker.addVector(150_000);
  return heap;
}
