/**
 * Block records, as the debug layer uses them: which block an address of the program belongs to,
 * who allocated it, who freed it.
 *
 * Used by the files of this folder. Any thread; no lock.
 *
 * A program's address lies `front` bytes behind its block's start: the red zone, or more where an
 * alignment asks for it.
 */

import {
  type Address,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  isOwnedTag,
  NULL,
  roundUp,
} from '../base/index.js';
import type { BlockUser } from '../blocks/index.js';
import { ALIGNMENT_MAX } from '../heap/index.js';
import {
  type BlockRecord,
  blockRecord,
  type DebugSettings,
  type Doer,
  getAllocator,
  getFreer,
  getRequested,
  getState,
  type HeapMemory,
  isDataAddress,
  isStateOf,
  readStack,
  stateFrontBytes,
} from '../layout/index.js';

export interface Records {
  /** How far the program's part begins behind a block's start. */
  frontOf(alignment: number): number;
  /** The block that a program knows by this address; 0 = none that is allocated. */
  find(user: number): Address;
  /** The block that it last knew by this address and that is gone; 0 = none. */
  findGone(user: number): Address;
  recordOf(block: number): BlockRecord;
  /** Bytes of the program's part, of a block of so many bytes. */
  usableOf(block: number, blockBytes: number): number;
  allocatorOf(block: number): BlockUser;
  /** Null while nobody has freed it. */
  freerOf(block: number): BlockUser | null;
}

export function createRecords(memory: HeapMemory, { guardBytes }: DebugSettings): Records {
  const { i32, u32, u8, tags, geometry } = memory;
  const zone = roundUp(guardBytes, GRANULE_BYTES);

  const frontOf = (alignment: number): number =>
    zone === 0 ? 0 : roundUp(zone, Math.max(alignment, GRANULE_BYTES));

  const recordOf = (block: number): BlockRecord => blockRecord(geometry.blockRecords, block);

  /** Undefined for a block that is no program's: what its record says is older than that. */
  function isAllocated(block: number): boolean | undefined {
    const tag = tags[block >>> GRANULE_SHIFT];
    return isOwnedTag(tag) ? undefined : tag !== 0;
  }

  function findBlock(user: number, allocated: boolean): Address {
    if (!isDataAddress(geometry, user) || user % GRANULE_BYTES !== 0) return NULL;
    let tried = -1;
    // Most blocks have the plain front; one more for each alignment that the address has.
    for (let a = GRANULE_BYTES; a <= ALIGNMENT_MAX && user % a === 0; a *= 2) {
      const front = frontOf(a);
      const block = (user - front) as Address;
      if (front !== tried && block >= geometry.dataStart && isAllocated(block) === allocated) {
        const state = getState(i32, recordOf(block));
        if (isStateOf(state, block) && stateFrontBytes(state) === front) return block;
      }
      tried = front;
    }
    return NULL;
  }

  function usableOf(block: number, blockBytes: number): number {
    const record = recordOf(block);
    if (guardBytes > 0) return getRequested(u32, record);
    return blockBytes - stateFrontBytes(getState(i32, record));
  }

  const partyOf = ({ threadId, stack }: Doer): BlockUser => ({
    threadId,
    stack: readStack(i32, u8, geometry.stackStore, stack),
  });

  return {
    frontOf,
    find: (user) => findBlock(user, true),
    findGone: (user) => findBlock(user, false),
    recordOf,
    usableOf,
    allocatorOf: (block) => partyOf(getAllocator(u32, recordOf(block))),
    freerOf(block) {
      const doer = getFreer(u32, recordOf(block));
      return doer.threadId < 0 ? null : partyOf(doer);
    },
  };
}
