/**
 * Contexts and vectors for tests of what looks at them: records and blocks as the heap has them,
 * with every field where the test wants it.
 */

import { SharedHeap } from 'shmalloc';
import type { Address, SlotIndex, WordIndex } from '../src/base/index.js';
import { attachThreadHeap, type ThreadHeap } from '../src/heap/index.js';
import * as layout from '../src/layout/index.js';
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
    this.slot = layout.slotRecord(geometry.slots, this.core.slotIndex);
    this.#contexts = createRecordPool(i32, layout.contextTable(geometry));
    this.#chunks = createRecordPool(i32, layout.chunkTable(geometry));
  }

  recordOf(index: number): WordIndex {
    return layout.recordAt(layout.contextTable(this.core.memory.geometry), index);
  }

  chunkRecord(index: number): WordIndex {
    return layout.recordAt(layout.chunkTable(this.core.memory.geometry), index);
  }

  /** A living context: a root, or below another. */
  make(name: string, parent?: Made, { ident = '', kind = layout.BUMP_KIND } = {}): Made {
    const { i32, u32, u8 } = this.core.memory;
    const state = (phase: layout.ContextPhase, generation = 0) =>
      layout.contextState(phase, kind, this.core.slotIndex, generation);
    const index = this.#contexts.take(state(layout.UNRESOLVED_CONTEXT)) as layout.ContextIndex;
    const record = this.recordOf(index);
    u32.fill(0, record + 2, record + layout.CONTEXT_RECORD_WORDS);
    layout.writeNames(u8, record, encode(name), encode(ident));
    if (parent !== undefined) {
      layout.setParent(u32, record, parent.index);
      const first = layout.getFirstChild(u32, parent.record);
      layout.setNextSibling(u32, record, first);
      if (first !== 0) layout.setPrevSibling(u32, this.recordOf(first), index);
      layout.setFirstChild(u32, parent.record, index);
    }
    const generation = layout.getGeneration(u32, record);
    layout.storeRecord(i32, record, state(layout.LIVE_CONTEXT, generation));
    return { index, record };
  }

  /** A root that is nobody's from now on. */
  release({ record }: Made): void {
    const { i32 } = this.core.memory;
    const state = layout.loadRecord(i32, record);
    const released = layout.withPhase(state, layout.RELEASED_CONTEXT, this.core.slotIndex);
    layout.storeRecord(i32, record, released);
  }

  /** A new current chunk; `used` bytes of it belong to `objects` objects. */
  addChunk({ index, record }: Made, bytes: number, used = 0, objects = 1): Address {
    const { u32 } = this.core.memory;
    const chunk = this.#chunks.take(index);
    const block = this.#place(chunk, bytes);
    const usable = this.core.ownedBlocks.bytesOf(block);
    layout.setNextChunk(u32, this.chunkRecord(chunk), layout.getChunk(u32, record));
    const last = layout.getChunk(u32, record);
    if (last !== 0) layout.setPrevChunk(u32, this.chunkRecord(last), chunk);
    else layout.setKeeper(u32, record, chunk);
    layout.setPrevChunk(u32, this.chunkRecord(chunk), 0);
    layout.setChunk(u32, record, chunk);
    layout.setChunkCount(u32, record, layout.getChunkCount(u32, record) + 1);
    layout.setContextBytes(u32, record, layout.getContextBytes(u32, record) + usable);
    const before = layout.getCursor(u32, record) - layout.getChunkStart(u32, record);
    layout.setUsedBefore(u32, record, layout.getUsedBefore(u32, record) + before);
    layout.setChunkStart(u32, record, block);
    layout.setCursor(u32, record, block + used);
    layout.setChunkEnd(u32, record, block + usable);
    layout.setObjects(u32, record, layout.getObjects(u32, record) + objects);
    return block;
  }

  #place(chunk: number, bytes: number): Address {
    const { u32 } = this.core.memory;
    const word = layout.chunkWord(this.chunkRecord(chunk));
    const block = this.core.ownedBlocks.replace(word, bytes);
    layout.setChunkBytes(u32, this.chunkRecord(chunk), this.core.ownedBlocks.bytesOf(block));
    return block;
  }

  /** A vector of the heap: its header; storage where `bytes` is not 0. */
  addVector(bytes: number): Address {
    const { u32 } = this.core.memory;
    const inFlightHeader = layout.inFlightHeaderWord(this.slot);
    const nowhere = { context: 0, epoch: 0, generation: 0 };
    const fields = { type: 1, stride: 4, ...nowhere, serial: 1, threadId: 0 };
    const header = this.core.ownedBlocks.replace(
      inFlightHeader,
      layout.VECTOR_HEADER_BYTES,
      (block) => layout.writeVectorHeader(u32, (block >>> 2) as WordIndex, fields),
    );
    const word = layout.vectorDataWord((header >>> 2) as WordIndex);
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
