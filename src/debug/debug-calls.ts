/**
 * Instrumented calls: malloc, free, calloc, realloc and alignedAlloc of a heap with debug options.
 *
 * Made once per attachment of such a heap by debug-thread.ts, and put in the place of the plain
 * calls, which they are built on. Owner thread only. Heaps without debug options do not use them:
 * their fast paths stay as they are.
 *
 * I1  Whatever can be refused is refused before anything is changed.
 * I2  A free claims the block's record first, making it FREED.
 * I3  realloc always moves, and makes the new block LIVE when the old one is given up.
 * I4  Between PENDING and LIVE, and after a claim, nothing is called that may throw: the block would
 *     belong to no thread. So stacks are taken before, the quarantine keeps blocks that it cannot
 *     give back, and the next call throws the damage that a realloc finds in the quarantine.
 * I5  A call that V8 has cut (heap/marks.ts) leaves its mark `isOpen`. The next call first gives
 *     back the blocks that are the thread's own and do not wait in the quarantine.
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
import { type Calls, requireAlignment, requireSize } from '../heap/index.js';
import type { Operation } from '../layout/index.js';
import type { DebugThread } from './debug-thread.js';
import { InstrumentedBlocks } from './instrumented-blocks.js';

/** An instrumented call takes some frames more than the sections inside it. */
const CALL_FRAMES = 3 * SECTION_FRAMES;

/** Gets the error of a wrong address or a damaged block; throws it, or returns. */
type Complain = (error: Error) => void;

/** A call that is done. */
export interface Noted {
  readonly operation: Operation;
  readonly address: Address;
  readonly from: Address;
  readonly requested: number;
  readonly usable: number;
  readonly stack: number;
}

/** The calls of a thread's program, each as a function that works without its object. */
export function createDebugCalls(inner: Calls, thread: DebugThread): Calls {
  const calls = new DebugCalls(inner, thread);
  return {
    ...inner,
    malloc: (size) => calls.malloc(size),
    free: (user) => calls.free(user),
    calloc: (count, size) => calls.calloc(count, size),
    realloc: (user, size) => calls.realloc(user, size),
    alignedAlloc: (alignment, size) => calls.alignedAlloc(alignment, size),
    usableSize: (user, asked) => calls.usableSize(user, asked),
  };
}

class DebugCalls {
  readonly #inner: Calls;
  readonly #thread: DebugThread;
  readonly #blocks: InstrumentedBlocks;
  readonly #requireHeadroom = createProbe(CALL_FRAMES, COLD_FRAMES);

  constructor(inner: Calls, thread: DebugThread) {
    this.#inner = inner;
    this.#thread = thread;
    this.#blocks = new InstrumentedBlocks(inner, thread);
  }

  malloc(size: number): Address {
    requireSize('malloc', size);
    return this.#call(() => this.#allocate('malloc', GRANULE_BYTES, size));
  }

  calloc(count: number, size: number): Address {
    requireSize('calloc', count);
    requireSize('calloc', size);
    return this.#call(() => this.#allocate('calloc', GRANULE_BYTES, count * size));
  }

  alignedAlloc(alignment: number, size: number): Address {
    requireAlignment(alignment);
    requireSize('alignedAlloc', size);
    const wanted = Math.max(alignment, GRANULE_BYTES);
    return this.#call(() => this.#allocate('alignedAlloc', wanted, size));
  }

  free(user: Address): void {
    this.#call(() => this.#freeNow(user));
  }

  realloc(user: Address, size: number): Address {
    return this.#call(() => this.#reallocNow(user, size));
  }

  usableSize(user: Address, asked = 'measure'): number {
    return this.#blocks.usableOf(this.#find(asked, user, refuse));
  }

