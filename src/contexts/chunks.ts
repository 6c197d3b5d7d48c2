/**
 * Chunks: the memory of a context, a chain of blocks that doubles its steps.
 *
 * Called by context.ts and the kinds. Owner thread of the context only. A chunk comes and goes by
 * placement (heap/owned-blocks.ts), so a death in the middle loses none; records are drawn in
 * layout/chunk-record.ts and layout/context-record.ts.
 *
 * I1  Objects never move, and never lie across two chunks.
 * I2  Each of these calls stands under the mark `tables` (heap/marks.ts): what V8 has cut of one is repaired
 *     before the next (repair-objects.ts).
 * I3  The keeper, the first chunk that is not one object's own, stays until the context ends.
 */

import { type Address, NULL, type WordIndex } from '../base/index.js';
import { SCRIBBLE } from '../debug/index.js';
import type { ThreadHeap } from '../heap/index.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { ContextIndex, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import { createRecordPool, type RecordPool } from '../pages/index.js';
import type { ContextRuntime } from './context-runtime.js';

/** An object longer than this part of the longest chunk gets a chunk of its own. */
const OWN_SHARE = 4;

export class Chunks {
  readonly #runtime: ContextRuntime;
  readonly #core: ThreadHeap;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #table: RecordTable;
  readonly #pool: RecordPool;
  /** A record that is in no chain: the stack may end before it is, and it stays so until the next call. */
  #loose = 0;

  constructor(runtime: ContextRuntime) {
    const { memory, attachment } = runtime;
    this.#runtime = runtime;
    this.#core = attachment.core;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#table = ChunkRecord.chunkTable(memory.geometry);
    this.#pool = createRecordPool(memory.i32, this.#table);
  }

  /** Chains a chunk on that has room for `bytes` bytes, and makes it the current one; false = full. */
  grow(context: ContextIndex, record: WordIndex, bytes: number): boolean {
    return this.#runtime.change(() => this.#growNow(context, record, bytes));
  }

  /** A chunk for one object of `bytes` bytes; the index of its record, 0 = full. */
  addOwn(context: ContextIndex, record: WordIndex, bytes: number): number {
    return this.#runtime.change(() => this.#addOwnNow(context, record, bytes));
  }

  /** Gives that one back. `bytes` is what it was counted as. */
  dropOwn(record: WordIndex, chunk: number, bytes: number): void {
    this.#runtime.change(() => this.#dropOwnNow(record, chunk, bytes));
  }

  /** Ends all objects and gives all chunks back but the keeper; without `keep` that one too. */
  clear(record: WordIndex, keep: boolean): void {
    this.#runtime.change(() => this.#clearNow(record, keep));
  }

  /** A call was cut, and every record is in a chain again, or free. */
  forget(): void {
    this.#loose = 0;
  }

