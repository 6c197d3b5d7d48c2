/**
 * Geometry: where each structure of a heap begins. The memory map, as numbers.
 *
 * Used once per attach, by everything above. Pure arithmetic from (base, bytes, threads, contexts,
 * debug options), so that every thread computes the same map from the header. The drawing is in
 * src/README.md.
 *
 * I1  Structures follow each other without overlap; the data region ends where the heap ends.
 * I2  Locks, slots, records begin on a cache line; tags and page table on a 4 KiB system page, so
 *     that a small heap touches few of them.
 * I3  Tag and page record of any data page are found from its absolute number, with no subtraction:
 *     `tags[address >>> 4]`, `pageTable + page * PAGE_RECORD_WORDS`. (The tag view begins before
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
import { baselineBytes } from './baseline.js';
import { BLOCK_RECORD_BYTES, BLOCK_RECORD_WORDS, RECORD_SPAN_SHIFT } from './block-record.js';
import { CHUNK_RECORD_WORDS } from './chunk-record.js';
import { CLASS_TABLE_BYTES } from './class-record.js';
import { CONTEXT_RECORD_WORDS } from './context-record.js';
import {
  DEBUG_RECORD_BYTES,
  type DebugSettings,
  isInstrumented,
  NO_DEBUG,
} from './debug-record.js';
import { ringBytes } from './event-ring.js';
import { HEADER_BYTES } from './header.js';
import { LOCK_TABLE_BYTES } from './lock-table.js';
import { MAGAZINE_BYTES_MIN, type MagazineSizes, magazineSizesFor } from './magazine-sizes.js';
import { namesBytes } from './names.js';
import { PAGE_HEAP_BYTES } from './page-heap-record.js';
import { PAGE_RECORD_BYTES, PAGE_RECORD_WORDS, RUN_PAGES_MAX } from './page-record.js';
import { tableWords } from './record-table.js';
import { registryBytes, THREADS_MAX } from './registry.js';
import { SLOT_BYTES, SLOT_WORDS } from './slot.js';
import { TRACE_BUFFER_BYTES } from './trace-buffer.js';

/** The smallest heap that can be made. */
export const HEAP_BYTES_MIN = 2 * MIB;
/** The most bytes that a heap can be asked for. */
export const HEAP_BYTES_MAX = 4 * GIB;
/**
 * The end of a heap, at most: of the last 64 KiB below 4 GiB no use is made. The address behind the
 * last block is a limit that contexts keep in 32 bits, and programs compute with `(p + n) >>> 2`.
 */
export const HEAP_END_MAX = HEAP_BYTES_MAX - 64 * KIB;
export const THREADS_DEFAULT = 64;

/** The most contexts that a heap can be made for. */
export const CONTEXTS_MAX = 2 ** 20;
/** Whose count was not asked for has one for so many bytes, but never less than these. */
const CONTEXT_SHARE_BYTES = 64 * KIB;
const CONTEXTS_MIN = 64;
/** A chunk for so many bytes, and two for each context at least. */
const CHUNK_SHARE_BYTES = 8 * KIB;

/** Slots take at most this part of a heap whose thread count was not asked for. */
const SLOTS_SHARE = 1 / 8;
/** Magazines are as deep as fits into this part of the heap. */
const CACHES_SHARE = 1 / 32;
/** The stack store takes this part of a heap that has one, within these limits. */
const MAGAZINES_SHARE = 1 / 64;
const MAGAZINES_BYTES_MIN = 64 * KIB;
const MAGAZINES_BYTES_MAX = 16 * MIB;
/** The granularity with which systems commit memory. */
const SYSTEM_PAGE_BYTES = 4 * KIB;

