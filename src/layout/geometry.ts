/**
 * Geometry: the place of each structure of a heap. It is the memory map as numbers.
 *
 * Computed once per attach, used by every layer above. Pure arithmetic from base, bytes, threads,
 * contexts and debug options, so that every thread computes the same map from the header. The
 * drawing is in src/README.md.
 *
 * I1  Structures follow each other without overlap; the data region ends where the heap ends.
 * I2  Locks, slots and records begin on a cache line; tags and page table begin on a 4 KiB system
 *     page, so that a small heap touches few system pages.
 * I3  Tag and page record of any data page are found from its absolute number, with no subtraction:
 *     `tags[address >>> 4]`, `pageTable + page * PageRecord.WORDS`. (The tag view begins before
 *     the tags by as many bytes as there are granules below the data; see viewMemory.)
 * I4  The first page of the heap, which null points into, is never written.
 */

import {
  GIB,
  GRANULE_SHIFT,
  KIB,
  LINE_BYTES,
  MIB,
  PAGE_BYTES,
  PAGE_SHIFT,
  type PageIndex,
  rangeError,
  roundDown,
  roundUp,
  WORD_BYTES,
  WORD_SHIFT,
  type WordIndex,
} from '../base/index.js';

import * as Baseline from './baseline.js';
import * as BlockRecord from './block-record.js';
import * as ChunkRecord from './chunk-record.js';
import * as ClassRecord from './class-record.js';
import * as ContextRecord from './context-record.js';
import type { DebugSettings } from './debug-record.js';
import * as DebugRecord from './debug-record.js';
import * as EventRing from './event-ring.js';
import * as Header from './header.js';
import * as LockTable from './lock-table.js';
import { MAGAZINE_BYTES_MIN, type MagazineSizes, magazineSizesFor } from './magazine-sizes.js';
import * as Names from './names.js';
import * as PageHeapRecord from './page-heap-record.js';
import * as PageRecord from './page-record.js';
import * as Records from './record-table.js';
import * as Registry from './registry.js';
import * as Slot from './slot.js';
import * as TraceBuffer from './trace-buffer.js';

/** Minimum bytes of a heap. */
export const HEAP_BYTES_MIN = 2 * MIB;
/** Maximum bytes that a program can ask for. */
export const HEAP_BYTES_MAX = 4 * GIB;
/**
 * Maximum address of a heap's end: the last 64 KiB below 4 GiB stay unused. A context keeps the
 * address behind its last block in 32 bits, and programs compute with `(p + n) >>> 2`.
 */
export const HEAP_END_MAX = HEAP_BYTES_MAX - 64 * KIB;
export const THREADS_DEFAULT = 64;

/** Maximum contexts of a heap. */
export const CONTEXTS_MAX = 2 ** 20;
/** Bytes of heap per context, if the program gives no count; at least CONTEXTS_MIN contexts. */
const CONTEXT_SHARE_BYTES = 64 * KIB;
const CONTEXTS_MIN = 64;
/** Bytes of heap per chunk record; at least two records per context. */
const CHUNK_SHARE_BYTES = 8 * KIB;

/** Maximum share of the heap for slots, if the program gives no thread count. */
const SLOTS_SHARE = 1 / 8;
/** Share of the heap for magazines, which sets their sizes. */
const CACHES_SHARE = 1 / 32;
/** Share of the heap for the stack store, within the limits below. */
const STACKS_SHARE = 1 / 64;
const STACKS_BYTES_MIN = 64 * KIB;
const STACKS_BYTES_MAX = 16 * MIB;
/** Bytes of a page of the operating system's memory. */
const SYSTEM_PAGE_BYTES = 4 * KIB;

/** What the map of a heap follows from: its place and length, and what creation was asked for. */
export interface Dimensions {
  readonly base: number;
  readonly bytes: number;
  readonly threads: number;
  /** Maximum number of memory contexts. Default: as many as belong to a heap of this length. */
  readonly contexts?: number;
  /** Default: no debug option. */
  readonly debug?: DebugSettings;
}

/**
 * The places of all structures. Words are indexes into 32-bit views; pages count from the buffer's
 * start.
 */
