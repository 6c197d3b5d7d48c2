/**
 * The map of a heap: its names and units. Filled in by map.ts.
 *
 * Plain data: it can be printed, compared, and posted to another thread.
 */

import type { Region } from '../layout/index.js';

/**
 * What a run of pages is used for. `tiny`: span of blocks up to 512 bytes; `small`: span of larger
 * blocks, up to 64 KiB; `large`: one block; `free`: given back, to be used again; `untouched`: the
 * reserve, never used; `reserved`: on its way between a thread and the page heap, for a moment.
 */
export type RunZone = 'tiny' | 'small' | 'large' | 'free' | 'untouched' | 'reserved';

/** A named part of the metadata: its first byte in the buffer, and its length in bytes. */
export type MapRegion = Region;

/** A run that is not a span. */
export interface MapPlainRun {
  zone: 'large' | 'free' | 'untouched' | 'reserved';
  /** Its first byte in the buffer. */
  address: number;
  bytes: number;
  /** Kind of the owner of a large block that the program did not allocate. */
  owned?: 'context' | 'vector';
}

/** A run cut into blocks of one size: live + cached + free = blocks. */
export interface MapSpan {
  zone: 'tiny' | 'small';
  /** Its first byte in the buffer. */
  address: number;
  bytes: number;
  /** Number of the size class, from 1. */
  sizeClass: number;
  blockBytes: number;
  blocks: number;
  /** Blocks in use. */
  live: number;
  /** Live blocks that are chunks of memory contexts, and those that belong to vectors. */
  contexts: number;
  vectors: number;
  /** Blocks in threads' caches. */
  cached: number;
  /** Free blocks in the span. */
  free: number;
  /** Bytes at the end of the span, too short for a block. */
  tailBytes: number;
}

export type MapRun = MapPlainRun | MapSpan;

/** Totals of a zone. Bytes are of whole runs; only tiny, small and large have blocks. */
export interface ZoneTotals {
  bytes: number;
  /** Number of runs; for metadata, of regions. */
  runs: number;
  liveBlocks: number;
  liveBytes: number;
  /** Live blocks that are chunks of memory contexts, and those that belong to vectors. */
  contextBlocks: number;
  contextBytes: number;
  vectorBlocks: number;
  vectorBytes: number;
  cachedBlocks: number;
  cachedBytes: number;
  freeBlocks: number;
  freeBlockBytes: number;
  tailBytes: number;
}

/** Where everything is in a heap. Addresses are byte offsets in the buffer. */
export interface HeapMap {
  /** First byte of the heap. */
  base: number;
  /** First byte after it. */
  end: number;
  /** First byte after the metadata: where the first run begins. */
  dataStart: number;
  pageBytes: number;
  /** End of the pages taken from the bottom; the untouched reserve begins there. */
  brk: number;
  /** First of the pages taken from the top; the untouched reserve ends there. */
  mapFrontier: number;
  /** Regions from base to dataStart, without gaps. */
  metadata: MapRegion[];
  /** Runs from dataStart to end, without gaps. */
  runs: MapRun[];
  zones: Record<RunZone | 'metadata', ZoneTotals>;
}
