/**
 * Making a heap: writes the metadata of an empty one into a buffer.
 *
 * Called by api/ in the thread that creates the heap, before any other knows of it. No lock.
 *
 * I1  The header's magic is written last.
 * I2  Metadata is zero where nothing is written: a new buffer is, a given one is made so.
 */

import { KIB, PAGE_BYTES, WORD_BYTES } from '../base/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import * as Header from '../layout/header.js';
import {
  computeGeometry,
  type DebugSettings,
  type Geometry,
  type HeapMemory,
  viewMemory,
} from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import * as StackStore from '../layout/stack-store.js';

/** Metadata of a given buffer is compared with zeros by so many bytes at a time. */
const PART_BYTES = 256 * KIB;
const ZEROS = new Uint8Array(PART_BYTES);

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
  const geometry = computeGeometry(creation);
  const memory = viewMemory(buffer, geometry);
  if (!pristine) clearMetadata(memory);
  writeReserve(memory, geometry);
  DebugRecord.write(memory.u32, geometry.debug, debug, creation.secret);
  if (geometry.stackStoreBytes > 0) {
    StackStore.init(StackStore.storeOf(memory));
  }
  Header.write(memory.u32, geometry.header, {
    version: Header.LAYOUT_VERSION,
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
  const record = PageRecord.at(pageTable, firstPage);
  PageRecord.setRun(
    i32,
    record,
    PageRecord.wordOf(PageRecord.UNTOUCHED_RUN, 0, endPage - firstPage),
  );
  PageHeapRecord.setUntouched(i32, pageHeap, firstPage);
  PageHeapRecord.setBrk(i32, pageHeap, firstPage);
}

/** Sets metadata to zero, writing only where it is not: to write is to commit memory. */
function clearMetadata({ u8, geometry }: HeapMemory): void {
  const { base, dataStart } = geometry;
  eachPart(u8.subarray(base, dataStart), PART_BYTES, (part) => {
    if (isZero(part)) return;
    eachPart(part, PAGE_BYTES, (page) => {
      if (!isZero(page)) page.fill(0);
    });
  });
}

function eachPart(bytes: Uint8Array, partBytes: number, visit: (part: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length; at += partBytes) visit(bytes.subarray(at, at + partBytes));
}

/** Buffer.compare reads 352 MB of metadata in 15 ms, this loop in 130; the system maps them in 100. */
function isZero(bytes: Uint8Array): boolean {
  const { Buffer } = globalThis;
  if (Buffer !== undefined) return Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD_BYTES);
  let bits = 0;
  for (let n = 0; n < words.length; n += 4) {
    bits |= words[n] | words[n + 1] | words[n + 2] | words[n + 3];
  }
  return bits === 0;
}