export interface Geometry {
  readonly base: number;
  readonly bytes: number;
  /** First byte after the heap; addresses are below it. */
  readonly end: number;
  readonly threads: number;
  readonly header: WordIndex;
  readonly debug: WordIndex;
  readonly registry: WordIndex;
  readonly names: WordIndex;
  readonly pageHeap: WordIndex;
  readonly locks: WordIndex;
  readonly classes: WordIndex;
  readonly baseline: WordIndex;
  readonly slots: WordIndex;
  /** The magazine region, and the sizes of the magazines in it. */
  readonly magazines: WordIndex;
  readonly depths: MagazineSizes;
  /** Table of the context records, and the maximum number of contexts; 0 = none. */
  readonly contexts: WordIndex;
  readonly contextCount: number;
  /** Table of the chunk records. */
  readonly chunks: WordIndex;
  readonly chunkCount: number;
  // Only in heaps with debug options; 0 = this heap has none.
  readonly eventRings: WordIndex;
  readonly stackStore: WordIndex;
  readonly stackStoreBytes: number;
  readonly traceBuffers: WordIndex;
  /** Byte offset of the first block record. */
  readonly blockRecordsStart: number;
  /** Place where the block record of address 0 would be; it may be below zero. */
  readonly blockRecords: number;
  /** Place where the record of page 0 would be; it may lie before the table, and below zero. */
  readonly pageTable: number;
  /** Byte offset of the first data page's owner. */
  readonly ownersStart: number;
  /** Byte offset of the first tag. */
  readonly tagsStart: number;
  /** Address of the first data page. */
  readonly dataStart: number;
  readonly dataBytes: number;
  readonly firstPage: PageIndex;
  /** The page after the last one. It has a page record, too, at which no run begins. */
  readonly endPage: PageIndex;
}

/** Thread slots of a heap of this length, if the program gives no count. */
export function defaultThreads(bytes: number): number {
  const fit = Math.floor((bytes * SLOTS_SHARE) / (Slot.BYTES + MAGAZINE_BYTES_MIN));
  return Math.max(1, Math.min(THREADS_DEFAULT, fit));
}

/** Contexts of a heap of this length, if the program gives no count. */
export const defaultContexts = (bytes: number): number =>
  Math.max(CONTEXTS_MIN, Math.floor(bytes / CONTEXT_SHARE_BYTES));

/** The place of the header, computed from the heap's base alone. */
export const headerWord = (base: number): WordIndex =>
  ((base + PAGE_BYTES) >>> WORD_SHIFT) as WordIndex;

/** Bytes of a heap's stack store; 0 = none. */
function stackStoreBytes(bytes: number, { stackDepth }: DebugSettings): number {
  if (stackDepth === 0) return 0;
  const share = roundUp(bytes * STACKS_SHARE, LINE_BYTES);
  return Math.min(STACKS_BYTES_MAX, Math.max(STACKS_BYTES_MIN, share));
}

/** Bytes of the tables of contexts and of their chunks. */
const tablesBytes = (contexts: number, chunks: number): number =>
  (Records.words(contexts, ContextRecord.WORDS) + Records.words(chunks, ChunkRecord.WORDS)) *
  WORD_BYTES;

/** The bytes that options take, as text for an error message. */
function otherParts(
  { bytes, threads, debug }: Required<Dimensions>,
  contextsBytes: number,
): string {
  const { historyEvents, tracePath } = debug;
  const stacks = stackStoreBytes(bytes, debug);
  const parts = [
    contextsBytes > 0 && `contexts (${contextsBytes} bytes)`,
    historyEvents > 0 &&
      `history of ${historyEvents} events for each (${threads * EventRing.bytes(historyEvents)} bytes)`,
    stacks > 0 && `call stacks (${stacks} bytes)`,
    tracePath !== '' && `trace buffers (${threads * TraceBuffer.BYTES} bytes)`,
  ].filter(Boolean);
  return parts.length === 0 ? '' : `, with ${parts.join(', ')},`;
}

/** The places of all structures whose length pages do not change, and the first byte after them. */
function placeTables(dimensions: Required<Dimensions>, chunkCount: number, depths: MagazineSizes) {
  const { base, bytes, threads, contexts, debug } = dimensions;
  const { historyEvents, tracePath } = debug;
  const stacks = stackStoreBytes(bytes, debug);
  let cursor = base + PAGE_BYTES;
  const place = (length: number): WordIndex => {
    const word = (roundUp(cursor, LINE_BYTES) / 4) as WordIndex;
    cursor = word * 4 + length;
    return word;
  };
  const placeIf = (there: boolean, length: number): WordIndex =>
    there ? place(length) : (0 as WordIndex);
  const places = {
    // A heap of any kind has header and debug record at these places.
    header: place(Header.RECORD_BYTES),
    debug: place(DebugRecord.BYTES),
    registry: place(Registry.bytes(threads)),
    names: place(Names.bytes(threads)),
    pageHeap: place(PageHeapRecord.BYTES),
    locks: place(LockTable.BYTES),
    classes: place(ClassRecord.TABLE_BYTES),
    baseline: place(Baseline.bytes(threads)),
    slots: place(threads * Slot.BYTES),
    magazines: place(threads * depths.words * WORD_BYTES),
    contexts: place(tablesBytes(contexts, 0)),
    chunks: place(tablesBytes(0, chunkCount)),
    eventRings: placeIf(historyEvents > 0, threads * EventRing.bytes(historyEvents)),
    stackStore: placeIf(stacks > 0, stacks),
    traceBuffers: placeIf(tracePath !== '', threads * TraceBuffer.BYTES),
  };
  return { places, tablesEnd: cursor };
}

