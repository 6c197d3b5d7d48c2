/**
 * Regions: the parts of a heap's metadata, by name and place.
 *
 * Used by inspect/, for the map. Pure arithmetic from the geometry.
 *
 * I1  Regions cover everything below the data without gaps: each reaches to the beginning of the
 *     next one, so that padding belongs to the region before it.
 */

import { WORD_BYTES } from '../base/index.js';
import type { Geometry } from './geometry.js';

import * as PageRecord from './page-record.js';

/** A named part of the buffer. */
export interface Region {
  readonly name: string;
  /** Its first byte in the buffer. */
  readonly address: number;
  readonly bytes: number;
}

/** The only region that may begin at 0. */
const NULL_PAGE = 'null page';

/** The place of each region; 0 = the heap has no such region. The order does not matter. */
const STARTS: readonly (readonly [name: string, (g: Geometry) => number])[] = [
  [NULL_PAGE, (g) => g.base],
  ['header', (g) => g.header * WORD_BYTES],
  ['debug record', (g) => g.debug * WORD_BYTES],
  ['registry', (g) => g.registry * WORD_BYTES],
  ['names', (g) => g.names * WORD_BYTES],
  ['page heap', (g) => g.pageHeap * WORD_BYTES],
  ['locks', (g) => g.locks * WORD_BYTES],
  ['size classes', (g) => g.classes * WORD_BYTES],
  ['baseline', (g) => g.baseline * WORD_BYTES],
  ['thread slots', (g) => g.slots * WORD_BYTES],
  ['magazines', (g) => g.magazines * WORD_BYTES],
  ['contexts', (g) => g.contexts * WORD_BYTES],
  ['chunks', (g) => g.chunks * WORD_BYTES],
  ['event rings', (g) => g.eventRings * WORD_BYTES],
  ['stack store', (g) => g.stackStore * WORD_BYTES],
  ['trace buffers', (g) => g.traceBuffers * WORD_BYTES],
  ['page table', (g) => PageRecord.at(g.pageTable, g.firstPage) * WORD_BYTES],
  ['page owners', (g) => g.ownersStart],
  ['block records', (g) => g.blockRecordsStart],
  ['tags', (g) => g.tagsStart],
];

/** The metadata of a heap, from its base to its data, by address. */
export function metadataRegions(geometry: Geometry): Region[] {
  const starts = STARTS.map(([name, startOf]) => ({ name, address: startOf(geometry) }))
    .filter(({ name, address }) => address !== 0 || name === NULL_PAGE)
    .sort((a, b) => a.address - b.address);
  return starts.map(({ name, address }, i) => {
    const end = starts[i + 1]?.address ?? geometry.dataStart;
    return { name, address, bytes: end - address };
  });
}
