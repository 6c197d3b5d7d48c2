/**
 * Thread of the trading tests: allocates, fills, hands blocks over, and frees and reallocates what
 * it and others allocated. As a pool task (default export), or by itself when workerData says so.
 *
 * Overlap: a second buffer has a byte per granule of the heap. A block's granules are claimed
 * there, one compare-and-swap each, after it was handed out and before it is given back. Should any
 * address ever be live twice, a claim fails. Contents: every block is filled by a pattern of its
 * own, all of which is checked before the block is freed or reallocated, and whenever it changes hands.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { randomFrom } from '../helpers.js';

export interface TradeTask {
  /** One byte per granule of the heap. */
  readonly claims: Uint8Array<SharedArrayBuffer>;
  /** Address of MAILBOX_COUNT mailboxes in the heap. */
  readonly mailboxes: number;
  /** Marks this thread's claims: 1 to 255. */
  readonly mark: number;
  readonly seed: number;
  readonly rounds: number;
  /** Live blocks that this thread keeps at most. */
  readonly blocksMax: number;
  /** Leave the last blocks in mailboxes, for others to free, rather than free them. */
  readonly leave?: boolean;
}

export interface TradeResult {
  allocated: number;
  freed: number;
  moved: number;
  sent: number;
  received: number;
  /** Large blocks among those allocated. */
  large: number;
  /** How often the heap was full. */
  full: number;
  /** What was wrong; the first few. */
  wrong: string[];
}

interface Block {
  readonly address: Address;
  readonly size: number;
  readonly seed: number;
}

/** A mailbox: state, address, size, seed of the pattern. */
const MAILBOX_WORDS = 4;
export const MAILBOX_COUNT = 64;
export const MAILBOXES_BYTES = MAILBOX_COUNT * MAILBOX_WORDS * 4;
const EMPTY = 0;
const BUSY = 1;
const FULL = 2;

const LARGE_BYTES_MAX = 400 * 1024;
const WRONG_MAX = 10;

export default function trade(task: TradeTask): TradeResult {
  return tradeOn(SharedHeap.current(), task);
}

function tradeOn(heap: SharedHeap, task: TradeTask): TradeResult {
  const trader = new Trader(heap, task);
  for (let n = 0; n < task.rounds; n++) trader.round();
  trader.finish();
  return trader.result;
}

/** Empties all mailboxes, checking and freeing what is in them. When the traders are done. */
export function emptyMailboxes(heap: SharedHeap, task: TradeTask): TradeResult {
  const trader = new Trader(heap, task);
  for (let n = 0; n < MAILBOX_COUNT; n++) trader.receive(n);
  trader.finish();
  return trader.result;
}

class Trader {
  readonly result: TradeResult = {
    allocated: 0,
    freed: 0,
    moved: 0,
    sent: 0,
    received: 0,
    large: 0,
    full: 0,
    wrong: [],
  };
  readonly #heap: SharedHeap;
  readonly #task: TradeTask;
  readonly #random: (below: number) => number;
  readonly #blocks: Block[] = [];

  constructor(heap: SharedHeap, task: TradeTask) {
    this.#heap = heap;
    this.#task = task;
    this.#random = randomFrom(task.seed);
  }

