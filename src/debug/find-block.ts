/**
 * Finds the block that contains an address. It also finds a freed block, as long as its place was
 * not reused.
 *
 * Used by explain-address.ts and debug-inspector.ts. Any thread; takes the page lock for the walk
 * over the runs.
 */

import { type Address, NULL } from '../base/index.js';
import type { ThreadHeap } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { isDataAddress } from '../layout/index.js';
import type { Records } from './records.js';

/** The start of the block around an address, red zones included; 0 if there never was one. */
export type FindBlock = (address: unknown) => Address;

export function createFindBlock({ memory, inspect }: ThreadHeap, records: Records): FindBlock {
  const { i32, geometry } = memory;

  return (address) => {
    if (!isDataAddress(geometry, address)) return NULL;
    const known = records.find(address);
    if (known !== 0) return known;
    const place = inspect(address);
    // Free pages may be those of a freed large block.
    if (place.is !== 'block') return records.findGone(address);
    if (place.owned) return NULL;
    return BlockRecord.isStateOf(
      BlockRecord.getState(i32, records.recordOf(place.start)),
      place.start,
    )
      ? place.start
      : NULL;
  };
}
