/**
 * The map: what every page of the heap is used for, and how full each span is.
 *
 * Called by api/, with the runs that were copied under the page lock. Any thread; takes no lock
 * itself and stops no thread.
 *
 * I1  Regions and runs tile the heap: they are of one moment.
 * I2  In every span live + cached + free = blocks, and contexts + vectors <= live. Bitmaps, caches,
 *     tags and chunks are read a moment later than the runs, while their owners may run: these
 *     counts are clamped to what the span can hold. When threads are quiet they are exact and sum
 *     up to the figures of stats().
 */

import {
  BLOCK_BYTES,
  countBits,
  GRANULE_SHIFT,
  List,
  OWNED,
  OWNED_LARGE,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SPAN_BLOCKS,
  SPAN_TAIL_BYTES,
} from '../base/index.js';
import * as BlockRecord from '../layout/block-record.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as Header from '../layout/header.js';
import {
  type Geometry,
  type HeapMemory,
  magazinesOf,
  metadataRegions,
  pageOf,
  type RunKind,
} from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as PageRecord from '../layout/page-record.js';
import * as Records from '../layout/record-table.js';
import * as Slot from '../layout/slot.js';
import type { HeapMap, MapPlainRun, MapRun, MapSpan, ZoneTotals } from './heap-map.js';
import { zoneOf } from './zones.js';

const BITMAP_WORD_BITS = 32;

const PLAIN_ZONES: Readonly<Record<RunKind, MapPlainRun['zone']>> = {
  [PageRecord.FREE_RUN]: 'free',
  [PageRecord.UNTOUCHED_RUN]: 'untouched',
  [PageRecord.RESERVED_RUN]: 'reserved',
  [PageRecord.LARGE_RUN]: 'large',
};

/** The map of a heap; `runs` has head pages and run words in turn, in order of address. */
export function readMap(memory: HeapMemory, runs: Int32Array): HeapMap {
  const { geometry } = memory;
  const counted = {
    cached: countCached(memory),
    chunks: countChunks(memory),
    // Without owned blocks, reading all tags would be half of the cost.
    owned: Header.hadOwned(memory.u32, geometry.header),
  };
  const list = new List<MapRun>();
  for (let i = 0; i < runs.length; i += 2) {
    list.push(readRun(memory, runs[i], runs[i + 1], counted));
  }
  const metadata = metadataRegions(geometry);
  const untouched = list.find((run) => run.zone === 'untouched');
  const brk = untouched?.address ?? readBrk(memory);
  return {
    base: geometry.base,
    end: geometry.end,
    dataStart: geometry.dataStart,
    pageBytes: PAGE_BYTES,
    brk,
    mapFrontier: brk + (untouched?.bytes ?? 0),
    metadata,
    runs: [...list],
    zones: sumUp(geometry, metadata.length, list),
  };
}

/**
 * End of the pages taken from the bottom; once the reserve is used up, bottom and top meet here.
 */
const readBrk = ({ i32, geometry }: HeapMemory): number =>
  PageHeapRecord.getBrk(i32, geometry.pageHeap) * PAGE_BYTES;

/** Counts by run. Both arrays are indexed by a run's first page, from the first data page. */
interface Counted {
  /** Blocks of a span in threads' caches. */
  readonly cached: Uint32Array;
  /** Chunks of contexts. */
  readonly chunks: Uint32Array;
  /** Whether the heap ever had owned blocks. */
  readonly owned: boolean;
}

function readRun(memory: HeapMemory, head: number, word: number, counted: Counted): MapRun {
  const address = head * PAGE_BYTES;
  const bytes = PageRecord.pagesOf(word) * PAGE_BYTES;
  const kind = PageRecord.kindOf(word);
  const index = head - memory.geometry.firstPage;
  const chunks = counted.chunks[index];
  if (kind !== PageRecord.SPAN_RUN) {
    const plain: MapPlainRun = { zone: PLAIN_ZONES[kind], address, bytes };
    if (kind !== PageRecord.LARGE_RUN || BlockRecord.loadTag(memory.tags, address) !== OWNED_LARGE)
      return plain;
    return { ...plain, owned: chunks > 0 ? 'context' : 'vector' };
  }
  const sizeClass = PageRecord.ownerOf(word);
  const blocks = SPAN_BLOCKS[sizeClass];
  const free = Math.min(blocks, countFree(memory, head, blocks));
  const inCaches = Math.min(blocks - free, counted.cached[index]);
  const live = blocks - free - inCaches;
  const looked = counted.owned && live > 0;
  const owned = looked ? Math.min(live, countOwned(memory, head, sizeClass)) : 0;
  const contexts = Math.min(owned, chunks);
  return {
    zone: zoneOf(BLOCK_BYTES[sizeClass]) as MapSpan['zone'],
    address,
    bytes,
    sizeClass,
    blockBytes: BLOCK_BYTES[sizeClass],
    blocks,
    live,
    contexts,
    vectors: owned - contexts,
    cached: inCaches,
    free,
    tailBytes: SPAN_TAIL_BYTES[sizeClass],
  };
}

