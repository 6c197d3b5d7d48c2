/**
 * Checks of single blocks: whether red zones are intact, and whether a freed block is unchanged.
 *
 * Used by debug-calls.ts for the block of a call and by verify-blocks.ts for all blocks. Any thread; no
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
} from '../base/index.js';
import type { BlockUser } from '../blocks/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { type DebugSettings, type HeapMemory, orderReads, pageOf } from '../layout/index.js';
import * as PageRecord from '../layout/page-record.js';
import type { Records } from './records.js';
import { createRedZones, type Damaged, type RedZones } from './red-zones.js';

/** Fill bytes of freed and of new blocks, as in Apple's libmalloc. */
export const SCRIBBLE = 0x55;
export const PRE_SCRIBBLE = 0xaa;

/** A block that was found damaged: the addresses of its start, its program's part and the end of that. */
interface DamagedBlock {
  readonly block: number;
  readonly user: number;
  readonly end: number;
}

export class BlockChecks {
  readonly #memory: HeapMemory;
  readonly #records: Records;
  readonly #isGuarded: boolean;
  readonly #zones: RedZones;

  constructor(memory: HeapMemory, { guardBytes }: DebugSettings, records: Records) {
    this.#memory = memory;
    this.#records = records;
    this.#isGuarded = guardBytes > 0;
    this.#zones = createRedZones(memory);
  }

  /** Paints the zones of a block. Owner only. */
  paint(block: number, blockBytes: number): void {
    if (!this.#isGuarded) return;
    const { i32, u32 } = this.#memory;
    const record = this.#records.recordOf(block);
    const user = block + BlockRecord.frontBytesOf(BlockRecord.getState(i32, record));
    this.#zones.paint(block, user);
    this.#zones.paint(user + BlockRecord.getRequested(u32, record), block + blockBytes);
  }

  /** The error for a damaged block, live or freed; null if it is intact, or not a block now. */
  find(block: number): BlockDamagedError | null {
    const { i32, u32 } = this.#memory;
    const record = this.#records.recordOf(block);
    const state = BlockRecord.loadState(i32, record);
    const turn = BlockRecord.getTurn(u32, record);
    const blockBytes = bytesNow(this.#memory, block);
    if (blockBytes === 0 || !BlockRecord.isStateOf(state, block)) return null;
    const error = this.#findIn(block, blockBytes, state);
    if (error === null) return null;
    orderReads();
    const same =
      BlockRecord.loadState(i32, record) === state && BlockRecord.getTurn(u32, record) === turn;
    return same && bytesNow(this.#memory, block) === blockBytes ? error : null;
  }

  #findIn(block: number, blockBytes: number, state: number): BlockDamagedError | null {
    const { i32, u8 } = this.#memory;
    const records = this.#records;
    const kind = BlockRecord.kindOf(state);
    if (kind !== BlockRecord.LIVE && kind !== BlockRecord.FREED) return null;
    const user = block + BlockRecord.frontBytesOf(state);
    const end = user + records.usableOf(block, blockBytes);
    const damaged = { block, user, end };
    if (this.#isGuarded) {
      const before = this.#zones.find(block, user);
      const behind = this.#zones.find(end, block + blockBytes);
      if (before !== null) return this.#underrun(damaged, before, behind);
      if (behind !== null) return this.#overrun(damaged, behind);
    }
    const isScribbled = BlockRecord.isScribbled(i32, records.recordOf(block));
    if (kind !== BlockRecord.FREED || !isScribbled) return null;
    const written = findUnlike(u8, SCRIBBLE, user, end);
    return written === null ? null : this.#lateWrite(damaged, written);
  }

  // ---- errors

  /** The error includes damage on the other side, if there is any. */
  #underrun(damaged: DamagedBlock, before: Damaged, behind: Damaged | null): BlockDamagedError {
    const { user, end } = damaged;
    const too =
      behind === null
        ? ''
        : `; and ${countOf(behind.last + 1 - end)} past its end, ${this.#found(behind.first)}`;
    const text =
      `${countOf(user - before.first)} before the ${this.#nameOf(damaged)}: ` +
      `the red zone there was overwritten, ${this.#found(before.last)}${too}`;
    return this.#error('underrun', text, damaged, before);
  }

  #overrun(damaged: DamagedBlock, behind: Damaged): BlockDamagedError {
    const text =
      `${countOf(behind.last + 1 - damaged.end)} past the end of the ${this.#nameOf(damaged)}: ` +
      `the red zone there was overwritten, ${this.#found(behind.first)}`;
    return this.#error('overrun', text, damaged, behind);
  }

  #lateWrite(damaged: DamagedBlock, written: Damaged): BlockDamagedError {
    const { user } = damaged;
    const { first, last } = written;
    const text =
      `the freed ${this.#nameOf(damaged)} was written to after its free, at ` +
      `offset ${first - user}${last > first ? ` to ${last - user}` : ''}, ${this.#found(first)}`;
    return this.#error('write-after-free', text, damaged, written);
  }

  #error(
    kind: BlockDamagedError['damage'],
    text: string,
    { block, user }: DamagedBlock,
    { first, last }: Damaged,
  ): BlockDamagedError {
    const message = `${text}${provenance(this.#records, block)}`;
    return new BlockDamagedError(message, kind, user, first - user, last - user);
  }

  #nameOf({ block, user }: DamagedBlock): string {
    return `block at ${hex(user)} (${this.#records.requestedOf(block)} bytes)`;
  }

  /** The byte that was found at an address, in words. */
  #found(address: number): string {
    const byte = this.#memory.u8[address];
    const text = byte > 0x20 && byte < 0x7f ? `, '${String.fromCharCode(byte)}'` : '';
    return `${hex(byte)} found at ${hex(address)}${text}`;
  }
}

/** The present length of a block, in bytes; 0 if it is not a block of the program. */
function bytesNow({ i32, tags, geometry }: HeapMemory, block: number): number {
  const tag = tags[block >>> GRANULE_SHIFT];
  // 0 for a tag of 0 and for owned blocks, which are not the program's.
  if (tag !== LARGE) return BLOCK_BYTES[tag];
  const run = PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, pageOf(block)));
  return PageRecord.pagesOf(run) * PAGE_BYTES;
}

/** The first and the last byte that differ from `byte`; null if none does. */
function findUnlike(u8: Uint8Array, byte: number, from: number, to: number): Damaged | null {
  let first = from;
  while (first < to && u8[first] === byte) first++;
  if (first === to) return null;
  let last = to - 1;
  while (u8[last] === byte) last--;
  return { first, last };
}

const countOf = (n: number): string => `${n} ${n === 1 ? 'byte' : 'bytes'}`;

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