  addressOf(chunk: number): Address {
    return ChunkRecord.getAddress(this.#u32, this.#at(chunk));
  }

  bytesOf(chunk: number): number {
    return ChunkRecord.getBytes(this.#u32, this.#at(chunk));
  }

  /** Is an object, with all that belongs to it, so long that it gets a chunk of its own? */
  needsOwn(record: WordIndex, bytes: number): boolean {
    return bytes > ContextRecord.getMaxBytes(this.#u32, record) / OWN_SHARE;
  }

  #at(chunk: number): WordIndex {
    return Records.at(this.#table, chunk);
  }

  #releaseLoose(): void {
    if (this.#loose === 0) return;
    this.#core.ownedBlocks.remove(ChunkRecord.addressWord(this.#at(this.#loose)));
    // point: chunk.free
    Records.store(this.#i32, this.#at(this.#loose), 0);
    const chunk = this.#loose;
    this.#loose = 0;
    this.#pool.remember(chunk);
  }

  /** A block of at least `bytes` bytes with a record, loose; 0 = there is no room for either. */
  #take(context: ContextIndex, bytes: number): number {
    const u32 = this.#u32;
    this.#runtime.requireHeadroom();
    this.#releaseLoose();
    // point: chunk.claim
    this.#loose = this.#pool.take(context);
    if (this.#loose === 0) return 0;
    ChunkRecord.setBytes(u32, this.#at(this.#loose), bytes);
    let block: Address = NULL;
    try {
      block = this.#core.ownedBlocks.replace(ChunkRecord.addressWord(this.#at(this.#loose)), bytes);
    } finally {
      if (block === 0) this.#releaseLoose();
    }
    if (block === 0) return 0;
    ChunkRecord.setBytes(u32, this.#at(this.#loose), this.#core.ownedBlocks.bytesOf(block));
    return this.#loose;
  }

  #link(record: WordIndex, chunk: number): void {
    const u32 = this.#u32;
    const last = ContextRecord.getChunk(u32, record);
    ChunkRecord.setNext(u32, this.#at(chunk), last);
    ChunkRecord.setPrev(u32, this.#at(chunk), 0);
    if (last !== 0) ChunkRecord.setPrev(u32, this.#at(last), chunk);
    ContextRecord.setChunk(u32, record, chunk);
    ContextRecord.setChunkCount(u32, record, ContextRecord.getChunkCount(u32, record) + 1);
    ContextRecord.setBytes(u32, record, ContextRecord.getBytes(u32, record) + this.bytesOf(chunk));
    this.#loose = 0;
  }

  #unlink(record: WordIndex, chunk: number): void {
    const u32 = this.#u32;
    const next = ChunkRecord.getNext(u32, this.#at(chunk));
    const prev = ChunkRecord.getPrev(u32, this.#at(chunk));
    if (next !== 0) ChunkRecord.setPrev(u32, this.#at(next), prev);
    if (prev !== 0) ChunkRecord.setNext(u32, this.#at(prev), next);
    else ContextRecord.setChunk(u32, record, next);
    ContextRecord.setChunkCount(u32, record, ContextRecord.getChunkCount(u32, record) - 1);
    ContextRecord.setBytes(u32, record, ContextRecord.getBytes(u32, record) - this.bytesOf(chunk));
  }

  #paint(chunk: number): void {
    // It has no address where its block went back, and the stack ended then.
    if (!this.#runtime.attachment.scribble || this.addressOf(chunk) === 0) return;
    const start = this.addressOf(chunk);
    this.#runtime.memory.u8.fill(SCRIBBLE, start, start + this.bytesOf(chunk));
  }

  /** Gives a chunk's block and record back. Its block first: should that throw, all is as it was. */
  #drop(record: WordIndex, chunk: number): void {
    this.#runtime.requireHeadroom();
    this.#releaseLoose();
    this.#paint(chunk);
    this.#core.ownedBlocks.remove(ChunkRecord.addressWord(this.#at(chunk)));
    this.#unlink(record, chunk);
    this.#loose = chunk;
    this.#releaseLoose();
  }

  #growNow(context: ContextIndex, record: WordIndex, bytes: number): boolean {
    const u32 = this.#u32;
    let wanted = ContextRecord.getNextBytes(u32, record);
    while (wanted < bytes) wanted *= 2;
    let chunk = this.#take(context, wanted);
    // In a heap that is nearly full a small step is better than none.
    while (chunk === 0 && wanted / 2 >= bytes) {
      wanted /= 2;
      chunk = this.#take(context, wanted);
    }
    if (chunk === 0) chunk = this.#take(context, bytes);
    if (chunk === 0) return false;
    this.#link(record, chunk);
    if (ContextRecord.getKeeper(u32, record) === 0) ContextRecord.setKeeper(u32, record, chunk);
    this.#open(record, chunk);
    ContextRecord.setNextBytes(
      u32,
      record,
      Math.min(wanted * 2, ContextRecord.getMaxBytes(u32, record)),
    );
    return true;
  }

  /** Makes a chunk the current one, empty. */
  #open(record: WordIndex, chunk: number): void {
    ContextRecord.openChunk(
      this.#u32,
      record,
      this.addressOf(chunk),
      this.addressOf(chunk) + this.bytesOf(chunk),
    );
  }

  #addOwnNow(context: ContextIndex, record: WordIndex, bytes: number): number {
    const u32 = this.#u32;
    const chunk = this.#take(context, bytes);
    if (chunk === 0) return 0;
    this.#link(record, chunk);
    ContextRecord.setUsedBefore(u32, record, ContextRecord.getUsedBefore(u32, record) + bytes);
    return chunk;
  }

  #dropOwnNow(record: WordIndex, chunk: number, bytes: number): void {
    const u32 = this.#u32;
    const used = ContextRecord.getUsedBefore(u32, record);
    // First: it is never more than there are bytes, wherever this is cut.
    ContextRecord.setUsedBefore(u32, record, used - bytes);
    try {
      this.#drop(record, chunk);
    } catch (error) {
      ContextRecord.setUsedBefore(u32, record, used);
      throw error;
    }
  }

  #clearNow(record: WordIndex, keep: boolean): void {
    const u32 = this.#u32;
    // First: should a chunk not go back, nothing is allocated in one that did.
    ContextRecord.empty(u32, record);
    this.#releaseLoose();
    const keeper = keep ? ContextRecord.getKeeper(u32, record) : 0;
    for (let chunk = ContextRecord.getChunk(u32, record); chunk !== 0; ) {
      const next = ChunkRecord.getNext(u32, this.#at(chunk));
      if (chunk !== keeper) this.#drop(record, chunk);
      chunk = next;
    }
    if (keeper === 0) ContextRecord.setKeeper(u32, record, 0);
    else {
      this.#paint(keeper);
      this.#open(record, keeper);
    }
    const first =
      keeper === 0 ? ContextRecord.getInitialBytes(u32, record) : 2 * this.bytesOf(keeper);
    ContextRecord.setNextBytes(
      u32,
      record,
      Math.min(first, ContextRecord.getMaxBytes(u32, record)),
    );
  }
}