/** Where everything is. Words index the buffer's 32-bit views, pages count from its start. */
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
  /** The magazine region, and how large the magazines in it are. */
  readonly magazines: WordIndex;
  readonly depths: MagazineSizes;
  /** Table of the context records, and how many contexts there can be; 0 = none. */
  readonly contexts: WordIndex;
  readonly contextCount: number;
  /** Table of the chunk records. */
  readonly chunks: WordIndex;
  readonly chunkCount: number;
  // What only heaps with debug options have: 0 = this one has none.
  readonly eventRings: WordIndex;
  readonly stackStore: WordIndex;
  readonly stackStoreBytes: number;
  readonly traceBuffers: WordIndex;
  /** Byte offset of the first block record. */
  readonly blockRecordsStart: number;
  /** Where the block record of address 0 would stand. May lie below zero. */
  readonly blockRecords: number;
  /** Where page 0's record would stand. May lie before the table, and below zero. */
  readonly pageTable: number;
  /** Byte offset of the first data page's owner. */
  readonly ownersStart: number;
  /** Byte offset of the first tag. */
  readonly tagsStart: number;
  /** Address of the first data page. */
  readonly dataStart: number;
  readonly dataBytes: number;
  readonly firstPage: PageIndex;
  /** The page after the last one. It has a record too, which no run ever begins at. */
  readonly endPage: PageIndex;
}

/** How many slots a heap of this length gets when nobody says how many. */
export function defaultThreads(bytes: number): number {
  const fit = Math.floor((bytes * SLOTS_SHARE) / (SLOT_BYTES + MAGAZINE_BYTES_MIN));
  return Math.max(1, Math.min(THREADS_DEFAULT, fit));
}

/** How many contexts a heap of this length is made for when nobody says how many. */
export const defaultContexts = (bytes: number): number =>
  Math.max(CONTEXTS_MIN, Math.floor(bytes / CONTEXT_SHARE_BYTES));

/** Where the header stands, for who has only the heap's base. */
export const headerWord = (base: number): WordIndex =>
  ((base + PAGE_BYTES) >>> WORD_SHIFT) as WordIndex;

/** How long the stack store of a heap is; 0 = it has none. */
function stackStoreBytes(bytes: number, { stackDepth }: DebugSettings): number {
  if (stackDepth === 0) return 0;
  const share = roundUp(bytes * MAGAZINES_SHARE, LINE_BYTES);
  return Math.min(MAGAZINES_BYTES_MAX, Math.max(MAGAZINES_BYTES_MIN, share));
}

/** What options take of a heap, for an error message. */
function otherParts(
  threads: number,
  tablesBytes: number,
  debug: DebugSettings,
  stacks: number,
): string {
  const { historyEvents, tracePath } = debug;
  const parts = [
    tablesBytes > 0 && `contexts (${tablesBytes} bytes)`,
    historyEvents > 0 &&
      `history of ${historyEvents} events for each (${threads * ringBytes(historyEvents)} bytes)`,
    stacks > 0 && `call stacks (${stacks} bytes)`,
    tracePath !== '' && `trace buffers (${threads * TRACE_BUFFER_BYTES} bytes)`,
  ].filter(Boolean);
  return parts.length === 0 ? '' : `, with ${parts.join(', ')},`;
}

/** How many data pages fit from `start` on, and where what grows with them stands. */
function placePages(start: number, end: number, recorded: boolean) {
  // Each data page costs itself, a record, its owner, its tags and its blocks' records; one page record
  // more stands at the end.
  const tagBytes = PAGE_BYTES >>> GRANULE_SHIFT;
  const recordBytes = recorded ? (PAGE_BYTES >>> RECORD_SPAN_SHIFT) * BLOCK_RECORD_BYTES : 0;
  const pageBytes = PAGE_BYTES + PAGE_RECORD_BYTES + 1 + tagBytes + recordBytes;
  for (let pages = Math.floor((end - start) / pageBytes); pages > 0; pages--) {
    const dataStart = end - pages * PAGE_BYTES;
    const tagsStart = roundDown(dataStart - pages * tagBytes, SYSTEM_PAGE_BYTES);
    const recordsStart = roundDown(tagsStart - pages * recordBytes, SYSTEM_PAGE_BYTES);
    const ownersStart = roundDown(recordsStart - pages, LINE_BYTES);
    if (start + (pages + 1) * PAGE_RECORD_BYTES <= ownersStart) {
      return { pages, dataStart, tagsStart, recordsStart, ownersStart };
    }
  }
  return { pages: 0, dataStart: 0, tagsStart: 0, recordsStart: 0, ownersStart: 0 };
}

/**
 * The memory map of a heap of `bytes` bytes at byte `base` of its buffer.
 * @throws RangeError when slots and debug options leave no room for data
 */
