/**
 * Lists of blocks: the live blocks of a plain heap, a part at a time.
 *
 * Made by thread-heap.ts. Owner thread only; each call takes the page lock for one walk over the
 * runs, so that a long list does not block other threads all the time. Changes nothing.
 *
 * I1  A list ascends: a block that lives from before the first call to after the last one is in it
 *     once, whatever other threads do meanwhile.
 */

import {
  type Address,
  BLOCK_BYTES,
  blockIndex,
  GRANULE_SHIFT,
  isOwnedTag,
  LARGE,
  List,
  OWNED,
  OWNED_LARGE,
  PAGE_BYTES,
  roundDown,
  type SizeClass,
  SPAN_BLOCKS,
} from '../base/index.js';
import { type HeapMemory, isDataAddress, pageOf } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as PageRecord from '../layout/page-record.js';
import { findRunLocked, type HeapAccess, walkAsFar } from '../pages/index.js';
import { spanClass } from '../recovery/index.js';
import type { Block, BlockDetails, BlockInspector, BlockRegion } from './block-info.js';
import { createOwnerships } from './block-owner.js';
import { createDiagnose } from './explain-address.js';
import { inspect } from './locate.js';

/** @param look the access to shared structures */
export function createBlockInspector(
  memory: HeapMemory,
  look: <T>(work: (access: HeapAccess) => T) => T,
): BlockInspector {
  return {
    blocksFrom(address, max) {
      return look((access) => listBlocks(memory, access, address, max));
    },
    regionOf(address) {
      return regionOf(memory, address);
    },
    details(address, asked) {
      const found = look((access) =>
        isDataAddress(memory.geometry, address) ? detailsOf(address, access) : undefined,
      );
      if (found !== undefined) return found;
      throw look((access) => createDiagnose(memory, access)(asked, address));
    },
    historyOf: () => [],
  };

  function detailsOf(address: number, access: HeapAccess): BlockDetails | undefined {
    const place = inspect(memory, access, address);
    if (place.is !== 'block' || (place.start !== address && !place.owned)) return undefined;
    const { start, bytes, sizeClass, live, owned } = place;
    return {
      address: start,
      bytes,
      sizeClass,
      state: live ? 'live' : 'free',
      ...(owned && { ownership: createOwnerships(memory)(start), inside: address as Address }),
    };
  }
}

/** At most `max` live blocks from `from` on, by address. */
function listBlocks(memory: HeapMemory, access: HeapAccess, from: number, max: number): Block[] {
  const { tags } = memory;
  const blocks = new List<Block>();
  const owned = new List<Block>();
  const add = (address: number, bytes: number): void => {
    const tag = tags[address >>> GRANULE_SHIFT];
    if (tag === 0) return;
    const block: Block = { address: address as Address, bytes };
    blocks.push(block);
    if (isOwnedTag(tag)) owned.push(block);
  };
  access.acquire(LockTable.PAGE);
  walkAsFar(access, () => {
    findRunLocked(memory, (head, word) => {
      const start = head * PAGE_BYTES;
      if (start + PageRecord.pagesOf(word) * PAGE_BYTES <= from) return false;
      if (PageRecord.kindOf(word) === PageRecord.LARGE_RUN && start >= from)
        add(start, PageRecord.pagesOf(word) * PAGE_BYTES);
      if (PageRecord.kindOf(word) === PageRecord.SPAN_RUN) {
        const c = PageRecord.ownerOf(word) as SizeClass;
        for (let n = firstBlock(c, from - start); n < SPAN_BLOCKS[c] && blocks.length < max; n++) {
          add(start + n * BLOCK_BYTES[c], BLOCK_BYTES[c]);
        }
      }
      return blocks.length >= max;
    });
  });
  access.release(LockTable.PAGE);
  const whose = createOwnerships(memory);
  for (const block of owned) Object.assign(block, whose(block.address));
  return blocks;
}

/** The first block of a span that begins at this offset or after it. */
function firstBlock(sizeClass: SizeClass, offset: number): number {
  return offset <= 0 ? 0 : blockIndex(sizeClass, offset + BLOCK_BYTES[sizeClass] - 1);
}

/** The region of a live block. No lock: the span of a live block stays in place. */
function regionOf({ i32, tags, geometry }: HeapMemory, address: Address): BlockRegion {
  const tag = tags[address >>> GRANULE_SHIFT];
  if (tag === LARGE || tag === OWNED_LARGE || tag === 0) {
    return {
      start: roundDown(address, PAGE_BYTES) as Address,
      blockBytes: Number.POSITIVE_INFINITY,
    };
  }
  const head = PageRecord.getSpanHead(i32, PageRecord.at(geometry.pageTable, pageOf(address)));
  const c = tag === OWNED ? spanClass(i32, geometry, address) : tag;
  return { start: (head * PAGE_BYTES) as Address, blockBytes: BLOCK_BYTES[c] };
}