  round(): void {
    const what = this.#random(100);
    if (this.#blocks.length >= this.#task.blocksMax) this.#free();
    else if (what < 45) this.#allocate();
    else if (what < 60) this.#free();
    else if (what < 75) this.#reallocate();
    else if (what < 88) this.#send(this.#random(MAILBOX_COUNT));
    else this.receive(this.#random(MAILBOX_COUNT));
  }

  finish(): void {
    if (this.#task.leave === true) {
      for (let n = 0; n < MAILBOX_COUNT && this.#blocks.length > 0; n++) this.#send(n);
    }
    while (this.#blocks.length > 0) this.#free();
  }

  #allocate(): void {
    const size = this.#size();
    const how = this.#random(10);
    const heap = this.#heap;
    let address: Address;
    if (how === 0) {
      address = heap.calloc_ts(1, size);
      const dirty = heap.u8.subarray(address, address + size).findIndex((byte) => byte !== 0);
      if (address !== 0 && dirty >= 0) this.#wrong(`calloc_ts(1, ${size}): byte ${dirty} is set`);
    } else if (how === 1) {
      const alignment = 16 << this.#random(9);
      address = heap.alignedAlloc_ts(alignment, size);
      if (address % alignment !== 0) this.#wrong(`${address} is no multiple of ${alignment}`);
    } else {
      address = heap.malloc_ts(size);
    }
    if (address === 0) {
      this.result.full++;
      this.#free();
      return;
    }
    this.result.allocated++;
    if (size > 65536) this.result.large++;
    this.#keep(address, size);
  }

  #free(): void {
    const block = this.#takeOne();
    if (block === undefined) return;
    this.#check(block, block.size);
    this.#release(block);
    this.#heap.free_ts(block.address);
    this.result.freed++;
  }

  #reallocate(): void {
    const block = this.#takeOne();
    if (block === undefined) return;
    const size = this.#size();
    this.#check(block, block.size);
    this.#release(block);
    const address = this.#heap.realloc_ts(block.address, size);
    if (size === 0) {
      if (address !== 0) this.#wrong(`realloc_ts to 0 bytes gave ${address}`);
      this.result.freed++;
      return;
    }
    if (address === 0) {
      // The old block is as it was.
      this.result.full++;
      this.#claim(block.address);
      this.#blocks.push(block);
      return;
    }
    this.result.moved++;
    this.#check({ ...block, address }, Math.min(size, block.size));
    this.#keep(address, size);
  }

  #send(n: number): void {
    const { i32 } = this.#heap;
    const box = (this.#task.mailboxes >>> 2) + n * MAILBOX_WORDS;
    if (this.#blocks.length === 0) return;
    if (Atomics.compareExchange(i32, box, EMPTY, BUSY) !== EMPTY) return;
    const block = this.#takeOne() as Block;
    i32[box + 1] = block.address;
    i32[box + 2] = block.size;
    i32[box + 3] = block.seed;
    // The claim stays: it is the block's, whoever has it. Its mark is taken over by the receiver.
    Atomics.store(i32, box, FULL);
    this.result.sent++;
  }

  receive(n: number): void {
    const { i32 } = this.#heap;
    const box = (this.#task.mailboxes >>> 2) + n * MAILBOX_WORDS;
    if (Atomics.compareExchange(i32, box, FULL, BUSY) !== FULL) return;
    const address = (i32[box + 1] >>> 0) as Address;
    const block = { address, size: i32[box + 2], seed: i32[box + 3] };
    Atomics.store(i32, box, EMPTY);
    const { claims, mark } = this.#task;
    const usable = this.#heap.usableSize(address);
    for (let g = address >>> 4; g < (address + usable) >>> 4; g++) {
      if (Atomics.exchange(claims, g, mark) === 0) {
        this.#wrong(`granule ${g} of the block received at ${address} was not claimed`);
        break;
      }
    }
    this.#check(block, block.size);
    this.#blocks.push(block);
    this.result.received++;
  }

  /** Most blocks are small; all sizes up to LARGE_BYTES_MAX are there. */
  #size(): number {
    const what = this.#random(100);
    if (what < 60) return this.#random(512);
    if (what < 85) return this.#random(8 * 1024);
    if (what < 95) return this.#random(65537);
    return 65537 + this.#random(LARGE_BYTES_MAX - 65537);
  }

  #keep(address: Address, size: number): void {
    const block = { address, size, seed: this.#random(2 ** 30) };
    const usable = this.#claim(address);
    if (usable < size) this.#wrong(`asked for ${size} bytes, got ${usable}`);
    const { i32, u8 } = this.#heap;
    const first = address >>> 2;
    for (let n = 0; n < size >>> 2; n++) i32[first + n] = pattern(block.seed, n);
    for (let at = size & ~3; at < size; at++) u8[address + at] = pattern(block.seed, at) & 0xff;
    this.#blocks.push(block);
  }

  /** All of the block, what was not asked for included; its usable bytes. */
  #claim(address: Address): number {
    const { claims, mark } = this.#task;
    const usable = this.#heap.usableSize(address);
    for (let g = address >>> 4; g < (address + usable) >>> 4; g++) {
      const owner = Atomics.compareExchange(claims, g, 0, mark);
      if (owner === 0) continue;
      this.#wrong(`block at ${address}, ${usable} bytes: granule ${g} is live in thread ${owner}`);
      break;
    }
    return usable;
  }

  #release({ address }: Block): void {
    const { claims, mark } = this.#task;
    const usable = this.#heap.usableSize(address);
    for (let g = address >>> 4; g < (address + usable) >>> 4; g++) {
      const owner = Atomics.compareExchange(claims, g, mark, 0);
      if (owner === mark) continue;
      this.#wrong(`block at ${address}, ${usable} bytes: granule ${g} is now thread ${owner}'s`);
      break;
    }
  }

  #check({ address, size, seed }: Block, length: number): void {
    const { i32, u8 } = this.#heap;
    const first = address >>> 2;
    const words = length >>> 2;
    for (let n = 0; n < words; n++) {
      if (i32[first + n] === pattern(seed, n)) continue;
      this.#wrong(`block at ${address}, ${size} bytes: word ${n} was changed`);
      return;
    }
    // Bytes behind the last whole word; only where the block ended there.
    if (length !== size) return;
    for (let at = length & ~3; at < length; at++) {
      if (u8[address + at] === (pattern(seed, at) & 0xff)) continue;
      this.#wrong(`block at ${address}, ${size} bytes: byte ${at} was changed`);
      return;
    }
  }

  #takeOne(): Block | undefined {
    const n = this.#random(Math.max(1, this.#blocks.length));
    const block = this.#blocks[n];
    const last = this.#blocks.pop();
    if (last !== undefined && last !== block) this.#blocks[n] = last;
    return block;
  }

  #wrong(what: string): void {
    if (this.result.wrong.length < WRONG_MAX) this.result.wrong.push(what);
  }
}

function pattern(seed: number, n: number): number {
  return Math.imul(seed + n, 0x9e3779b1) | 0;
}

const { alone } = (workerData ?? {}) as { alone?: { heap: HeapHandle; task: TradeTask } };
if (alone !== undefined)
  parentPort?.postMessage(tradeOn(SharedHeap.attach(alone.heap), alone.task));
