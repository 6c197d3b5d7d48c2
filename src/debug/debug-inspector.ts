/**
 * The inspector of an instrumented heap: blocks at the program's addresses, with the threads that
 * allocated and freed them.
 *
 * debug-thread.ts puts it in front of the plain heap's inspector (blocks/list-blocks.ts). Owner
 * thread only; records are read without a lock.
 */

import type { Address } from '../base/index.js';
import type { Block, BlockDetails, BlockInspector, BlockUser } from '../blocks/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { isDataAddress, type Operation } from '../layout/index.js';
import type { DebugThread } from './debug-thread.js';
import { type HistoryEvent, readHistory, renderHistory } from './history.js';

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

export class DebugInspector implements BlockInspector {
  readonly #thread: DebugThread;

  constructor(thread: DebugThread) {
    this.#thread = thread;
  }

  /** Some of the program's blocks from an address on, and of the blocks that objects own. */
  blocksFrom(address: number, max: number): Block[] {
    const { inspector } = this.#thread.core;
    // Program addresses lie inside of blocks: a block may begin before `address` and yet come after
    // it.
    for (let from = address; ; ) {
      const blocks = inspector.blocksFrom(from, max);
      const live = blocks.filter(
        ({ address, owned }) =>
          owned || BlockRecord.kindOf(this.#stateOf(address)) === BlockRecord.LIVE,
      );
      const last = blocks.at(-1);
      if (live.length > 0 || last === undefined) {
        return live.map((block) => (block.owned ? block : this.#asProgramSees(block)));
      }
      from = last.address + 1;
    }
  }

  regionOf(address: Address): ReturnType<BlockInspector['regionOf']> {
    const { core, records } = this.#thread;
    return core.inspector.regionOf(records.find(address) || address);
  }

  details(address: unknown, asked: string): BlockDetails {
    const { core, records, findBlock, bad } = this.#thread;
    const block = findBlock(address);
    if (block === 0 && this.#isOwned(address)) return core.inspector.details(address, asked);
    const place = block === 0 ? undefined : core.inspect(block);
    // Another block may be in the place of a freed large block by now.
    if (place?.is !== 'block' || this.#userOf(block) !== address) throw bad(asked, address);
    const freer = records.freerOf(block);
    const freed = BlockRecord.kindOf(this.#stateOf(block)) === BlockRecord.FREED;
    return {
      address: this.#userOf(block),
      bytes: records.usableOf(block, place.bytes),
      sizeClass: place.sizeClass,
      state: place.live ? (freed ? 'quarantined' : 'live') : 'free',
      requested: records.requestedOf(block),
      allocatedBy: records.allocatorOf(block),
      ...(freer !== null && { freedBy: freer }),
    };
  }

  historyOf(address: Address): string[] {
    return renderHistory(this.#eventsOf(address));
  }

  /**
   * The allocation of the block around an address, live or freed; undefined if there never was one.
   */
  whoAllocated(address: number): Allocation | undefined {
    const { records, findBlock } = this.#thread;
    const block = findBlock(address);
    if (block === 0) return undefined;
    const user = this.#userOf(block);
    const { threadId, stack } = records.allocatorOf(block);
    const freer = records.freerOf(block);
    const event = this.#eventsOf(user).findLast(
      (one) => one.operation !== 'free' && one.address === user && one.threadId === threadId,
    );
    return {
      address: user,
      requestedBytes: records.requestedOf(block),
      threadId,
      ...(stack !== '' && { stack }),
      ...(event !== undefined && { time: event.time, operation: event.operation }),
      ...(freer !== null && { freedBy: freer }),
    };
  }

  /** A block with the program's address and bytes, and its allocation. */
  #asProgramSees({ address, bytes }: Block): Block {
    const { records } = this.#thread;
    const { threadId, stack } = records.allocatorOf(address);
    return {
      address: this.#userOf(address),
      bytes: records.usableOf(address, bytes),
      requested: records.requestedOf(address),
      threadId,
      ...(stack !== '' && { stack }),
    };
  }

  /** True for an address in a block that an object of the heap owns: such a block has no record. */
  #isOwned(address: unknown): boolean {
    const { core, memory } = this.#thread;
    if (!isDataAddress(memory.geometry, address)) return false;
    const place = core.inspect(address);
    return place.is === 'block' && place.owned;
  }

  #eventsOf(address: Address): HistoryEvent[] {
    const { memory, settings } = this.#thread;
    const { historyEvents } = settings;
    return historyEvents === 0 ? [] : readHistory(memory, historyEvents, { address });
  }

  #stateOf(block: number): number {
    const { memory, records } = this.#thread;
    return BlockRecord.loadState(memory.i32, records.recordOf(block));
  }

  #userOf(block: number): Address {
    return (block + BlockRecord.frontBytesOf(this.#stateOf(block))) as Address;
  }
}
