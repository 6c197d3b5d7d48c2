/**
 * Locates an address of the data region: the block there, or the pages that hold no block.
 *
 * Used by explain-address.ts and, through thread-heap.ts, by the debug layer and hexdump. Any
 * thread; takes the page lock for the walk over the runs. Changes nothing.
 */

import {
  type Address,
  BLOCK_BYTES,
  blockIndex,
  GRANULE_SHIFT,
  isOwnedTag,
  LARGE,
  PAGE_BYTES,
  type SizeClass,
  SPAN_BLOCKS,
} from '../base/index.js';
import { type HeapMemory, pageOf } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageRecord from '../layout/page-record.js';
import { type HeapAccess, headOfLocked } from '../pages/index.js';

/** A block, as the allocator knows it. */
export interface BlockPlace {
  readonly is: 'block';
  /** The address at which the block begins. */
  readonly start: Address;
  readonly bytes: number;
  /** LARGE for a block that is a run of its own. */
  readonly sizeClass: SizeClass;
  /** True if it has a tag: allocated, and not freed. */
  readonly live: boolean;
  /** True if it belongs to an object of the heap, not to the program. */
  readonly owned: boolean;
}

/** Pages without a block at this address. */
export interface RunPlace {
  /** `span end`: the end of a span, too short for a block. */
  readonly is: 'span end' | 'free' | 'untouched' | 'reserved' | 'invalid';
  /** The address at which the run begins. */
  readonly start: Address;
  readonly bytes: number;
  /** The class of a span's end; else 0. */
  readonly sizeClass: SizeClass;
}

export type Place = BlockPlace | RunPlace;

/** Locates an address between the heap's dataStart and its end. */
export function inspect(memory: HeapMemory, access: HeapAccess, address: number): Place {
  const { i32, tags, geometry } = memory;
  const stateOf = (block: number): Pick<BlockPlace, 'live' | 'owned'> => {
    const tag = tags[block >>> GRANULE_SHIFT];
    return { live: tag !== 0, owned: isOwnedTag(tag) };
  };
  access.acquire(LockTable.PAGE);
  const head = headOfLocked(memory, pageOf(address));
  const word = PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, head));
  access.release(LockTable.PAGE);
  const start = (head * PAGE_BYTES) as Address;
  const bytes = PageRecord.pagesOf(word) * PAGE_BYTES;
  const kind = PageRecord.kindOf(word);
  if (kind === PageRecord.LARGE_RUN) {
    return { is: 'block', start, bytes, sizeClass: LARGE, ...stateOf(start) };
  }
  if (kind !== PageRecord.SPAN_RUN) {
    return {
      is: PageRecord.RUN_KIND_NAMES[kind] as RunPlace['is'],
      start,
      bytes,
      sizeClass: 0 as SizeClass,
    };
  }
  const sizeClass = PageRecord.ownerOf(word) as SizeClass;
  const index = blockIndex(sizeClass, address - start);
  if (index >= SPAN_BLOCKS[sizeClass]) return { is: 'span end', start, bytes, sizeClass };
  const block = (start + index * BLOCK_BYTES[sizeClass]) as Address;
  return {
    is: 'block',
    start: block,
    bytes: BLOCK_BYTES[sizeClass],
    sizeClass,
    ...stateOf(block),
  };
}
