/**
 * What a heap's map says: its names and units. Filled in by map.ts.
 *
 * Plain data: it can be printed, compared, and posted to another thread.
 */

import type { Region } from '../layout/index.js';

/**
 * What a run of pages is used for. `tiny`: spans of blocks up to 512 bytes; `small`: spans of larger
 * blocks, up to 64 KiB; `large`: one block; `free`: given back, to be used again; `untouched`: the
 * reserve, never used; `reserved`: on its way between a thread and the page heap, for a moment.
 */
export type RunZone = 'tiny' | 'small' | 'large' | 'free' | 'untouched' | 'reserved';

/** A part of the metadata that has a name: its first byte in the buffer, and its length. */
export type MapRegion = Region;

/** A run that is no span. */
export interface MapPlainRun {
  zone: 'large' | 'free' | 'untouched' | 'reserved';
  /** Its first byte in the buffer. */
  address: number;
  bytes: number;
  /** Of a large block that is no program's: whose. */
  owned?: 'context' | 'vector';
}

/** A run cut into blocks of one size: live + cached + free = blocks. */
export interface MapSpan {
  zone: 'tiny' | 'small';
  /** Its first byte in the buffer. */
  address: number;
  bytes: number;
  /** From 1. */
  sizeClass: number;
  blockBytes: number;
  blocks: number;
  /** In use. */
  live: number;
  /** Of these the chunks of memory contexts, and what vectors have. */
  contexts: number;
  vectors: number;
  /** In threads' caches. */
  cached: number;
  /** In the span. */
  free: number;
  /** At its end, too short for a block. */
  tailBytes: number;
}

export type MapRun = MapPlainRun | MapSpan;

/** What a zone comes to. Bytes are those of whole runs; blocks are only in tiny, small and large. */
export interface ZoneTotals {
  bytes: number;
  /** Runs; of metadata, its regions. */
  runs: number;
  liveBlocks: number;
  liveBytes: number;
  /** Of these the chunks of memory contexts, and what vectors have. */
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

/** Where everything in a heap is. Addresses are byte offsets in the buffer. */
export interface HeapMap {
  /** First byte of the heap. */
  base: number;
  /** First byte after it. */
  end: number;
  /** First byte after the metadata: where the first run begins. */
  dataStart: number;
  pageBytes: number;
  /** Where the pages end that were taken from the bottom: the untouched reserve begins there. */
  brk: number;
  /** Where the pages begin that were taken from the top: the untouched reserve ends there. */
  mapFrontier: number;
  /** From base to dataStart, without gaps. */
  metadata: MapRegion[];
  /** From dataStart to end, without gaps. */
  runs: MapRun[];
  zones: Record<RunZone | 'metadata', ZoneTotals>;
}
