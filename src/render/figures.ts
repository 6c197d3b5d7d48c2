/**
 * Figures: the totals of a map, as the pictures show them.
 *
 * Used by all pictures. Pure arithmetic on a map.
 *
 * I1  mapped = live + cached + free blocks + tails + reserved; footprint = mapped + free runs.
 */

import { type HeapMap, isSpan, type MapRun, type ZoneTotals } from '../inspect/index.js';
import { formatBytes, formatCount } from '../stats/index.js';
import { type Color, zoneOfRun } from './palette.js';

/** A size class that has spans, or all large blocks together. */
export interface ClassFigures {
  readonly zone: 'tiny' | 'small' | 'large';
  /** 0 for large blocks. */
  readonly sizeClass: number;
  /** For large blocks the mean. */
  readonly blockBytes: number;
  /** For large blocks the number of runs. */
  spans: number;
  live: number;
  cached: number;
  free: number;
  liveBytes: number;
  /** Live bytes that are chunks of contexts. */
  contextBytes: number;
  cachedBytes: number;
  freeBytes: number;
  tailBytes: number;
  /** All bytes of its spans or runs. */
  bytes: number;
}

export interface Figures {
  readonly heapBytes: number;
  readonly metadataBytes: number;
  readonly untouchedBytes: number;
  /** Data pages ever taken from the reserve. */
  readonly footprintBytes: number;
  /** Pages in spans and large blocks. */
  readonly mappedBytes: number;
  readonly liveBytes: number;
  /** Live bytes without chunks of contexts. */
  readonly liveByZone: Readonly<Record<'tiny' | 'small' | 'large', number>>;
  /** Chunks of contexts, which are live too. */
  readonly contextBlocks: number;
  readonly contextBytes: number;
  /** Blocks of vectors: live, and included in liveByZone. */
  readonly vectorBlocks: number;
  readonly vectorBytes: number;
  readonly liveBlocks: number;
  readonly cachedBytes: number;
  readonly freeBlockBytes: number;
  readonly tailBytes: number;
  readonly reservedBytes: number;
  readonly freeRuns: number;
  readonly freeRunBytes: number;
  readonly largestFreeRunBytes: number;
  /** External fragmentation: the part of all free-run bytes outside the largest free run. */
  readonly scattered: number;
  /** By block size, large blocks last. */
  readonly classes: readonly ClassFigures[];
}

export function figuresOf(map: HeapMap): Figures {
  const { tiny, small, large, free, untouched, reserved, metadata } = map.zones;
  const over = (of: (totals: ZoneTotals) => number) => of(tiny) + of(small) + of(large);
  const freeRunBytes = free.bytes;
  const largestFreeRunBytes = map.runs.reduce(
    (most, run) => (run.zone === 'free' ? Math.max(most, run.bytes) : most),
    0,
  );
  const mappedBytes = over((zone) => zone.bytes) + reserved.bytes;
  return {
    heapBytes: map.end - map.base,
    metadataBytes: metadata.bytes,
    untouchedBytes: untouched.bytes,
    footprintBytes: mappedBytes + freeRunBytes,
    mappedBytes,
    liveBytes: over((zone) => zone.liveBytes),
    liveByZone: {
      tiny: tiny.liveBytes - tiny.contextBytes,
      small: small.liveBytes - small.contextBytes,
      large: large.liveBytes - large.contextBytes,
    },
    contextBlocks: over((zone) => zone.contextBlocks),
    contextBytes: over((zone) => zone.contextBytes),
    vectorBlocks: over((zone) => zone.vectorBlocks),
    vectorBytes: over((zone) => zone.vectorBytes),
    liveBlocks: over((zone) => zone.liveBlocks),
    cachedBytes: over((zone) => zone.cachedBytes),
    freeBlockBytes: over((zone) => zone.freeBlockBytes),
    tailBytes: over((zone) => zone.tailBytes),
    reservedBytes: reserved.bytes,
    freeRuns: free.runs,
    freeRunBytes,
    largestFreeRunBytes,
    scattered: freeRunBytes === 0 ? 0 : 1 - largestFreeRunBytes / freeRunBytes,
    classes: classesOf(map),
  };
}

