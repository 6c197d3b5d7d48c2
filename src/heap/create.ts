/**
 * Making a heap: writes the metadata of an empty one into a buffer.
 *
 * Called by face/ in the thread that creates the heap, before any other knows of it. No lock.
 *
 * I1  The header's magic is written last.
 * I2  Metadata is zero where nothing is written: a new buffer is, a given one is made so.
 */

import { PAGE_BYTES, roundDown, WORD_BYTES } from '../base/index.js';
import {
  computeGeometry,
  type DebugSettings,
  type Geometry,
  type HeapMemory,
  initStackStore,
  LAYOUT_VERSION,
  pageRecord,
  runWord,
  setBrk,
  setRun,
  setUntouched,
  UNTOUCHED_RUN,
  viewMemory,
  writeDebugRecord,
  writeHeader,
} from '../layout/index.js';

/** What a new heap is to be. */
export interface Creation {
  readonly buffer: SharedArrayBuffer;
  readonly base: number;
  readonly bytes: number;
  readonly threads: number;
  readonly contexts: number;
  readonly id: string;
  /** The buffer has never been written to. */
  readonly pristine: boolean;
  readonly lockTimeoutMs: number;
  readonly debug: DebugSettings;
  /** Random words that key the red zones. */
  readonly secret: readonly [number, number];
}

export function createHeap(creation: Creation): HeapMemory {
  const { buffer, base, bytes, threads, contexts, id, pristine, lockTimeoutMs, debug } = creation;
  const geometry = computeGeometry(base, bytes, threads, debug, contexts);
  const memory = viewMemory(buffer, geometry);
  if (!pristine) clearMetadata(memory);
  writeReserve(memory, geometry);
  writeDebugRecord(memory.u32, geometry.debug, debug, creation.secret);
  if (geometry.stackStoreBytes > 0) {
    initStackStore(memory.i32, geometry.stackStore, geometry.stackStoreBytes);
  }
  writeHeader(memory.u32, geometry.header, {
    version: LAYOUT_VERSION,
    base,
    bytes,
    threads,
    contexts,
    id,
    reserveIsZero: pristine,
    lockTimeoutMs,
  });
  return memory;
}

/** All data pages are one run, untouched. */
function writeReserve({ i32 }: HeapMemory, geometry: Geometry): void {
  const { firstPage, endPage, pageTable, pageHeap } = geometry;
  const record = pageRecord(pageTable, firstPage);
  setRun(i32, record, runWord(UNTOUCHED_RUN, 0, endPage - firstPage));
  setUntouched(i32, pageHeap, firstPage);
  setBrk(i32, pageHeap, firstPage);
}

/** Sets metadata to zero, writing only where it is not: to write is to commit memory. */
function clearMetadata({ u32, f64, geometry }: HeapMemory): void {
  const end = geometry.dataStart / WORD_BYTES;
  for (let word = geometry.base / WORD_BYTES; word < end; word++) {
    if (u32[word] === 0) continue;
    const from = roundDown(word, PAGE_BYTES / WORD_BYTES);
    const to = from + PAGE_BYTES / WORD_BYTES;
    f64.fill(0, from / 2, to / 2);
    word = to - 1;
  }
}
