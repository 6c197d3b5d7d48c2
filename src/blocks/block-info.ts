/**
 * What is known about blocks, and who can be asked: the inspector of an attachment.
 *
 * Used by api/ for listings, hexdumps and leaks. Plain heaps have the inspector of list-blocks.ts, which
 * know a block by its tag and its run; instrumented heaps put the debug layer's in front of them,
 * which know more, and whose addresses lie behind the red zone of a block.
 */

import type { Address, SizeClass } from '../base/index.js';
import type { ContextLabel, Ownership } from './block-owner.js';

/** A live block as the program knows it. */
export interface Block {
  address: Address;
  /** Usable bytes. */
  bytes: number;
  /** Not the program's to free: a chunk of a context, or a vector's header or storage. */
  owned?: 'context' | 'vector';
  /** Of a chunk: which context has it. */
  context?: ContextLabel;
  /** Bytes that were asked for, where the heap's debug options keep that. */
  requested?: number;
  /** `threadId` of who allocated it, where debug options keep that. */
  threadId?: number;
  /** Call stack of its allocation, lines, where debug options keep that. */
  stack?: string;
}

/** A thread that did something to a block, and from where. */
export interface BlockUser {
  threadId: number;
  /** Call stack, lines; empty when it was not recorded. */
  stack: string;
}

/** What is known about the block at an address, live or not. */
export interface BlockDetails {
  address: Address;
  /** Usable bytes. */
  bytes: number;
  /** LARGE for a run of its own. */
  sizeClass: SizeClass;
  /** `quarantined`: freed by the program, and held back by the debug layer. */
  state: 'live' | 'quarantined' | 'free';
  /** Whose it is, where it is no program's. */
  ownership?: Ownership;
  /** Of such a block, the address in it that was asked for: objects lie inside. */
  inside?: Address;
  /** Bytes that were asked for, where that is known. */
  requested?: number;
  allocatedBy?: BlockUser;
  freedBy?: BlockUser;
}

/** The span or run that a block lies in. */
export interface BlockRegion {
  readonly start: Address;
  /** Of a span; Infinity for a run that is one block. */
  readonly blockBytes: number;
}

/** Who sees the blocks of a heap. Owner thread only; all calls but historyOf pass the section. */
export interface BlockInspector {
  /**
   * Live blocks from `address` on, in rising order: at most `max`, which is 1 at least. None = there
   * are no more. The next ones are those from behind the last one's address.
   */
  blocksFrom(address: number, max: number): Block[];
  /** The pages of a live block. A hint: of a block freed meanwhile, its page. */
  regionOf(address: Address): BlockRegion;
  /**
   * The block that begins at an address; one that is no program's, wherever in it that is.
   * @throws InvalidAddressError when none does; `asked` is what it says cannot be done
   */
  details(address: unknown, asked: string): BlockDetails;
  /** What happened to the block at an address, a line each; empty when nothing was recorded. */
  historyOf(address: Address): string[];
}

/** So many blocks are listed at a time: what the page lock is held for at once. */
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
