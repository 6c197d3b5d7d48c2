/**
 * Facts about blocks: the inspector of an attachment, and its types.
 *
 * Used by api/ for listings, hexdumps and leaks. Plain heaps have the inspector of list-blocks.ts,
 * which knows a block by its tag and its run. Instrumented heaps put the debug layer's inspector in
 * front of it, which knows more, and whose addresses lie behind the red zone of a block.
 */

import type { Address, SizeClass } from '../base/index.js';
import type { ContextLabel, Ownership } from './block-owner.js';

/** A live block as the program knows it. */
export interface Block {
  address: Address;
  /** Usable bytes. */
  bytes: number;
  /** Set if a program must not free it: a chunk of a context, or a vector's header or storage. */
  owned?: 'context' | 'vector';
  /** The context of a chunk. */
  context?: ContextLabel;
  /** Bytes that were asked for, if the heap's debug options record them. */
  requested?: number;
  /** `threadId` of the thread that allocated it, if debug options record it. */
  threadId?: number;
  /** Call stack of its allocation, one frame a line, if debug options record it. */
  stack?: string;
}

/** A thread that allocated or freed a block, and its call stack. */
export interface BlockUser {
  threadId: number;
  /** Call stack, one frame a line; empty if it was not recorded. */
  stack: string;
}

/** Facts about the block at an address, live or not. */
export interface BlockDetails {
  address: Address;
  /** Usable bytes. */
  bytes: number;
  /** LARGE for a block that is a run of its own. */
  sizeClass: SizeClass;
  /** `quarantined`: freed by the program, and held back by the debug layer. */
  state: 'live' | 'quarantined' | 'free';
  /** The object that owns the block, if it does not belong to a program. */
  ownership?: Ownership;
  /** The address that was asked for, inside of an object's block. */
  inside?: Address;
  /** Bytes that were asked for, if known. */
  requested?: number;
  allocatedBy?: BlockUser;
  freedBy?: BlockUser;
}

/** The span or run that a block lies in. */
export interface BlockRegion {
  readonly start: Address;
  /** Bytes of a block of the span; Infinity for a run that is one block. */
  readonly blockBytes: number;
}

/** Finds the blocks of a heap. Owner thread only; all calls but historyOf enter the section. */
export interface BlockInspector {
  /**
   * Live blocks from `address` on, in ascending order: at most `max`, which is 1 or more. None =
   * there are no more. The next call continues behind the last block's address.
   */
  blocksFrom(address: number, max: number): Block[];
  /** The pages of a live block. A hint: if the block is freed meanwhile, its page only. */
  regionOf(address: Address): BlockRegion;
  /**
   * The block that begins at an address; for a block of an object, any address in it.
   * @param asked the text after "cannot" in the error
   * @throws InvalidAddressError if no block begins there
   */
  details(address: unknown, asked: string): BlockDetails;
  /** Events of the block at the address, one a line; empty if none was recorded. */
  historyOf(address: Address): string[];
}

/** Blocks per list: the page lock is held for one list at a time. */
export const BLOCKS_AT_ONCE = 32_768;

/** All live blocks, by address, never more than BLOCKS_AT_ONCE of them in memory. */
export function* eachBlock(inspector: BlockInspector): Generator<Block> {
  for (let from = 0; ; ) {
    const blocks = inspector.blocksFrom(from, BLOCKS_AT_ONCE);
    const last = blocks[blocks.length - 1];
    if (last === undefined) return;
    yield* blocks;
    from = last.address + 1;
  }
}
