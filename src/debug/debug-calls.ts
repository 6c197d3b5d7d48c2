/**
 * Instrumented calls: malloc, free, calloc, realloc and alignedAlloc of a heap with debug options.
 *
 * Made once per attachment of such a heap by debug-thread.ts, and put in the place of the plain
 * calls, which they are built on. Owner thread only. Heaps without debug options never load a
 * closure of these: their fast paths are what they are.
 *
 *     block ┬ front: red zone       guard bytes, or more for an alignment
 *           ├ the program's part    what malloc returned points here
 *       end ┴ red zone              to the end of the block, guard bytes at least
 *
 * I1  Whatever can be refused is refused before anything is changed.
 * I2  A block's record and zones are written between the two halves of its allocation: nobody sees
 *     the block without them. It is PENDING then; to make it LIVE is the last store of the call.
 * I3  A free claims the record first, making it FREED.
 * I4  PENDING and FREED blocks are the thread's own: should it die, recovery gives them back
 *     (layout/block-record.ts I2).
 * I5  realloc always moves, and makes the new block LIVE when the old one is given up.
 * I6  Between PENDING and LIVE, and from a claim on, nothing is called that may throw: it would leave
 *     a block that is nobody's. So stacks are taken before, the quarantine keeps what it cannot give
 *     back, and what a realloc finds in it is told by the next call.
 * I7  A call that V8 has cut (heap/marks.ts) leaves its mark `isOpen`; the next one first gives back what is
 *     the thread's own and not held back.
 */

import {
  type Address,
  COLD_FRAMES,
  copyWithin,
  createProbe,
  fillWords,
  GRANULE_BYTES,
  hex,
  NULL,
  SECTION_FRAMES,
} from '../base/index.js';
import { type Calls, type EventQueue, requireAlignment, requireSize } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import type { DebugSettings, HeapMemory, Operation } from '../layout/index.js';
import { type BlockChecks, PRE_SCRIBBLE, SCRIBBLE } from './block-checks.js';
import type { Quarantine } from './quarantine.js';
import type { Records } from './records.js';

/** An instrumented call takes some frames more than the sections inside it. */
const CALL_FRAMES = 3 * SECTION_FRAMES;

/** What instrumented calls need of their thread: see debug-thread.ts. */
export interface DebugThread {
  readonly memory: HeapMemory;
  readonly settings: DebugSettings;
  readonly slotIndex: number;
  readonly threadId: number;
  /** Held back until a call is over: a listener must not come upon a block that is half made. */
  readonly events: EventQueue;
  readonly records: Records;
  readonly checks: BlockChecks;
  readonly quarantine: Quarantine;
  /** A call is under way, or was cut. */
  isOpen: boolean;
  /** Repairs what a call left that was cut. */
  selfRepair(): void;
  /**
   * Before every call: throws what was deferred, makes room for notes, verifies the heap when that is due.
   */
  begin(): void;
  /** An error for a later call to throw: this one has another, or a block to return. */
  deferError(error: Error): void;
  /** The call stack to keep with this call, or 0. */
  takeStack(): number;
  /** The call goes into history and trace. A free and a move come before the block is given up. */
  note(event: Noted): void;
  /** Does with the error of a bad free what the options say: throws it, or tells it. */
  complain(error: Error): void;
  /** The error for an address that is no live block of the program. */
  bad(asked: string, address: unknown): Error;
}

/** A call that is done. */
export interface Noted {
  readonly operation: Operation;
  readonly address: Address;
  readonly from: Address;
  readonly requested: number;
  readonly usable: number;
  readonly stack: number;
}

