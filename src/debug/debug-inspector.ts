/**
 * The inspector of an instrumented heap: blocks as the program knows them, with who allocated and who
 * freed them.
 *
 * Put by debug-thread.ts in front of the plain heap's inspector (blocks/list-blocks.ts). Owner thread only;
 * what is read of records is read without a lock.
 */

import type { Address } from '../base/index.js';
import type { Block, BlockDetails, BlockInspector, BlockUser } from '../blocks/index.js';
import type { ThreadHeap } from '../heap/index.js';
import {
  type DebugSettings,
  FREED_BLOCK,
  getRequested,
  isDataAddress,
  LIVE_BLOCK,
  loadState,
  type Operation,
  stateFrontBytes,
  stateKind,
} from '../layout/index.js';
import type { FindBlock } from './find-block.js';
import { type HistoryEvent, readHistory, renderHistory } from './history.js';
import type { Records } from './records.js';

/** What is known of a block's allocation. */
export interface Allocation {
  /** The block, as the program knows it. */
  address: Address;
  requestedBytes: number;
  /** `threadId` of worker_threads. */
  threadId: number;
  /** Call stack, a line a frame, where one was recorded. */
  stack?: string;
  /** Milliseconds since 1970, and which call it was: while the history still has it. */
  time?: number;
  operation?: Operation;
  /** Who freed it, if somebody did. */
  freedBy?: BlockUser;
}

export interface DebugInspector extends BlockInspector {
  /** Who allocated the block around an address, live or freed; undefined = nobody ever did. */
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

  const stateOf = (block: number): number => loadState(i32, records.recordOf(block));
  const userOf = (block: number): Address => (block + stateFrontBytes(stateOf(block))) as Address;
  const requestedOf = (block: number): number => getRequested(u32, records.recordOf(block));

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

  /** A program's address lies in its block: the blocks behind it are those that begin behind it. */
  function blocksFrom(address: number, max: number): Block[] {
    for (let from = address; ; ) {
      const blocks = inspector.blocksFrom(from, max);
      const live = blocks.filter(
        ({ address, owned }) => owned || stateKind(stateOf(address)) === LIVE_BLOCK,
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
    // Where a large block was, there may be anything now.
    if (place?.is !== 'block' || userOf(block) !== address) throw bad(asked, address);
    const freer = records.freerOf(block);
    const freed = stateKind(stateOf(block)) === FREED_BLOCK;
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

  /** In a block that is no program's: there is no record of it. */
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
