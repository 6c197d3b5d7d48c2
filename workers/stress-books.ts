/**
 * One worker's part of the stress run's books, and the heap calls that the worker makes.
 *
 * Used by stress-worker.ts for its own region, and by stress-auditor.ts for all regions once their
 * workers have ended. One thread at a time per region.
 *
 * A worker can be killed between any two steps. So each change is first announced (an intent), then
 * done, then the intent is closed; the next thread that opens the books resolves an open intent. If
 * the call was cut inside the heap, the books cannot tell what became of it: that is kept as a
 * doubt for the audit at the end. All else is known exactly.
 *
 * I1  A block leaves the books before it is given back to the heap, and enters them only after the
 *     heap has handed it out: what the heap does at one address is always between two claims.
 * I2  A block in an entry has its claim: the mark of the entry's region at its first granule. A
 *     block that is just being handed out has none; if it has one, another block is at the same
 *     address.
 * I3  Each step of resolve() can be repeated: the resolver may be killed too.
 */

import type { SharedHeap } from 'shmalloc';
import {
  ALIGNED,
  BOX_CLAIMED,
  BOX_EMPTY,
  BOX_FULL,
  type BookedBlock,
  CALLOC,
  ENTRY_COUNT,
  FILLED,
  FREE,
  type Intent,
  type Ledger,
  type MALLOC,
  NO_BLOCK,
  NOTHING,
  REALLOC,
  RECEIVE,
  SEND,
  UNFILLED,
} from './stress-ledger.js';

/** The heap calls that the books need. */
export type HeapCalls = Pick<
  SharedHeap,
  'malloc_ts' | 'calloc_ts' | 'alignedAlloc_ts' | 'realloc_ts' | 'free_ts' | 'usableSize'
>;

/** The call that allocates. */
export type Allocation = typeof MALLOC | typeof CALLOC | typeof ALIGNED;

/** Called with a block while the worker has it. */
export type Use = (address: number) => void;

/** Called with a finding in words. */
export type OnFinding = (finding: string) => void;

/** In place of an entry: the heap was full, or the box was empty. */
export const NO_ENTRY = -1;

const GRANULE_SHIFT = 4;

const IDLE: Intent = {
  op: NOTHING,
  entry: 0,
  box: 0,
  address: 0,
  usable: 0,
  size: 0,
  alignment: 0,
};

export class Books {
  /** Entries with a block, in any order. */
  readonly held: number[] = [];
  /** Index in `held` of each entry. */
  readonly #position = new Int32Array(ENTRY_COUNT);
  readonly #empty: number[] = [];
  readonly #ledger: Ledger;
  readonly #region: number;
  readonly #heap: HeapCalls;
  readonly #claims: Uint8Array<SharedArrayBuffer>;
  readonly #mark: number;
  readonly #onFinding: OnFinding;

