/**
 * The inspector of an instrumented heap: blocks at the program's addresses, with the threads that
 * allocated and freed them.
 *
 * debug-thread.ts puts it in front of the plain heap's inspector (blocks/list-blocks.ts). Owner
 * thread only; records are read without a lock.
 */

import type { Address } from '../base/index.js';
import type { Block, BlockDetails, BlockInspector, BlockUser } from '../blocks/index.js';
import type { ThreadHeap } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { type DebugSettings, isDataAddress, type Operation } from '../layout/index.js';
import type { FindBlock } from './find-block.js';
import { type HistoryEvent, readHistory, renderHistory } from './history.js';
import type { Records } from './records.js';

/** The record of a block's allocation. */
export interface Allocation {
  /** The program's address of the block. */
  address: Address;
  requestedBytes: number;
  /** `threadId` of worker_threads. */
  threadId: number;
  /** Call stack, one line per frame, if one was recorded. */
  stack?: string;
  /** Milliseconds since 1970, and the kind of call, as long as the history has the event. */
  time?: number;
  operation?: Operation;
  /** The thread that freed the block, if it was freed. */
  freedBy?: BlockUser;
}

export interface DebugInspector extends BlockInspector {
  /**
   * The allocation of the block around an address, live or freed; undefined if there never was one.
   */
  whoAllocated(address: number): Allocation | undefined;
}

export function createDebugInspector(
  { memory, inspector, inspect }: ThreadHeap,
  { historyEvents }: DebugSettings,
  records: Records,
  findBlock: FindBlock,
  bad: (asked: string, address: unknown) => Error,
): DebugInspector {
  const { i32, u32, geometry } = memory;

  const stateOf = (block: number): number => BlockRecord.loadState(i32, records.recordOf(block));
  const userOf = (block: number): Address =>
    (block + BlockRecord.frontBytesOf(stateOf(block))) as Address;
  const requestedOf = (block: number): number =>
    BlockRecord.getRequested(u32, records.recordOf(block));

  function know({ address, bytes }: Block): Block {
    const { threadId, stack } = records.allocatorOf(address);
    return {
      address: userOf(address),
      bytes: records.usableOf(address, bytes),
      requested: requestedOf(address),
      threadId,
      ...(stack !== '' && { stack }),
    };
  }

  /**
   * Program addresses lie inside of blocks: a block may begin before `address` and yet come after
   * it.
   */
  function blocksFrom(address: number, max: number): Block[] {
    for (let from = address; ; ) {
      const blocks = inspector.blocksFrom(from, max);
      const live = blocks.filter(
        ({ address, owned }) => owned || BlockRecord.kindOf(stateOf(address)) === BlockRecord.LIVE,
      );
      const last = blocks.at(-1);
      if (live.length > 0 || last === undefined) {
        return live.map((block) => (block.owned ? block : know(block)));
      }
      from = last.address + 1;
    }
  }

  function details(address: unknown, asked: string): BlockDetails {
    const block = findBlock(address);
    if (block === 0 && isOwned(address)) return inspector.details(address, asked);
    const place = block === 0 ? undefined : inspect(block);
    // In place of a freed large block there may be anything by now.
    if (place?.is !== 'block' || userOf(block) !== address) throw bad(asked, address);
    const freer = records.freerOf(block);
    const freed = BlockRecord.kindOf(stateOf(block)) === BlockRecord.FREED;
    return {
      address: userOf(block),
      bytes: records.usableOf(block, place.bytes),
      sizeClass: place.sizeClass,
      state: place.live ? (freed ? 'quarantined' : 'live') : 'free',
      requested: requestedOf(block),
      allocatedBy: records.allocatorOf(block),
      ...(freer !== null && { freedBy: freer }),
    };
  }

  /** True for an address in a block that an object of the heap owns: such a block has no record. */
  function isOwned(address: unknown): boolean {
    if (!isDataAddress(geometry, address)) return false;
    const place = inspect(address);
    return place.is === 'block' && place.owned;
  }

  function historyOf(address: Address): string[] {
    return renderHistory(historyFor(address));
  }

  const historyFor = (address: Address): HistoryEvent[] =>
    historyEvents === 0 ? [] : readHistory(memory, historyEvents, { address });

  function whoAllocated(address: number): Allocation | undefined {
    const block = findBlock(address);
    if (block === 0) return undefined;
    const user = userOf(block);
    const { threadId, stack } = records.allocatorOf(block);
    const freer = records.freerOf(block);
    const event = historyFor(user).findLast(
      (one) => one.operation !== 'free' && one.address === user && one.threadId === threadId,
    );
    return {
      address: user,
      requestedBytes: requestedOf(block),
      threadId,
      ...(stack !== '' && { stack }),
      ...(event !== undefined && { time: event.time, operation: event.operation }),
      ...(freer !== null && { freedBy: freer }),
    };
  }

  return {
    blocksFrom,
    regionOf: (address) => inspector.regionOf(records.find(address) || address),
    details,
    historyOf,
    whoAllocated,
  };
}
