/** inspect: the map, listings, dumps and leaks of a heap, read while it runs. */
export type {
  HeapMap,
  MapPlainRun,
  MapRegion,
  MapRun,
  MapSpan,
  RunZone,
  ZoneTotals,
} from './heap-map.js';
export { type HexdumpOptions, hexRows, renderHexdump } from './hexdump.js';
export {
  findLeaks,
  type HeapUsage,
  type LeakedContext,
  type LeakGroup,
  type LeakLabel,
  type Leaks,
  readUsage,
  renderLeaks,
} from './leaks.js';
export { type ListingSource, writeLines, writeListing } from './listing.js';
export { isSpan, readMap } from './map.js';