  /** One call of the program. */
  #call<T>(work: () => T): T {
    const thread = this.#thread;
    return thread.events.deferring(() => {
      if (thread.isOpen) thread.selfRepair();
      thread.isOpen = true;
      try {
        return work();
      } finally {
        thread.isOpen = false;
      }
    });
  }

  /** Refuses whatever can be refused; a stack that ends does so here. */
  #begin(): void {
    this.#requireHeadroom();
    this.#inner.pass();
    this.#thread.begin();
  }

  #note(operation: Operation, block: Address, from: Address, stack: number): void {
    const blocks = this.#blocks;
    this.#thread.note({
      operation,
      address: blocks.userOf(block),
      from,
      requested: this.#thread.records.requestedOf(block),
      usable: blocks.usableOf(block),
      stack,
    });
  }

  // ---- allocation

  #allocate(operation: Operation, alignment: number, size: number): Address {
    const thread = this.#thread;
    const blocks = this.#blocks;
    this.#begin();
    const stack = thread.takeStack();
    const block = this.#make(alignment, size);
    if (block === 0) return this.#full(size);
    const user = blocks.userOf(block);
    if (operation === 'calloc') fillWords(thread.memory.u8, 0, user, user + size);
    this.#note(operation, block, NULL, stack);
    blocks.publish(block, stack);
    return user;
  }

  /** A new block, PENDING; gives up the thread's quarantine when the heap is full. */
  #make(alignment: number, size: number): Address {
    const block = this.#blocks.make(alignment, size);
    if (block !== 0 || !this.#makeRoom()) return block;
    return this.#blocks.make(alignment, size);
  }

  /** Ends the thread's quarantine; returns false if it was empty. */
  #makeRoom(): boolean {
    const thread = this.#thread;
    const { blocks, errors } = thread.quarantine.drain(this.#inner.free);
    const [first, ...others] = errors;
    for (const error of others) thread.deferError(error);
    if (first !== undefined) thread.complain(first);
    return blocks > 0;
  }

  /** The answer when there is no room for an allocation. */
  #full(size: number): typeof NULL {
    this.#thread.events.addExhausted(size);
    return NULL;
  }

  // ---- the block of a call

  /** The live block at a program's address; if there is none, complains and returns 0. */
  #find(asked: string, user: Address, complain: Complain): Address {
    const { records } = this.#thread;
    const block = records.find(user);
    if (block !== 0 && this.#blocks.isLive(block)) return block;
    complain(this.#thread.bad(asked, user));
    return NULL;
  }

  /**
   * The live block at a program's address, checked. Complains about damage; when `complain`
   * returns, the damaged block is returned all the same, and 0 for an address of no block.
   */
  #look(asked: string, user: Address, complain: Complain): Address {
    const { checks } = this.#thread;
    const block = this.#find(asked, user, complain);
    if (block === 0) return NULL;
    const blockBytes = this.#inner.usableSize(block);
    const damage = checks.find(block);
    if (damage !== null) {
      // Painted anew: each damage is told once, and the block can still be freed.
      checks.paint(block, blockBytes);
      damage.message = `cannot ${asked} ${hex(user)}: ${damage.message}`;
      complain(damage);
    }
    return block;
  }

  /** Claims a block; complains and returns false when another thread was faster. */
  #claim(asked: string, block: Address, complain: Complain): boolean {
    if (this.#blocks.claim(block)) return true;
    complain(this.#thread.bad(asked, this.#blocks.userOf(block)));
    return false;
  }

  // ---- free

  #freeNow(user: Address): void {
    if (user === 0) return;
    const thread = this.#thread;
    this.#begin();
    const block = this.#look('free', user, thread.complain);
    if (block === 0) return;
    const stack = thread.takeStack();
    if (!this.#claim('free', block, thread.complain)) return;
    this.#note('free', block, NULL, stack);
    const late = this.#blocks.retire(block, stack);
    if (late !== null) this.#complainLate(late, user);
  }

  #complainLate(error: Error, freed: Address): void {
    error.message += `\n  found when it left the quarantine; the free of ${hex(freed)} is done`;
    this.#thread.complain(error);
  }

  // ---- realloc

  #reallocNow(user: Address, size: number): Address {
    requireSize('realloc', size);
    if (user === 0) return this.#allocate('malloc', GRANULE_BYTES, size);
    this.#begin();
    const old = this.#look('realloc', user, refuse);
    if (size === 0) {
      this.#freeNow(user);
      return NULL;
    }
    const stack = this.#thread.takeStack();
    const block = this.#make(GRANULE_BYTES, size);
    if (block === 0) return this.#full(size);
    return this.#move(old, block, stack);
  }

  /** Moves the content of a live block to a PENDING one, and gives up the live one. */
  #move(old: Address, block: Address, stack: number): Address {
    const blocks = this.#blocks;
    const { u8 } = this.#thread.memory;
    const user = blocks.userOf(old);
    const moved = blocks.userOf(block);
    const kept = Math.min(this.#thread.records.requestedOf(block), blocks.usableOf(old));
    copyWithin(u8, moved, user, user + kept);
    try {
      this.#claim('realloc', old, refuse);
    } catch (error) {
      // The program has not got the new block.
      blocks.withdraw(block);
      throw error;
    }
    this.#note('realloc', block, user, stack);
    const late = blocks.retire(old, stack);
    blocks.publish(block, stack);
    if (late !== null) this.#deferLate(late, user);
    return moved;
  }

  /** Complains in the next call: this one has a block to return. */
  #deferLate(late: Error, freed: Address): void {
    try {
      this.#complainLate(late, freed);
    } catch (error) {
      this.#thread.deferError(error as Error);
    }
  }
}

const refuse: Complain = (error) => {
  throw error;
};
