/**
 * Block records, as the debug layer uses them: which block an address of the program belongs to,
 * who allocated it, who freed it.
 *
 * Used by the files of this folder. Any thread; no lock.
 *
 * A program's address lies `front` bytes behind its block's start: the red zone, or more where an
 * alignment asks for it.
 */

import { type Address, GRANULE_BYTES, GRANULE_SHIFT, roundUp } from '../base/index.js';
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
  LIVE_BLOCK,
  readStack,
  stateFrontBytes,
  stateKind,
} from '../layout/index.js';

/** A thread that did something to a block. */
export interface Party {
  threadId: number;
  /** Its call stack, a line a frame; empty where none was recorded. */
  stack: string;
}

export interface Records {
  /** How far the program's part begins behind a block's start. */
  frontOf(alignment: number): number;
  /** The block that a program knows by this address; 0 = none that is allocated. */
  find(user: number): Address;
  recordOf(block: number): BlockRecord;
  /** Bytes of the program's part, of a block of so many bytes. */
  usableOf(block: number, blockBytes: number): number;
  allocatorOf(block: number): Party;
  /** Null while nobody has freed it. */
  freerOf(block: number): Party | null;
}

export function createRecords(memory: HeapMemory, { guardBytes }: DebugSettings): Records {
  const { i32, u32, u8, tags, geometry } = memory;
  const zone = roundUp(guardBytes, GRANULE_BYTES);

  const frontOf = (alignment: number): number =>
    zone === 0 ? 0 : roundUp(zone, Math.max(alignment, GRANULE_BYTES));

  const recordOf = (block: number): BlockRecord => blockRecord(geometry.blockRecords, block);

  /** Is there an allocated block with this front, for this address? */
  function fits(user: number, front: number): boolean {
    const block = user - front;
    if (block < geometry.dataStart || tags[block >>> GRANULE_SHIFT] === 0) return false;
    const state = getState(i32, recordOf(block));
    return stateKind(state) !== 0 && stateFrontBytes(state) === front;
  }

  function find(user: number): Address {
    if (!isDataAddress(user)) return 0 as Address;
    let tried = -1;
    // Most blocks have the plain front; one more for each alignment that the address has.
    for (let a = GRANULE_BYTES; a <= ALIGNMENT_MAX && user % a === 0; a *= 2) {
      const front = frontOf(a);
      if (front !== tried && fits(user, front)) return (user - front) as Address;
      tried = front;
    }
    return 0 as Address;
  }

  function isDataAddress(user: unknown): user is number {
    return (
      typeof user === 'number' &&
      user % GRANULE_BYTES === 0 &&
      user >= geometry.dataStart &&
      user < geometry.end
    );
  }

  function usableOf(block: number, blockBytes: number): number {
    const record = recordOf(block);
    if (guardBytes > 0) return getRequested(u32, record);
    return blockBytes - stateFrontBytes(getState(i32, record));
  }

  const partyOf = ({ threadId, stack }: Doer): Party => ({
    threadId,
    stack: readStack(i32, u8, geometry.stackStore, stack),
  });

  return {
    frontOf,
    find,
    recordOf,
    usableOf,
    allocatorOf: (block) => partyOf(getAllocator(u32, recordOf(block))),
    freerOf(block) {
      const doer = getFreer(u32, recordOf(block));
      return doer.threadId < 0 ? null : partyOf(doer);
    },
  };
}

/** Is a block with this state in the program's hands? */
export const isLive = (state: number): boolean => stateKind(state) === LIVE_BLOCK;
