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

import { type Address, NULL, type Probe, type WordIndex } from '../base/index.js';
import { SCRIBBLE } from '../debug/index.js';
import {
  type ContextIndex,
  chunkTable,
  chunkWord,
  emptyContext,
  getChunk,
  getChunkAddress,
  getChunkBytes,
  getChunkCount,
  getContextBytes,
  getInitialBytes,
  getKeeper,
  getMaxBytes,
  getNextBytes,
  getNextChunk,
  getPrevChunk,
  getUsedBefore,
  openChunk,
  recordAt,
  setChunk,
  setChunkBytes,
  setChunkCount,
  setContextBytes,
  setKeeper,
  setNextBytes,
  setNextChunk,
  setPrevChunk,
  setUsedBefore,
  storeRecord,
} from '../layout/index.js';
import { createRecordPool } from '../pages/index.js';
import type { Attachment } from './attachment.js';

export interface Chunks {
  /** Chains a chunk on that has room for `bytes` bytes, and makes it the current one; false = full. */
  grow(context: ContextIndex, record: WordIndex, bytes: number): boolean;
  /** A chunk for one object of `bytes` bytes; the index of its record, 0 = full. */
  addOwn(context: ContextIndex, record: WordIndex, bytes: number): number;
  /** Gives that one back. `bytes` is what it was counted as. */
  dropOwn(record: WordIndex, chunk: number, bytes: number): void;
  addressOf(chunk: number): Address;
  bytesOf(chunk: number): number;
  /** Ends all objects and gives all chunks back but the keeper; without `keep` that one too. */
  clear(record: WordIndex, keep: boolean): void;
  /** A call was cut, and every record is in a chain again, or free. */
  forget(): void;
}

