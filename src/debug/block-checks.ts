/**
 * Checks of single blocks: whether red zones are intact, and whether a freed block is unchanged.
 *
 * Used by debug-calls.ts for the block of a call and by check.ts for all blocks. Any thread; no
 * lock. While the block's threads run, its record and tag tell whether it is still the same block:
 * damage that was seen between two equal readings of state, turn and length is real.
 *
 * I1  The red zones of a live or freed block are intact.
 * I2  With scribble, a freed block that waits in a quarantine is full of SCRIBBLE.
 */

import {
  BLOCK_BYTES,
  BlockDamagedError,
  GRANULE_SHIFT,
  hex,
  LARGE,
  PAGE_BYTES,
  type WordIndex,
} from '../base/index.js';
import type { BlockUser } from '../blocks/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { type DebugSettings, type HeapMemory, orderReads, pageOf } from '../layout/index.js';
import * as PageRecord from '../layout/page-record.js';
import type { Records } from './records.js';
import { createRedZones, type Damaged } from './red-zones.js';

/** Fill bytes of freed and of new blocks, as in Apple's libmalloc. */
export const SCRIBBLE = 0x55;
export const PRE_SCRIBBLE = 0xaa;

export interface BlockChecks {
  /** Paints the zones of a block. Owner only. */
  paint(block: number, blockBytes: number): void;
  /** The error for a damaged block, live or freed; null if it is intact, or not a block now. */
  find(block: number): BlockDamagedError | null;
}

export function createBlockChecks(
  memory: HeapMemory,
  settings: DebugSettings,
  records: Records,
): BlockChecks {
  const { i32, u32, u8, tags, geometry } = memory;
  const guarded = settings.guardBytes > 0;
  const zones = createRedZones(memory);

  function paint(block: number, blockBytes: number): void {
    if (!guarded) return;
    const record = records.recordOf(block);
    const user = block + BlockRecord.frontBytesOf(BlockRecord.getState(i32, record));
    zones.paint(block, user);
    zones.paint(user + BlockRecord.getRequested(u32, record), block + blockBytes);
  }

  function find(block: number): BlockDamagedError | null {
    const record = records.recordOf(block);
    const state = BlockRecord.loadState(i32, record);
    const turn = BlockRecord.getTurn(u32, record);
    const blockBytes = bytesNow(block);
    if (blockBytes === 0 || !BlockRecord.isStateOf(state, block)) return null;
    const error = findIn(block, blockBytes, state, record);
    if (error === null) return null;
    orderReads();
    const same =
      BlockRecord.loadState(i32, record) === state && BlockRecord.getTurn(u32, record) === turn;
    return same && bytesNow(block) === blockBytes ? error : null;
  }

  /** The present length of a block, in bytes; 0 if it is not a block of the program. */
  function bytesNow(block: number): number {
    const tag = tags[block >>> GRANULE_SHIFT];
    // 0 for a tag of 0 and for owned blocks, which are not the program's.
    if (tag !== LARGE) return BLOCK_BYTES[tag];
    return (
      PageRecord.pagesOf(PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, pageOf(block)))) *
      PAGE_BYTES
    );
  }

  function findIn(
    block: number,
    blockBytes: number,
    state: number,
    record: WordIndex,
  ): BlockDamagedError | null {
    const kind = BlockRecord.kindOf(state);
    if (kind !== BlockRecord.LIVE && kind !== BlockRecord.FREED) return null;
    const user = block + BlockRecord.frontBytesOf(state);
    const end = user + records.usableOf(block, blockBytes);
    if (guarded) {
      const before = zones.find(block, user);
      const behind = zones.find(end, block + blockBytes);
      if (before !== null) return underrun(block, user, before, end, behind);
      if (behind !== null) return overrun(block, user, end, behind);
    }
    if (kind !== BlockRecord.FREED || !BlockRecord.isScribbled(i32, record)) return null;
    const written = findUnlike(SCRIBBLE, user, end);
    return written === null ? null : lateWrite(block, user, written);
  }

  function findUnlike(byte: number, from: number, to: number): Damaged | null {
    let first = from;
    while (first < to && u8[first] === byte) first++;
    if (first === to) return null;
    let last = to - 1;
    while (u8[last] === byte) last--;
    return { first, last };
  }

  /** The error includes damage on the other side, if there is any. */
  function underrun(
    block: number,
    user: number,
    { first, last }: Damaged,
    end: number,
    behind: Damaged | null,
  ): BlockDamagedError {
    const far = user - first;
    const too =
      behind === null
        ? ''
        : `; and ${count(behind.last + 1 - end)} past its end, ${found(behind.first)}`;
    const text =
      `${count(far)} before the block at ${hex(user)} (${bytes(block)}): ` +
      `the red zone there was overwritten, ${found(last)}${too}`;
    return damaged(text, 'underrun', block, user, first, last);
  }

  function overrun(
    block: number,
    user: number,
    end: number,
    { first, last }: Damaged,
  ): BlockDamagedError {
    const far = last + 1 - end;
    const text =
      `${count(far)} past the end of the block at ${hex(user)} (${bytes(block)}): ` +
      `the red zone there was overwritten, ${found(first)}`;
    return damaged(text, 'overrun', block, user, first, last);
  }

  function lateWrite(block: number, user: number, { first, last }: Damaged): BlockDamagedError {
    const text =
      `the freed block at ${hex(user)} (${bytes(block)}) was written to after its free, at ` +
      `offset ${first - user}${last > first ? ` to ${last - user}` : ''}, ${found(first)}`;
    return damaged(text, 'write-after-free', block, user, first, last);
  }

  const count = (n: number): string => `${n} ${n === 1 ? 'byte' : 'bytes'}`;
  const bytes = (block: number): string =>
    `${BlockRecord.getRequested(u32, records.recordOf(block))} bytes`;
  const found = (address: number): string =>
    `${hex(u8[address])} found at ${hex(address)}${text(u8[address])}`;
  const text = (byte: number): string =>
    byte > 0x20 && byte < 0x7f ? `, '${String.fromCharCode(byte)}'` : '';

  function damaged(
    what: string,
    kind: BlockDamagedError['damage'],
    block: number,
    user: number,
    first: number,
    last: number,
  ): BlockDamagedError {
    const text = `${what}${provenance(records, block)}`;
    return new BlockDamagedError(text, kind, user, first - user, last - user);
  }

  return { paint, find };
}

/** The last lines of error messages: who allocated a block, and who freed it. */
export function provenance(records: Records, block: number): string {
  const freer = records.freerOf(block);
  const freed = freer === null ? '' : tell('freed', freer);
  return `${tell('allocated', records.allocatorOf(block))}${freed}`;
}

function tell(what: string, { threadId, stack }: BlockUser): string {
  const who = `\n  ${what} by thread ${threadId}`;
  return stack === '' ? who : `${who}:\n    ${stack.split('\n').join('\n    ')}`;
}