/**
 * The number of data pages that fit from `start` on, and the places of what grows with that number.
 */
function placePages(start: number, end: number, recorded: boolean) {
  // Each data page takes itself, a page record, an owner, its tags and its block records. One more
  // page record follows the last one.
  const tagBytes = PAGE_BYTES >>> GRANULE_SHIFT;
  const recordBytes = recorded
    ? (PAGE_BYTES >>> BlockRecord.RECORD_SPAN_SHIFT) * BlockRecord.BYTES
    : 0;
  const pageBytes = PAGE_BYTES + PageRecord.BYTES + 1 + tagBytes + recordBytes;
  for (let pages = Math.floor((end - start) / pageBytes); pages > 0; pages--) {
    const dataStart = end - pages * PAGE_BYTES;
    const tagsStart = roundDown(dataStart - pages * tagBytes, SYSTEM_PAGE_BYTES);
    const recordsStart = roundDown(tagsStart - pages * recordBytes, SYSTEM_PAGE_BYTES);
    const ownersStart = roundDown(recordsStart - pages, LINE_BYTES);
    if (start + (pages + 1) * PageRecord.BYTES <= ownersStart) {
      return { pages, dataStart, tagsStart, recordsStart, ownersStart };
    }
  }
  return { pages: 0, dataStart: 0, tagsStart: 0, recordsStart: 0, ownersStart: 0 };
}

/**
 * The memory map of a heap of `bytes` bytes at byte `base` of its buffer.
 * @throws RangeError if slots and debug options leave no room for data
 */
export function computeGeometry(dimensions: Dimensions): Geometry {
  const { base, bytes, threads } = dimensions;
  const { contexts = defaultContexts(bytes), debug = DebugRecord.NONE } = dimensions;
  const whole = { base, bytes, threads, contexts, debug };
  const end = base + bytes;
  const chunkCount =
    contexts === 0 ? 0 : Math.max(2 * contexts, Math.floor(bytes / CHUNK_SHARE_BYTES));
  const depths = magazineSizesFor((bytes * CACHES_SHARE) / threads);
  const { places, tablesEnd } = placeTables(whole, chunkCount, depths);
  const tableStart = roundUp(tablesEnd, SYSTEM_PAGE_BYTES);
  const recorded = DebugRecord.isInstrumented(debug);
  const { pages, dataStart, tagsStart, recordsStart, ownersStart } = placePages(
    tableStart,
    end,
    recorded,
  );
  if (pages === 0 || pages > PageRecord.RUN_PAGES_MAX || threads > Registry.THREADS_MAX) {
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `cannot lay out a heap of ${bytes} bytes: ${threads} thread slots of ${Slot.BYTES + depths.words * WORD_BYTES} bytes` +
        `${otherParts(whole, tablesBytes(contexts, chunkCount))} leave no room for data; use a larger heap, or less of these`,
    );
  }
  const firstPage = (dataStart / PAGE_BYTES) as PageIndex;
  return {
    ...places,
    depths,
    base,
    bytes,
    end,
    threads,
    contextCount: contexts,
    chunkCount,
    stackStoreBytes: stackStoreBytes(bytes, debug),
    blockRecordsStart: recorded ? recordsStart : 0,
    blockRecords:
      recordsStart / 4 - (dataStart >>> BlockRecord.RECORD_SPAN_SHIFT) * BlockRecord.WORDS,
    pageTable: tableStart / 4 - firstPage * PageRecord.WORDS,
    ownersStart,
    tagsStart,
    dataStart,
    dataBytes: pages * PAGE_BYTES,
    firstPage,
    endPage: (firstPage + pages) as PageIndex,
  };
}

/** True for a whole number of bytes that lies in the data region. */
export const isDataAddress = ({ dataStart, end }: Geometry, address: unknown): address is number =>
  typeof address === 'number' && Number.isInteger(address) && address >= dataStart && address < end;

/** A word that is always 0: in the null page (I4). */
export const nowhereWord = ({ base }: Geometry): WordIndex => (base / WORD_BYTES + 1) as WordIndex;

/** The place of a slot's part of the magazine region. */
export const magazinesOfSlot = (
  { slots, magazines, depths }: Geometry,
  slot: WordIndex,
): WordIndex => (magazines + ((slot - slots) / Slot.WORDS) * depths.words) as WordIndex;

/** The page that an address lies in. */
export const pageOf = (address: number): PageIndex => (address >>> PAGE_SHIFT) as PageIndex;

// Checks that the smallest heap has room for data.
computeGeometry({ base: 0, bytes: HEAP_BYTES_MIN, threads: 1 });
