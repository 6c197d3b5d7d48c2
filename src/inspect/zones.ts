/**
 * Zones: the division of blocks by size in the older systems that this heap goes back to.
 *
 * Used by the map and the listing.
 */

import { SMALL_BYTES_MAX } from '../base/index.js';

const TINY_BYTES_MAX = 512;

export type BlockZone = 'tiny' | 'small' | 'large';

/** The zone of a block of this many bytes. */
export function zoneOf(blockBytes: number): BlockZone {
  if (blockBytes <= TINY_BYTES_MAX) return 'tiny';
  return blockBytes <= SMALL_BYTES_MAX ? 'small' : 'large';
}