  /**
   * Takes a region over, and resolves what its last worker left open.
   * @param claims a byte per granule of the heap
   */
  constructor(
    ledger: Ledger,
    region: number,
    heap: HeapCalls,
    claims: Uint8Array<SharedArrayBuffer>,
    onFinding: OnFinding,
  ) {
    this.#ledger = ledger;
    this.#region = region;
    this.#heap = heap;
    this.#claims = claims;
    this.#mark = region + 1;
    this.#onFinding = onFinding;
    this.#resolve();
    for (let entry = ENTRY_COUNT - 1; entry >= 0; entry--) {
      this.#empty.push(entry);
      if (ledger.state(this.#record(entry)) !== NO_BLOCK) this.#hold();
    }
  }

  get full(): boolean {
    return this.#empty.length === 0;
  }

  block(entry: number): BookedBlock {
    return this.#ledger.block(this.#record(entry));
  }

  /** Records the pattern of a block. */
  filled(entry: number, seed: number, stride: number): void {
    const record = this.#record(entry);
    this.#ledger.describePattern(record, seed, stride);
    this.#ledger.setState(record, FILLED);
  }

  /** Counts a wrong block, and reports it. */
  report(finding: string): void {
    this.#ledger.countCorrupted(this.#region);
    this.#onFinding(`worker ${this.#region}: ${finding}`);
  }

  // ---- heap calls

  /** The new block's entry, UNFILLED; NO_ENTRY if the heap is full. Needs an empty entry. */
  allocate(op: Allocation, size: number, alignment: number): number {
    const ledger = this.#ledger;
    const entry = this.#empty[this.#empty.length - 1] as number;
    ledger.open(this.#region, { ...IDLE, op, entry, size, alignment });
    const address = this.#call(op, size, alignment);
    ledger.answer(this.#region, address);
    if (address === 0) ledger.countFull(this.#region);
    else this.#enter(entry, address, size, false);
    ledger.close(this.#region);
    if (address === 0) return NO_ENTRY;
    return this.#hold();
  }

  /**
   * Allocates a block and frees it again, `times` times or until the heap is full: neither entered
   * nor claimed, so that this is mostly the heap's own fast paths. If cut, it leaves at most one
   * block. Needs an empty entry.
   * @param use called with each block
   */
  churn(op: Allocation, size: number, alignment: number, times: number, use: Use): void {
    const ledger = this.#ledger;
    const entry = this.#empty[this.#empty.length - 1];
    ledger.open(this.#region, { ...IDLE, op, entry, size, alignment });
    for (let n = 0; n < times; n++) {
      const address = this.#call(op, size, alignment);
      if (address === 0) break;
      use(address);
      this.#heap.free_ts(address);
    }
    ledger.answer(this.#region, 0);
    ledger.close(this.#region);
  }

  #call(op: Allocation, size: number, alignment: number): number {
    if (op === CALLOC) return this.#heap.calloc_ts(1, size);
    if (op === ALIGNED) return this.#heap.alignedAlloc_ts(alignment, size);
    return this.#heap.malloc_ts(size);
  }

  free(entry: number): void {
    const ledger = this.#ledger;
    const { address, usable } = this.block(entry);
    ledger.open(this.#region, { ...IDLE, op: FREE, entry, address, usable });
    this.#leave(entry, address);
    this.#heap.free_ts(address);
    ledger.answer(this.#region, 0);
    ledger.close(this.#region);
    this.#forget(entry);
  }

  /**
   * Gives a FILLED block another size: it is then UNFILLED, with its old content at its front. If
   * the heap is full, returns false and changes nothing.
   */
  reallocate(entry: number, size: number): boolean {
    const ledger = this.#ledger;
    const { address, usable } = this.block(entry);
    ledger.open(this.#region, { ...IDLE, op: REALLOC, entry, address, usable, size });
    this.#leave(entry, address);
    const moved = this.#heap.realloc_ts(address, size);
    ledger.answer(this.#region, moved);
    if (moved === 0) {
      ledger.countFull(this.#region);
      this.#reenter(entry, address);
    } else {
      this.#enter(entry, moved, size, false);
    }
    ledger.close(this.#region);
    return moved !== 0;
  }

  // ---- between workers

  /** Hands a FILLED block over; false if the box is taken. */
  send(entry: number, box: number): boolean {
    const ledger = this.#ledger;
    const { address, size, usable, seed, stride } = this.block(entry);
    const boxRecord = ledger.boxRecord(box);
    ledger.open(this.#region, { ...IDLE, op: SEND, entry, box });
    const sent = ledger.moveState(boxRecord, BOX_EMPTY, BOX_CLAIMED + this.#region);
    if (sent) {
      ledger.describe(boxRecord, address, size, usable);
      ledger.describePattern(boxRecord, seed, stride);
      // From here on the block is the box's. Its claim stays: the receiver replaces it.
      ledger.setState(this.#record(entry), NO_BLOCK);
      ledger.setState(boxRecord, BOX_FULL);
    }
    ledger.close(this.#region);
    if (sent) this.#forget(entry);
    return sent;
  }

  /** The entry of the block from the box; NO_ENTRY if the box is empty. Needs an empty entry. */
  receive(box: number): number {
    const ledger = this.#ledger;
    const entry = this.#empty[this.#empty.length - 1] as number;
    const boxRecord = ledger.boxRecord(box);
    const record = this.#record(entry);
    ledger.open(this.#region, { ...IDLE, op: RECEIVE, entry, box });
    const received = ledger.moveState(boxRecord, BOX_FULL, BOX_CLAIMED + this.#region);
    if (received) {
      const { address, size, usable, seed, stride } = ledger.block(boxRecord);
      ledger.describe(record, address, size, usable);
      ledger.describePattern(record, seed, stride);
      this.#claims[address >>> GRANULE_SHIFT] = this.#mark;
      ledger.setState(record, FILLED);
      ledger.setState(boxRecord, BOX_EMPTY);
    }
    ledger.close(this.#region);
    if (!received) return NO_ENTRY;
    return this.#hold();
  }

  // ---- in and out of the books

  #record(entry: number): number {
    return this.#ledger.entryRecord(this.#region, entry);
  }

  /** Enters a block that the heap has handed out. `again`: it may already have its claim. */
  #enter(entry: number, address: number, size: number, again: boolean): void {
    const record = this.#record(entry);
    const usable = this.#heap.usableSize(address);
    const mark = Atomics.compareExchange(this.#claims, address >>> GRANULE_SHIFT, 0, this.#mark);
    if (mark !== 0 && !(again && mark === this.#mark)) {
      this.report(`${hex(address)} was handed out while worker ${mark - 1} held a block there`);
    }
    if (usable < size) this.report(`${hex(address)} has ${usable} bytes, asked for ${size}`);
    this.#ledger.describe(record, address, size, usable);
    this.#ledger.setState(record, UNFILLED);
  }

  /** Takes a block out of the books; its entry still describes it. */
  #leave(entry: number, address: number): void {
    const mark = Atomics.exchange(this.#claims, address >>> GRANULE_SHIFT, 0);
    if (mark !== this.#mark) {
      this.report(`${hex(address)} was claimed by worker ${mark - 1} while this one held it`);
    }
    this.#ledger.setState(this.#record(entry), NO_BLOCK);
  }

  /** Puts a block back that the heap did not touch. */
  #reenter(entry: number, address: number): void {
    Atomics.store(this.#claims, address >>> GRANULE_SHIFT, this.#mark);
    this.#ledger.setState(this.#record(entry), FILLED);
  }

  /** Takes the next empty entry for a block. */
  #hold(): number {
    const entry = this.#empty.pop() as number;
    this.#position[entry] = this.held.length;
    this.held.push(entry);
    return entry;
  }

  #forget(entry: number): void {
    const last = this.held.pop() as number;
    if (last !== entry) {
      const position = this.#position[entry];
      this.held[position] = last;
      this.#position[last] = position;
    }
    this.#empty.push(entry);
  }

  // ---- after a kill

  #resolve(): void {
    const ledger = this.#ledger;
    const { op, entry, box, address, size } = ledger.intent(this.#region);
    if (op === NOTHING) return;
    const booked = ledger.state(this.#record(entry)) !== NO_BLOCK;
    if (op === SEND || op === RECEIVE) {
      // The entry's state names the owner of the block; the box is in between only while claimed.
      const boxRecord = ledger.boxRecord(box);
      const settled = booked ? BOX_EMPTY : BOX_FULL;
      ledger.moveState(boxRecord, BOX_CLAIMED + this.#region, settled);
    } else {
      const answer = ledger.answered(this.#region);
      if (booked) this.#resolveBooked(op, address, answer);
      else if (answer === null) ledger.doubt(this.#region);
      else if (answer !== 0) this.#enter(entry, answer, size, true);
      else if (op === REALLOC) this.#reenter(entry, address);
    }
    ledger.close(this.#region);
  }

  /**
   * The block is in the books: it was not yet given to the heap, or only the intent is still open.
   */
  #resolveBooked(op: number, address: number, answer: number | null): void {
    const untouched = op === FREE || (op === REALLOC && answer === null);
    if (untouched) Atomics.store(this.#claims, address >>> GRANULE_SHIFT, this.#mark);
  }
}

export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