/** Free blocks of a span, from its bitmap. */
function countFree({ i32, geometry }: HeapMemory, head: number, blocks: number): number {
  const record = PageRecord.at(geometry.pageTable, head);
  let free = 0;
  for (let n = 0; n * BITMAP_WORD_BITS < blocks; n++)
    free += countBits(PageRecord.getBitmap(i32, record, n));
  return free;
}

/** Owned blocks of a span, from their tags. */
function countOwned({ tags }: HeapMemory, head: number, sizeClass: number): number {
  const step = BLOCK_BYTES[sizeClass] >>> GRANULE_SHIFT;
  const first = (head * PAGE_BYTES) >>> GRANULE_SHIFT;
  const end = first + SPAN_BLOCKS[sizeClass] * step;
  let owned = 0;
  for (let tag = first; tag < end; tag += step) if (tags[tag] === OWNED) owned++;
  return owned;
}

/** Chunks of contexts in every run, indexed by its first page, from the first data page. */
function countChunks({ i32, u32, tags, geometry }: HeapMemory): Uint32Array {
  const { firstPage, endPage } = geometry;
  const counted = new Uint32Array(endPage - firstPage);
  const table = ChunkRecord.chunkTable(geometry);
  const frontier = Records.last(i32, table);
  for (let index = 1; index <= frontier; index++) {
    const record = Records.at(table, index);
    const address = ChunkRecord.getAddress(u32, record);
    const page = pageOf(address);
    if (Records.load(i32, record) === 0 || page < firstPage || page >= endPage) continue;
    // A large block is a run of its own: the page record may still name an earlier span.
    const isLarge = BlockRecord.loadTag(tags, address) === OWNED_LARGE;
    const head = isLarge
      ? page
      : PageRecord.getSpanHead(i32, PageRecord.at(geometry.pageTable, page));
    if (head >= firstPage && head <= page) counted[head - firstPage]++;
  }
  return counted;
}

/** Cached blocks of every span, indexed by its head page, from the first data page. */
function countCached({ i32, u32, geometry }: HeapMemory): Uint32Array {
  const { firstPage, endPage } = geometry;
  const cached = new Uint32Array(endPage - firstPage);
  for (const slot of Slot.usedRecords(u32, geometry.slots, geometry.threads)) {
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      for (const magazine of magazinesOf(c))
        countMagazine(
          Slot.magazineBottom(u32, slot, magazine),
          Slot.magazineBlocks(u32, slot, magazine),
        );
    }
  }
  return cached;

  function countMagazine(bottom: number, blocks: number): void {
    for (let entry = bottom; entry < bottom + blocks; entry++) {
      // The owner may have moved the magazine during the reading: the word may be of any kind.
      const page = pageOf(u32[entry]);
      if (page < firstPage || page >= endPage) continue;
      const head = PageRecord.getSpanHead(i32, PageRecord.at(geometry.pageTable, page));
      if (head >= firstPage && head <= page) cached[head - firstPage]++;
    }
  }
}

function sumUp(geometry: Geometry, regions: number, runs: readonly MapRun[]): HeapMap['zones'] {
  const zones: HeapMap['zones'] = {
    metadata: { ...noTotals(), bytes: geometry.dataStart - geometry.base, runs: regions },
    tiny: noTotals(),
    small: noTotals(),
    large: noTotals(),
    free: noTotals(),
    untouched: noTotals(),
    reserved: noTotals(),
  };
  for (const run of runs) {
    const totals = zones[run.zone];
    totals.bytes += run.bytes;
    totals.runs++;
    if (isSpan(run)) addSpan(totals, run);
    if (run.zone === 'large') {
      totals.liveBlocks++;
      totals.liveBytes += run.bytes;
      if (run.owned === 'context') addContexts(totals, 1, run.bytes);
      if (run.owned === 'vector') addVectors(totals, 1, run.bytes);
    }
  }
  return zones;
}

function addSpan(totals: ZoneTotals, span: MapSpan): void {
  totals.liveBlocks += span.live;
  totals.liveBytes += span.live * span.blockBytes;
  addContexts(totals, span.contexts, span.blockBytes);
  addVectors(totals, span.vectors, span.blockBytes);
  totals.cachedBlocks += span.cached;
  totals.cachedBytes += span.cached * span.blockBytes;
  totals.freeBlocks += span.free;
  totals.freeBlockBytes += span.free * span.blockBytes;
  totals.tailBytes += span.tailBytes;
}

function addContexts(totals: ZoneTotals, blocks: number, blockBytes: number): void {
  totals.contextBlocks += blocks;
  totals.contextBytes += blocks * blockBytes;
}

function addVectors(totals: ZoneTotals, blocks: number, blockBytes: number): void {
  totals.vectorBlocks += blocks;
  totals.vectorBytes += blocks * blockBytes;
}

const noTotals = (): ZoneTotals => ({
  bytes: 0,
  runs: 0,
  liveBlocks: 0,
  liveBytes: 0,
  contextBlocks: 0,
  contextBytes: 0,
  vectorBlocks: 0,
  vectorBytes: 0,
  cachedBlocks: 0,
  cachedBytes: 0,
  freeBlocks: 0,
  freeBlockBytes: 0,
  tailBytes: 0,
});

/** True if the run is cut into blocks. */
export const isSpan = (run: MapRun): run is MapSpan => run.zone === 'tiny' || run.zone === 'small';