export function createChunks(attachment: Attachment, requireHeadroom: Probe): Chunks {
  const { core, scribble } = attachment;
  const { memory, ownedBlocks, marks } = core;
  const { i32, u32, u8, geometry } = memory;
  const table = chunkTable(geometry);
  const pool = createRecordPool(i32, table);

  const at = (chunk: number): WordIndex => recordAt(table, chunk);
  const addressOf = (chunk: number): Address => getChunkAddress(u32, at(chunk));
  const bytesOf = (chunk: number): number => getChunkBytes(u32, at(chunk));

  /** A record that is in no chain: the stack may end before it is, and it stays so until the next call. */
  let loose = 0;

  function releaseLoose(): void {
    if (loose === 0) return;
    ownedBlocks.remove(chunkWord(at(loose)));
    // point: chunk.free
    storeRecord(i32, at(loose), 0);
    const chunk = loose;
    loose = 0;
    pool.remember(chunk);
  }

  /** A block of at least `bytes` bytes with a record, loose; 0 = there is no room for either. */
  function take(context: ContextIndex, bytes: number): number {
    requireHeadroom();
    releaseLoose();
    // point: chunk.claim
    loose = pool.take(context);
    if (loose === 0) return 0;
    setChunkBytes(u32, at(loose), bytes);
    let block: Address = NULL;
    try {
      block = ownedBlocks.replace(chunkWord(at(loose)), bytes);
    } finally {
      if (block === 0) releaseLoose();
    }
    if (block === 0) return 0;
    setChunkBytes(u32, at(loose), ownedBlocks.bytesOf(block));
    return loose;
  }

  function link(record: WordIndex, chunk: number): void {
    const last = getChunk(u32, record);
    setNextChunk(u32, at(chunk), last);
    setPrevChunk(u32, at(chunk), 0);
    if (last !== 0) setPrevChunk(u32, at(last), chunk);
    setChunk(u32, record, chunk);
    setChunkCount(u32, record, getChunkCount(u32, record) + 1);
    setContextBytes(u32, record, getContextBytes(u32, record) + bytesOf(chunk));
    loose = 0;
  }

  function unlink(record: WordIndex, chunk: number): void {
    const next = getNextChunk(u32, at(chunk));
    const prev = getPrevChunk(u32, at(chunk));
    if (next !== 0) setPrevChunk(u32, at(next), prev);
    if (prev !== 0) setNextChunk(u32, at(prev), next);
    else setChunk(u32, record, next);
    setChunkCount(u32, record, getChunkCount(u32, record) - 1);
    setContextBytes(u32, record, getContextBytes(u32, record) - bytesOf(chunk));
  }

  function paint(chunk: number): void {
    // It has no address where its block went back, and the stack ended then.
    if (scribble && addressOf(chunk) !== 0)
      u8.fill(SCRIBBLE, addressOf(chunk), addressOf(chunk) + bytesOf(chunk));
  }

  /** Gives a chunk's block and record back. Its block first: should that throw, all is as it was. */
  function drop(record: WordIndex, chunk: number): void {
    requireHeadroom();
    releaseLoose();
    paint(chunk);
    ownedBlocks.remove(chunkWord(at(chunk)));
    unlink(record, chunk);
    loose = chunk;
    releaseLoose();
  }

  function grow(context: ContextIndex, record: WordIndex, bytes: number): boolean {
    let wanted = getNextBytes(u32, record);
    while (wanted < bytes) wanted *= 2;
    let chunk = take(context, wanted);
    // In a heap that is nearly full a small step is better than none.
    while (chunk === 0 && wanted / 2 >= bytes) {
      wanted /= 2;
      chunk = take(context, wanted);
    }
    if (chunk === 0) chunk = take(context, bytes);
    if (chunk === 0) return false;
    link(record, chunk);
    if (getKeeper(u32, record) === 0) setKeeper(u32, record, chunk);
    open(record, chunk);
    setNextBytes(u32, record, Math.min(wanted * 2, getMaxBytes(u32, record)));
    return true;
  }

  /** Makes a chunk the current one, empty. */
  function open(record: WordIndex, chunk: number): void {
    openChunk(u32, record, addressOf(chunk), addressOf(chunk) + bytesOf(chunk));
  }

  function addOwn(context: ContextIndex, record: WordIndex, bytes: number): number {
    const chunk = take(context, bytes);
    if (chunk === 0) return 0;
    link(record, chunk);
    setUsedBefore(u32, record, getUsedBefore(u32, record) + bytes);
    return chunk;
  }

  function dropOwn(record: WordIndex, chunk: number, bytes: number): void {
    const used = getUsedBefore(u32, record);
    // First: it is never more than there are bytes, wherever this is cut.
    setUsedBefore(u32, record, used - bytes);
    try {
      drop(record, chunk);
    } catch (error) {
      setUsedBefore(u32, record, used);
      throw error;
    }
  }

  function clear(record: WordIndex, keep: boolean): void {
    // First: should a chunk not go back, nothing is allocated in one that did.
    emptyContext(u32, record);
    releaseLoose();
    const keeper = keep ? getKeeper(u32, record) : 0;
    for (let chunk = getChunk(u32, record); chunk !== 0; ) {
      const next = getNextChunk(u32, at(chunk));
      if (chunk !== keeper) drop(record, chunk);
      chunk = next;
    }
    if (keeper === 0) setKeeper(u32, record, 0);
    else {
      paint(keeper);
      open(record, keeper);
    }
    const first = keeper === 0 ? getInitialBytes(u32, record) : 2 * bytesOf(keeper);
    setNextBytes(u32, record, Math.min(first, getMaxBytes(u32, record)));
  }

  function change<T>(work: () => T): T {
    core.repairIfCut();
    marks.tables = true;
    try {
      return work();
    } finally {
      marks.tables = false;
    }
  }

  return {
    grow: (context, record, bytes) => change(() => grow(context, record, bytes)),
    addOwn: (context, record, bytes) => change(() => addOwn(context, record, bytes)),
    dropOwn: (record, chunk, bytes) => change(() => dropOwn(record, chunk, bytes)),
    addressOf,
    bytesOf,
    clear: (record, keep) => change(() => clear(record, keep)),
    forget() {
      loose = 0;
    },
  };
}
