/**
 * Blocks of a heap with debug options: their ways from the heap to the program and back, with their
 * records and red zones.
 *
 *     block ┬ front: red zone       guard bytes, or more for an alignment
 *           ├ the program's part    what malloc returned points here
 *       end ┴ red zone              to the end of the block, guard bytes at least
 *
 * Used by debug-calls.ts, whose calls consist of these steps. Owner thread only.
 *
 * I1  A block's record and zones are written between the two halves of its allocation: no thread
 *     sees the block without them. It is PENDING then; to make it LIVE is the last store of the
 *     call.
 * I2  PENDING and FREED blocks are the thread's own: if it dies, recovery gives them back
 *     (layout/block-record.ts I2).
 */

import { type Address, fillWords, NULL } from '../base/index.js';
import type { Calls } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { PRE_SCRIBBLE, SCRIBBLE } from './block-checks.js';
import type { DebugThread } from './debug-thread.js';

export class InstrumentedBlocks {
  readonly #inner: Calls;
  readonly #thread: DebugThread;

  /** @param inner the plain calls, which the blocks come from */
  constructor(inner: Calls, thread: DebugThread) {
    this.#inner = inner;
    this.#thread = thread;
  }

  /** A new block, PENDING, with its zones; 0 when the heap is full. */
  make(alignment: number, size: number): Address {
    const inner = this.#inner;
    const { memory, settings, slotIndex, threadId, records, checks } = this.#thread;
    const { i32, u32, u8 } = memory;
    const front = records.frontOf(alignment);
    const bytes = Math.max(BlockRecord.RECORDED_BYTES_MIN, front + size + settings.guardBytes);
    const block = inner.reserve(alignment, bytes, settings.direct);
    if (block === 0) return NULL;
    const blockBytes = inner.reservedBytes(block);
    const record = records.recordOf(block);
    // point: debug.none
    BlockRecord.setState(i32, record, BlockRecord.NONE);
    BlockRecord.writeAllocated(u32, record, size, threadId);
    // point: debug.pending
    BlockRecord.storeState(
      i32,
      record,
      BlockRecord.stateOf(BlockRecord.PENDING, slotIndex, front, block),
    );
    checks.paint(block, blockBytes);
    if (settings.preScribble) {
      const user = block + front;
      fillWords(u8, PRE_SCRIBBLE, user, user + records.usableOf(block, blockBytes));
    }
    inner.commit(block);
    return block;
  }

  /** The last step of an allocation: the block is the program's. */
  publish(block: Address, stack: number): void {
    const { memory, records } = this.#thread;
    const { i32, u32 } = memory;
    const record = records.recordOf(block);
    BlockRecord.setAllocStack(u32, record, stack);
    // point: debug.live
    BlockRecord.storeState(
      i32,
      record,
      BlockRecord.withKind(BlockRecord.getState(i32, record), BlockRecord.LIVE),
    );
  }

  /** Gives up a PENDING block that the program does not get. */
  withdraw(block: Address): void {
    const { memory, records } = this.#thread;
    const { i32 } = memory;
    const record = records.recordOf(block);
    BlockRecord.setState(
      i32,
      record,
      BlockRecord.withKind(BlockRecord.getState(i32, record), BlockRecord.FREED),
    );
    this.retire(block, 0);
  }

  /** Makes a LIVE block FREED, in this thread's name; false when another thread was faster. */
  claim(block: Address): boolean {
    const { memory, settings, slotIndex, records } = this.#thread;
    const { i32 } = memory;
    const record = records.recordOf(block);
    const state = BlockRecord.getState(i32, record);
    if (BlockRecord.kindOf(state) !== BlockRecord.LIVE) return false;
    const front = BlockRecord.frontBytesOf(state);
    const freed = BlockRecord.stateOf(BlockRecord.FREED, slotIndex, front, block);
    // point: debug.claim
    if (!settings.strict) BlockRecord.setState(i32, record, freed);
    // On failure another thread has claimed the block just now.
    return !settings.strict || BlockRecord.casState(i32, record, state, freed) === state;
  }

  /**
   * Gives up a claimed block: into quarantine, or back to the heap.
   * @returns the damage of a block that leaves the quarantine for this one, or null
   */
  retire(block: Address, stack: number): Error | null {
    const inner = this.#inner;
    const { memory, settings, threadId, records, quarantine } = this.#thread;
    const { i32, u32, u8 } = memory;
    const user = this.userOf(block);
    const bytes = inner.usableSize(block);
    const record = records.recordOf(block);
    BlockRecord.writeFreed(u32, record, threadId, stack);
    if (settings.scribble) {
      fillWords(u8, SCRIBBLE, user, user + records.usableOf(block, bytes));
      BlockRecord.storeScribbled(i32, record);
    }
    return quarantine.add(block, bytes, inner.free);
  }

  isLive(block: Address): boolean {
    return BlockRecord.kindOf(this.#stateOf(block)) === BlockRecord.LIVE;
  }

  /** The program's address of a block. */
  userOf(block: Address): Address {
    return (block + BlockRecord.frontBytesOf(this.#stateOf(block))) as Address;
  }

  /** Bytes of the program's part. */
  usableOf(block: Address): number {
    return this.#thread.records.usableOf(block, this.#inner.usableSize(block));
  }

  #stateOf(block: Address): number {
    const { memory, records } = this.#thread;
    return BlockRecord.getState(memory.i32, records.recordOf(block));
  }
}