export function createDebugCalls(inner: Calls, thread: DebugThread): Calls {
  const { memory, settings, slotIndex, threadId, events, records, checks, quarantine } = thread;
  const { i32, u32, u8 } = memory;
  const { guardBytes, direct, strict } = settings;

  const requireHeadroom = createProbe(CALL_FRAMES, COLD_FRAMES);

  /** Whatever can be refused is refused here, and a stack that ends does so here. */
  function begin(): void {
    requireHeadroom();
    inner.pass();
    thread.begin();
  }

  // ---- allocation

  function allocate(operation: Operation, alignment: number, size: number): Address {
    begin();
    const stack = thread.takeStack();
    const block = make(alignment, size);
    if (block === 0) return full(size);
    const user = userOf(block);
    if (operation === 'calloc') fillWords(u8, 0, user, user + size);
    note(operation, block, NULL, stack);
    publish(block, stack);
    return user;
  }

  /** The answer where there is no room for so many bytes. */
  function full(size: number): typeof NULL {
    events.addExhausted(size);
    return NULL;
  }

  /** A new block, PENDING, with its zones; 0 when the heap is full. */
  function make(alignment: number, size: number): Address {
    const front = records.frontOf(alignment);
    const bytes = Math.max(BlockRecord.RECORDED_BYTES_MIN, front + size + guardBytes);
    let block = inner.reserve(alignment, bytes, direct);
    if (block === 0) block = makeRoom() ? inner.reserve(alignment, bytes, direct) : NULL;
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

  /** Ends the thread's quarantine; was there anything in it? */
  function makeRoom(): boolean {
    const { blocks, errors } = quarantine.drain(inner.free);
    const [first, ...others] = errors;
    for (const error of others) thread.deferError(error);
    if (first !== undefined) thread.complain(first);
    return blocks > 0;
  }

  /** The last step of an allocation: the block is the program's. */
  function publish(block: Address, stack: number): void {
    const record = records.recordOf(block);
    BlockRecord.setAllocStack(u32, record, stack);
    // point: debug.live
    BlockRecord.storeState(
      i32,
      record,
      BlockRecord.withKind(BlockRecord.getState(i32, record), BlockRecord.LIVE),
    );
  }

  function note(operation: Operation, block: Address, from: Address, stack: number): void {
    thread.note({
      operation,
      address: userOf(block),
      from,
      requested: BlockRecord.getRequested(u32, records.recordOf(block)),
      usable: usableOf(block),
      stack,
    });
  }

  const userOf = (block: Address): Address =>
    (block +
      BlockRecord.frontBytesOf(BlockRecord.getState(i32, records.recordOf(block)))) as Address;

  const usableOf = (block: Address): number => records.usableOf(block, inner.usableSize(block));

  // ---- free

  function free(user: Address): void {
    if (user === 0) return;
    begin();
    const block = look('free', user, thread.complain);
    if (block === 0) return;
    const stack = thread.takeStack();
    if (!claim(block, user, thread.complain)) return;
    note('free', block, NULL, stack);
    const late = retire(block, stack);
    if (late !== null) complainLate(late, user);
  }

  /** The live block behind a program's address; where there is none, `complain` is told, and 0. */
  function find(asked: string, user: Address, complain: (error: Error) => void): Address {
    const block = records.find(user);
    if (
      block !== 0 &&
      BlockRecord.kindOf(BlockRecord.getState(i32, records.recordOf(block))) === BlockRecord.LIVE
    )
      return block;
    complain(thread.bad(asked, user));
    return NULL;
  }

  /**
   * The whole block behind a program's address. What is wrong goes to `complain`; when that returns,
   * a block with damage is a block all the same, and anything else is 0.
   */
  function look(asked: string, user: Address, complain: (error: Error) => void): Address {
    const block = find(asked, user, complain);
    if (block === 0) return NULL;
    const blockBytes = inner.usableSize(block);
    const damage = checks.find(block);
    if (damage !== null) {
      // Painted anew: each damage is told once, and the block can still be freed.
      checks.paint(block, blockBytes);
      damage.message = `cannot ${asked} ${hex(user)}: ${damage.message}`;
      complain(damage);
    }
    return block;
  }

  /** Makes a LIVE block FREED, in this thread's name; false when another thread was faster. */
  function claim(block: Address, user: Address, complain: (error: Error) => void): boolean {
    const record = records.recordOf(block);
    const state = BlockRecord.getState(i32, record);
    const freed = BlockRecord.stateOf(
      BlockRecord.FREED,
      slotIndex,
      BlockRecord.frontBytesOf(state),
      block,
    );
    if (BlockRecord.kindOf(state) === BlockRecord.LIVE) {
      // point: debug.claim
      if (!strict) BlockRecord.setState(i32, record, freed);
      // Failure: another thread has claimed it in this very moment.
      if (!strict || BlockRecord.casState(i32, record, state, freed) === state) return true;
    }
    complain(thread.bad('free', user));
    return false;
  }

  /**
   * Gives up a claimed block: into quarantine, or back to the heap. The error, if there is one, is
   * about a block that leaves the quarantine for it.
   */
  function retire(block: Address, stack: number): Error | null {
    const user = userOf(block);
    const bytes = inner.usableSize(block);
    const record = records.recordOf(block);
    BlockRecord.writeFreed(u32, record, threadId, stack);
    if (settings.scribble) {
      fillWords(u8, SCRIBBLE, user, user + records.usableOf(block, bytes));
      BlockRecord.storeScribbled(i32, record);
    }
    return quarantine.add(block, bytes, inner.free);
  }

  function complainLate(error: Error, freed: Address): void {
    error.message += `\n  found when it left the quarantine; the free of ${hex(freed)} is done`;
    thread.complain(error);
  }

  // ---- realloc

  const refuse = (error: Error): never => {
    throw error;
  };

  function realloc(user: Address, size: number): Address {
    requireSize('realloc', size);
    if (user === 0) return allocate('malloc', GRANULE_BYTES, size);
    begin();
    const old = look('realloc', user, refuse);
    if (size === 0) {
      free(user);
      return NULL;
    }
    const stack = thread.takeStack();
    const block = make(GRANULE_BYTES, size);
    if (block === 0) return full(size);
    const kept = Math.min(size, usableOf(old));
    copyWithin(u8, userOf(block), user, user + kept);
    try {
      claim(old, user, refuse);
    } catch (error) {
      // Nobody was given the new one.
      const record = records.recordOf(block);
      BlockRecord.setState(
        i32,
        record,
        BlockRecord.withKind(BlockRecord.getState(i32, record), BlockRecord.FREED),
      );
      retire(block, 0);
      throw error;
    }
    note('realloc', block, user, stack);
    const late = retire(old, stack);
    const moved = userOf(block);
    publish(block, stack);
    if (late !== null) {
      try {
        complainLate(late, user);
      } catch (error) {
        thread.deferError(error as Error);
      }
    }
    return moved;
  }

  // ---- the calls

  /** One call of the program. */
  function call<T>(work: () => T): T {
    return events.deferring(() => {
      if (thread.isOpen) thread.selfRepair();
      thread.isOpen = true;
      try {
        return work();
      } finally {
        thread.isOpen = false;
      }
    });
  }

  function usableSize(user: Address, asked = 'measure'): number {
    return usableOf(find(asked, user, refuse));
  }

  return {
    malloc(size) {
      requireSize('malloc', size);
      return call(() => allocate('malloc', GRANULE_BYTES, size));
    },
    free: (user) => call(() => free(user)),
    calloc(count, size) {
      requireSize('calloc', count);
      requireSize('calloc', size);
      return call(() => allocate('calloc', GRANULE_BYTES, count * size));
    },
    realloc: (user, size) => call(() => realloc(user, size)),
    alignedAlloc(alignment, size) {
      requireAlignment(alignment);
      requireSize('alignedAlloc', size);
      const wanted = Math.max(alignment, GRANULE_BYTES);
      return call(() => allocate('alignedAlloc', wanted, size));
    },
    usableSize,
    reserve: inner.reserve,
    reservedBytes: inner.reservedBytes,
    commit: inner.commit,
    commitOwned: inner.commitOwned,
    pass: inner.pass,
    close: inner.close,
  };
}
