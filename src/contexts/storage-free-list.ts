/**
 * Storages that are used again: chunk records of shared vectors in contexts, of which one was deleted.
 *
 * Called by vector-storage.ts. The context's owner thread only, though any thread may delete a vector.
 *
 * I1  The record of a vector that was deleted stays in its context's chain of storages, empty: serial
 *     and address 0, its lock free. The context's owner, and nobody else, puts another vector there.
 */

import {
  chunkTable,
  contextTable,
  getChunkAddress,
  getNextChunk,
  getStorages,
  loadRecord,
  loadStorageLock,
  recordAt,
  storageSerialWord,
  type VectorFields,
} from '../layout/index.js';
import { WAITERS } from '../sync/index.js';
import type { Attachment } from './attachment.js';
import type { VectorContext } from './vector-context.js';

/** So many new records are claimed before a context's storages are looked through. */
const CREATIONS_BETWEEN_SCANS = 64;

/** Storages of a context of this thread that are empty (I1), as far as is known. */
interface Emptied {
  readonly generation: number;
  readonly epoch: number;
  readonly chunks: number[];
  /** So many new records may be claimed before the others are looked through. */
  untilScan: number;
}

/** For each thread's way to a heap: by the indexes of its contexts. */
const emptiedOf = new WeakMap<Attachment, Map<number, Emptied>>();

/** What is known of a context; of an earlier epoch of it nothing is. */
function emptiedIn(
  attachment: Attachment,
  context: number,
  generation: number,
  epoch: number,
): Emptied {
  const byContext = emptiedOf.get(attachment) ?? new Map<number, Emptied>();
  emptiedOf.set(attachment, byContext);
  let emptied = byContext.get(context);
  if (emptied?.generation !== generation || emptied.epoch !== epoch) {
    emptied = { generation, epoch, chunks: [], untilScan: CREATIONS_BETWEEN_SCANS };
    byContext.set(context, emptied);
  }
  return emptied;
}

/** One was deleted in this thread. */
export function rememberEmptied(
  attachment: Attachment,
  { context, generation, epoch, chunk }: VectorFields,
): void {
  emptiedIn(attachment, context, generation, epoch).chunks.push(chunk);
}

/** A record for the storage of a new vector: one that is empty, or another one; 0 = none free. */
export function takeStorage(context: VectorContext): number {
  const { attachment, index, generation } = context;
  const emptied = emptiedIn(attachment, index, generation, context.epoch());
  const known = takeEmptied(context, emptied);
  if (known !== 0) return known;
  // Other threads may have deleted some.
  if (emptied.untilScan-- <= 0) {
    findEmptied(context, emptied);
    const found = takeEmptied(context, emptied);
    if (found !== 0) return found;
  }
  const added = context.addStorage();
  if (added !== 0) return added;
  findEmptied(context, emptied);
  return takeEmptied(context, emptied);
}

function takeEmptied(context: VectorContext, { chunks }: Emptied): number {
  // What is known may be out of date, where the context was another thread's for a while.
  for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop()) {
    if (isEmptied(context, chunk)) return chunk;
  }
  return 0;
}

function isEmptied({ attachment, index }: VectorContext, chunk: number): boolean {
  const { i32, u32, geometry } = attachment.core.memory;
  const record = recordAt(chunkTable(geometry), chunk);
  // The lock first: who deletes it has it until all the rest is so.
  return (
    (loadStorageLock(i32, record) & ~WAITERS) === 0 &&
    loadRecord(i32, record) === index &&
    u32[storageSerialWord(record)] === 0 &&
    getChunkAddress(u32, record) === 0
  );
}

/** Looks through all storages of a context. */
function findEmptied(context: VectorContext, emptied: Emptied): void {
  const { u32, geometry } = context.attachment.core.memory;
  const table = chunkTable(geometry);
  let chunk = getStorages(u32, recordAt(contextTable(geometry), context.index));
  for (; chunk !== 0; chunk = getNextChunk(u32, recordAt(table, chunk))) {
    if (isEmptied(context, chunk)) emptied.chunks.push(chunk);
  }
  // Where some were, look again as soon as these are used: or there would be more and more of them.
  emptied.untilScan = emptied.chunks.length > 0 ? 0 : CREATIONS_BETWEEN_SCANS;
}
