/**
 * Geometry: where each structure of a heap begins. The memory map, as numbers.
 *
 * Used once per attach, by everything above. Pure arithmetic from (base, bytes, threads), so that
 * every thread computes the same map from the header. The drawing is in src/README.md.
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
  WORD_SHIFT,
  type WordIndex,
} from '../base/index.js';
import { baselineBytes } from './baseline.js';
import { CLASS_TABLE_BYTES } from './class-record.js';
import { HEADER_BYTES } from './header.js';
import { LOCK_TABLE_BYTES } from './lock-table.js';
import { PAGE_HEAP_BYTES } from './page-heap-record.js';
import { PAGE_RECORD_BYTES, PAGE_RECORD_WORDS, RUN_PAGES_MAX } from './page-record.js';
import { registryBytes, THREADS_MAX } from './registry.js';
import { SLOT_BYTES } from './slot.js';

/** The smallest heap that can be made. */
export const HEAP_BYTES_MIN = 2 * MIB;
/** The largest heap that can be made: every address and the heap's end fit 32 bits. */
export const HEAP_BYTES_MAX = 4 * GIB - 64 * KIB;
export const THREADS_DEFAULT = 64;

/** Slots take at most this part of a heap whose thread count was not asked for. */
const SLOTS_SHARE = 1 / 8;
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
  readonly registry: WordIndex;
  readonly pageHeap: WordIndex;
  readonly locks: WordIndex;
  readonly classes: WordIndex;
  readonly baseline: WordIndex;
  readonly slots: WordIndex;
  /** Where page 0's record would stand. May lie before the table, and below zero. */
  readonly pageTable: number;
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
  const fit = Math.floor((bytes * SLOTS_SHARE) / SLOT_BYTES);
  return Math.max(1, Math.min(THREADS_DEFAULT, fit));
}

/** Where the header stands, for who has only the heap's base. */
export const headerWord = (base: number): WordIndex =>
  ((base + PAGE_BYTES) >>> WORD_SHIFT) as WordIndex;

/**
 * The memory map of a heap of `bytes` bytes at byte `base` of its buffer.
 * @throws RangeError when so many thread slots leave no room for data
 */
export function computeGeometry(base: number, bytes: number, threads: number): Geometry {
  const end = base + bytes;
  let cursor = base + PAGE_BYTES;
  const place = (length: number, alignment: number): WordIndex => {
    cursor = roundUp(cursor, alignment);
    const word = (cursor / 4) as WordIndex;
    cursor += length;
    return word;
  };
  const header = place(HEADER_BYTES, LINE_BYTES);
  const registry = place(registryBytes(threads), LINE_BYTES);
  const pageHeap = place(PAGE_HEAP_BYTES, LINE_BYTES);
  const locks = place(LOCK_TABLE_BYTES, LINE_BYTES);
  const classes = place(CLASS_TABLE_BYTES, LINE_BYTES);
  const baseline = place(baselineBytes(threads), LINE_BYTES);
  const slots = place(threads * SLOT_BYTES, LINE_BYTES);
  const tableStart = roundUp(cursor, SYSTEM_PAGE_BYTES);

  // Each data page costs itself, a record and its tags; one record more stands at the end.
  const tagBytes = PAGE_BYTES >>> GRANULE_SHIFT;
  let pages = Math.floor((end - tableStart) / (PAGE_BYTES + PAGE_RECORD_BYTES + tagBytes));
  let dataStart = 0;
  let tagsStart = 0;
  for (; pages > 0; pages--) {
    dataStart = end - pages * PAGE_BYTES;
    tagsStart = roundDown(dataStart - pages * tagBytes, SYSTEM_PAGE_BYTES);
    if (tableStart + (pages + 1) * PAGE_RECORD_BYTES <= tagsStart) break;
  }
  if (pages <= 0 || pages > RUN_PAGES_MAX || threads > THREADS_MAX) {
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `cannot lay out a heap of ${bytes} bytes with ${threads} thread slots: ` +
        `${threads} slots of ${SLOT_BYTES} bytes leave no room for data`,
    );
  }
  const firstPage = (dataStart / PAGE_BYTES) as PageIndex;
  return {
    base,
    bytes,
    end,
    threads,
    header,
    registry,
    pageHeap,
    locks,
    classes,
    baseline,
    slots,
    pageTable: tableStart / 4 - firstPage * PAGE_RECORD_WORDS,
    tagsStart,
    dataStart,
    dataBytes: pages * PAGE_BYTES,
    firstPage,
    endPage: (firstPage + pages) as PageIndex,
  };
}

/** The page that an address lies in. */
export const pageOf = (address: number): PageIndex => (address >>> PAGE_SHIFT) as PageIndex;

// The smallest heap must have room for data.
computeGeometry(0, HEAP_BYTES_MIN, 1);
