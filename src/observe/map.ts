/**
 * The map: what every page of the heap is used for, and how full each span is.
 *
 * Called by face/, with the runs that heap/ has copied under the page lock. Any thread; takes no
 * lock itself and stops nobody.
 *
 * I1  Regions and runs tile the heap: they are those of one moment.
 * I2  In every span live + cached + free = blocks. Bitmaps and caches are read a moment later than
 *     the runs, while their owners may go on: what they say is cut to what a span can have. When
 *     threads are quiet it is exact, and sums up to what stats() says.
 */

import {
  BLOCK_BYTES,
  countBits,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SPAN_BLOCKS,
  SPAN_TAIL_BYTES,
} from '../base/index.js';
import {
  cachedBlocks,
  FREE_RUN,
  type Geometry,
  getBitmap,
  getBrk,
  getSpanHead,
  type HeapMemory,
  LARGE_RUN,
  metadataRegions,
  pageOf,
  pageRecord,
  RESERVED_RUN,
  type RunKind,
  runKind,
  runOwner,
  runPages,
  SPAN_RUN,
  stackBottom,
  UNTOUCHED_RUN,
  usedSlotRecords,
} from '../layout/index.js';
import type { HeapMap, MapPlainRun, MapRun, MapSpan, ZoneTotals } from './heap-map.js';
import { zoneOf } from './zones.js';

const BITMAP_WORD_BITS = 32;

const PLAIN_ZONES: Readonly<Record<RunKind, MapPlainRun['zone']>> = {
  [FREE_RUN]: 'free',
  [UNTOUCHED_RUN]: 'untouched',
  [RESERVED_RUN]: 'reserved',
  [LARGE_RUN]: 'large',
};

/** The map of a heap; `runs` are its head pages and run words, in turn, by address. */
export function readMap(memory: HeapMemory, runs: Int32Array): HeapMap {
  const { geometry } = memory;
  const cached = countCached(memory);
  const list: MapRun[] = [];
  for (let i = 0; i < runs.length; i += 2) list.push(readRun(memory, runs[i], runs[i + 1], cached));
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
    runs: list,
    zones: sumUp(geometry, metadata.length, list),
  };
}

/** Where bottom and top have met, once the reserve is used up. */
const readBrk = ({ i32, geometry }: HeapMemory): number =>
  getBrk(i32, geometry.pageHeap) * PAGE_BYTES;

function readRun(memory: HeapMemory, head: number, word: number, cached: Uint32Array): MapRun {
  const address = head * PAGE_BYTES;
  const bytes = runPages(word) * PAGE_BYTES;
  const kind = runKind(word);
  if (kind !== SPAN_RUN) return { zone: PLAIN_ZONES[kind], address, bytes };
  const sizeClass = runOwner(word);
  const blocks = SPAN_BLOCKS[sizeClass];
  const free = Math.min(blocks, countFree(memory, head, blocks));
  const inCaches = Math.min(blocks - free, cached[head - memory.geometry.firstPage]);
  return {
    zone: zoneOf(BLOCK_BYTES[sizeClass]) as MapSpan['zone'],
    address,
    bytes,
    sizeClass,
    blockBytes: BLOCK_BYTES[sizeClass],
    blocks,
    live: blocks - free - inCaches,
    cached: inCaches,
    free,
    tailBytes: SPAN_TAIL_BYTES[sizeClass],
  };
}

/** Free blocks of a span, by its bitmap. */
function countFree({ i32, geometry }: HeapMemory, head: number, blocks: number): number {
  const record = pageRecord(geometry.pageTable, head);
  let free = 0;
  for (let n = 0; n * BITMAP_WORD_BITS < blocks; n++) free += countBits(getBitmap(i32, record, n));
  return free;
}

/** Cached blocks of every span, by its head page, counted from the first data page. */
function countCached({ i32, u32, geometry }: HeapMemory): Uint32Array {
  const { firstPage, endPage } = geometry;
  const cached = new Uint32Array(endPage - firstPage);
  for (const slot of usedSlotRecords(u32, geometry.slots, geometry.threads)) {
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
      const bottom = stackBottom(slot, c);
      const top = bottom + cachedBlocks(u32, slot, c);
      for (let entry = bottom; entry < top; entry++) {
        // Its owner may have moved it away and back: then any word may stand here.
        const page = pageOf(u32[entry]);
        if (page < firstPage || page >= endPage) continue;
        const head = getSpanHead(i32, pageRecord(geometry.pageTable, page));
        if (head >= firstPage && head <= page) cached[head - firstPage]++;
      }
    }
  }
  return cached;
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
    }
  }
  return zones;
}

function addSpan(totals: ZoneTotals, span: MapSpan): void {
  totals.liveBlocks += span.live;
  totals.liveBytes += span.live * span.blockBytes;
  totals.cachedBlocks += span.cached;
  totals.cachedBytes += span.cached * span.blockBytes;
  totals.freeBlocks += span.free;
  totals.freeBlockBytes += span.free * span.blockBytes;
  totals.tailBytes += span.tailBytes;
}

const noTotals = (): ZoneTotals => ({
  bytes: 0,
  runs: 0,
  liveBlocks: 0,
  liveBytes: 0,
  cachedBlocks: 0,
  cachedBytes: 0,
  freeBlocks: 0,
  freeBlockBytes: 0,
  tailBytes: 0,
});

/** Is it cut into blocks? */
export const isSpan = (run: MapRun): run is MapSpan => run.zone === 'tiny' || run.zone === 'small';
