/**
 * Block records as the debug layer uses them: the block of a program's address, and the threads
 * that allocated and freed it.
 *
 * Used by the files of this folder. Any thread; no lock.
 *
 * A program's address is `front` bytes after its block's start: the red zone, or more if an
 * alignment needs it.
 */

import {
  type Address,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  isOwnedTag,
  NULL,
  roundUp,
  type WordIndex,
} from '../base/index.js';
import type { BlockUser } from '../blocks/index.js';
import { ALIGNMENT_MAX } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { type DebugSettings, type Doer, type HeapMemory, isDataAddress } from '../layout/index.js';
import * as StackStore from '../layout/stack-store.js';

export interface Records {
  /** Offset of the program's part from the block's start, in bytes. */
  frontOf(alignment: number): number;
  /** The allocated block that has this program address; 0 if there is none. */
  find(user: number): Address;
  /** The freed block that had this program address last; 0 if there is none. */
  findGone(user: number): Address;
  recordOf(block: number): WordIndex;
  /** Bytes that the program asked for. */
  requestedOf(block: number): number;
  /** Bytes of the program's part of a block of `blockBytes` bytes. */
  usableOf(block: number, blockBytes: number): number;
  allocatorOf(block: number): BlockUser;
  /** Null if the block has not been freed. */
  freerOf(block: number): BlockUser | null;
}

export function createRecords(memory: HeapMemory, { guardBytes }: DebugSettings): Records {
  const { i32, u32, tags, geometry } = memory;
  const store = StackStore.storeOf(memory);
  const zone = roundUp(guardBytes, GRANULE_BYTES);

  const frontOf = (alignment: number): number =>
    zone === 0 ? 0 : roundUp(zone, Math.max(alignment, GRANULE_BYTES));

  const recordOf = (block: number): WordIndex => BlockRecord.at(geometry.blockRecords, block);

  const requestedOf = (block: number): number => BlockRecord.getRequested(u32, recordOf(block));

  /** Undefined for an owned block: its record is of an earlier block. */
  function isAllocated(block: number): boolean | undefined {
    const tag = tags[block >>> GRANULE_SHIFT];
    return isOwnedTag(tag) ? undefined : tag !== 0;
  }

  function findBlock(user: number, allocated: boolean): Address {
    if (!isDataAddress(geometry, user) || user % GRANULE_BYTES !== 0) return NULL;
    let tried = -1;
    // Most blocks have the plain front; each alignment of the address may mean another front.
    for (let a = GRANULE_BYTES; a <= ALIGNMENT_MAX && user % a === 0; a *= 2) {
      const front = frontOf(a);
      const block = (user - front) as Address;
      if (front !== tried && block >= geometry.dataStart && isAllocated(block) === allocated) {
        const state = BlockRecord.getState(i32, recordOf(block));
        if (BlockRecord.isStateOf(state, block) && BlockRecord.frontBytesOf(state) === front)
          return block;
      }
      tried = front;
    }
    return NULL;
  }

  function usableOf(block: number, blockBytes: number): number {
    if (guardBytes > 0) return requestedOf(block);
    return blockBytes - BlockRecord.frontBytesOf(BlockRecord.getState(i32, recordOf(block)));
  }

  const partyOf = ({ threadId, stack }: Doer): BlockUser => ({
    threadId,
    stack: StackStore.read(store, stack),
  });

  return {
    frontOf,
    find: (user) => findBlock(user, true),
    findGone: (user) => findBlock(user, false),
    recordOf,
    requestedOf,
    usableOf,
    allocatorOf: (block) => partyOf(BlockRecord.getAllocator(u32, recordOf(block))),
    freerOf(block) {
      const doer = BlockRecord.getFreer(u32, recordOf(block));
      return doer.threadId < 0 ? null : partyOf(doer);
    },
  };
}