function classesOf(map: HeapMap): ClassFigures[] {
  const byClass = new Map<number, ClassFigures>();
  for (const run of map.runs) {
    if (!isSpan(run)) continue;
    const { zone, sizeClass, blockBytes } = run;
    const figures = byClass.get(sizeClass) ?? { ...NOTHING, zone, sizeClass, blockBytes };
    byClass.set(sizeClass, figures);
    figures.spans++;
    figures.live += run.live;
    figures.cached += run.cached;
    figures.free += run.free;
    figures.liveBytes += run.live * blockBytes;
    figures.contextBytes += run.contexts * blockBytes;
    figures.cachedBytes += run.cached * blockBytes;
    figures.freeBytes += run.free * blockBytes;
    figures.tailBytes += run.tailBytes;
    figures.bytes += run.bytes;
  }
  const classes = [...byClass.values()].sort((a, b) => a.blockBytes - b.blockBytes);
  const { bytes, runs, contextBytes } = map.zones.large;
  if (runs === 0) return classes;
  const whole = { spans: runs, live: runs, liveBytes: bytes, contextBytes, bytes };
  const blockBytes = bytes / runs;
  return [...classes, { ...NOTHING, zone: 'large', sizeClass: 0, blockBytes, ...whole }];
}

const NOTHING = {
  spans: 0,
  live: 0,
  cached: 0,
  free: 0,
  liveBytes: 0,
  contextBytes: 0,
  cachedBytes: 0,
  freeBytes: 0,
  tailBytes: 0,
  bytes: 0,
};

/** A figure about the state of the heap. */
export interface Headline {
  /** Percent, or a dash if the whole is 0. */
  readonly value: string;
  /** The bytes of the percentage. */
  readonly bytes: string;
  readonly meaning: string;
}

export function headlines(f: Figures): Headline[] {
  const figures: [part: number, whole: number, meaning: string][] = [
    [f.liveBytes, f.mappedBytes, 'of mapped bytes are in live blocks'],
    [f.cachedBytes, f.mappedBytes, 'of mapped bytes wait in caches'],
    [f.freeBlockBytes + f.tailBytes, f.mappedBytes, 'of mapped bytes are free, or tails, in spans'],
    [f.freeRunBytes, f.footprintBytes, 'of the footprint is in free runs'],
    [
      f.freeRunBytes - f.largestFreeRunBytes,
      f.freeRunBytes,
      'of free-run bytes not in the largest (external fragmentation)',
    ],
  ];
  return figures.map(([part, whole, meaning]) => ({
    value: percent(part, whole),
    bytes: formatBytes(part),
    meaning,
  }));
}

/**
 * How full the spans of a zone are between two addresses, as text: `all blocks live`, `99 % of
 * blocks live`; empty for a zone without spans.
 */
export function fullness({ runs }: HeapMap, zone: Color['zone'], from: number, to: number): string {
  let [live, blocks] = [0, 0];
  for (let i = firstRunAt(runs, from); i < runs.length && runs[i].address < to; i++) {
    const run = runs[i];
    if (!isSpan(run) || zoneOfRun(run) !== zone) continue;
    live += run.live;
    blocks += run.blocks;
  }
  if (blocks === 0) return '';
  if (live === 0) return 'no block live';
  if (live === blocks) return 'all blocks live';
  const part = (100 * live) / blocks;
  const words = part < 1 ? 'under 1' : part > 99 ? 'over 99' : String(Math.round(part));
  return `${words} % of blocks live`;
}

/** Index of the run that contains an address; 0 if there is none. */
function firstRunAt(runs: readonly MapRun[], address: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle].address <= address) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** Bytes at which the bars of size classes begin: less than the smallest span. */
export const BAR_BYTES_MIN = 4096;

/**
 * Length of the bar of some bytes, if a bar of `most` bytes has length 1. Logarithmic, since a heap
 * may have a class of 8 KiB beside one of 100 MiB.
 */
export function barLength(bytes: number, most: number): number {
  const bits = (of: number) => Math.log2(Math.max(of, BAR_BYTES_MIN) / BAR_BYTES_MIN);
  return bits(bytes) / bits(most);
}

/** `83.1 %`; a dash if the whole is 0. */
export const percent = (part: number, whole: number): string =>
  whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;

/** `1 run`, `2 runs`. */
export const many = (count: number, one: string): string =>
  `${formatCount(count)} ${one}${count === 1 ? '' : 's'}`;