export function computeGeometry(
  base: number,
  bytes: number,
  threads: number,
  debug: DebugSettings = NO_DEBUG,
  contextCount = defaultContexts(bytes),
): Geometry {
  const end = base + bytes;
  const chunkCount =
    contextCount === 0 ? 0 : Math.max(2 * contextCount, Math.floor(bytes / CHUNK_SHARE_BYTES));
  const contextBytes = tableWords(contextCount, CONTEXT_RECORD_WORDS) * WORD_BYTES;
  const chunkBytes = tableWords(chunkCount, CHUNK_RECORD_WORDS) * WORD_BYTES;
  let cursor = base + PAGE_BYTES;
  const place = (length: number): WordIndex => {
    const word = (roundUp(cursor, LINE_BYTES) / 4) as WordIndex;
    cursor = word * 4 + length;
    return word;
  };
  const placeIf = (there: boolean, length: number): WordIndex =>
    there ? place(length) : (0 as WordIndex);
  const { historyEvents, tracePath } = debug;
  const depths = magazineSizesFor((bytes * CACHES_SHARE) / threads);
  const stacks = stackStoreBytes(bytes, debug);
  const placed = {
    // These two stand where a heap of any kind has them.
    header: place(HEADER_BYTES),
    debug: place(DEBUG_RECORD_BYTES),
    registry: place(registryBytes(threads)),
    names: place(namesBytes(threads)),
    pageHeap: place(PAGE_HEAP_BYTES),
    locks: place(LOCK_TABLE_BYTES),
    classes: place(CLASS_TABLE_BYTES),
    baseline: place(baselineBytes(threads)),
    slots: place(threads * SLOT_BYTES),
    magazines: place(threads * depths.words * WORD_BYTES),
    contexts: place(contextBytes),
    chunks: place(chunkBytes),
    eventRings: placeIf(historyEvents > 0, threads * ringBytes(historyEvents)),
    stackStore: placeIf(stacks > 0, stacks),
    traceBuffers: placeIf(tracePath !== '', threads * TRACE_BUFFER_BYTES),
  };
  const tableStart = roundUp(cursor, SYSTEM_PAGE_BYTES);
  const recorded = isInstrumented(debug);
  const { pages, dataStart, tagsStart, recordsStart, ownersStart } = placePages(
    tableStart,
    end,
    recorded,
  );
  if (pages === 0 || pages > RUN_PAGES_MAX || threads > THREADS_MAX) {
    const others = otherParts(threads, contextBytes + chunkBytes, debug, stacks);
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `cannot lay out a heap of ${bytes} bytes: ${threads} thread slots of ${SLOT_BYTES + depths.words * WORD_BYTES} bytes` +
        `${others} leave no room for data; use a larger heap, or less of these`,
    );
  }
  const firstPage = (dataStart / PAGE_BYTES) as PageIndex;
  return {
    ...placed,
    depths,
    base,
    bytes,
    end,
    threads,
    contextCount,
    chunkCount,
    stackStoreBytes: stacks,
    blockRecordsStart: recorded ? recordsStart : 0,
    blockRecords: recordsStart / 4 - (dataStart >>> RECORD_SPAN_SHIFT) * BLOCK_RECORD_WORDS,
    pageTable: tableStart / 4 - firstPage * PAGE_RECORD_WORDS,
    ownersStart,
    tagsStart,
    dataStart,
    dataBytes: pages * PAGE_BYTES,
    firstPage,
    endPage: (firstPage + pages) as PageIndex,
  };
}

/** Is it a whole number of bytes that lies in the data region? */
export const isDataAddress = ({ dataStart, end }: Geometry, address: unknown): address is number =>
  typeof address === 'number' && Number.isInteger(address) && address >= dataStart && address < end;

/** A word that is 0 for ever: in the null page (I4). */
export const nowhereWord = ({ base }: Geometry): WordIndex => (base / WORD_BYTES + 1) as WordIndex;

/** Where a slot's part of the magazine region begins. */
export const magazinesOfSlot = (
  { slots, magazines, depths }: Geometry,
  slot: WordIndex,
): WordIndex => (magazines + ((slot - slots) / SLOT_WORDS) * depths.words) as WordIndex;

/** The page that an address lies in. */
export const pageOf = (address: number): PageIndex => (address >>> PAGE_SHIFT) as PageIndex;

// The smallest heap must have room for data.
computeGeometry(0, HEAP_BYTES_MIN, 1);
