/**
 * Headers of a set's objects: 16 bytes before each, in the memory of its context.
 *
 * Used by set-context.ts, and by whoever asks which context an object belongs to. The header of a
 * live object is its context's owner's to change; any thread may read it.
 *
 *     word   field      meaning
 *     0      context    index of its record
 *     1      extent     log2 of the bytes behind the header; bit 31: index of the chunk that it has
 *                       for its own
 *     2      request    live: bytes asked for; freed: the next freed object of its size, 0 = none
 *     3      seal       follows from all of these, the address, the context's generation and epoch,
 *                       the heap's secret, and from whether the object is live
 *
 * I1  An address whose seal is right is an object of that context, in that state: a stray write, a
 *     stale address or a guess is found out (but for one in four thousand million).
 */

import { type Address, GRANULE_BYTES, GRANULE_SHIFT } from '../base/index.js';
import * as ContextRecord from '../layout/context-record.js';
import * as DebugRecord from '../layout/debug-record.js';
import type { ContextIndex, Geometry, HeapMemory, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';

export const OBJECT_HEADER_BYTES = GRANULE_BYTES;
/** In `extent`: the rest is a chunk's index. */
export const OWN_CHUNK = 0x80000000;

const CONTEXT = 4;
const EXTENT = 3;
const REQUEST = 2;
const SEAL = 1;

export const LIVE = 0;
export const FREED = 1;
export type ObjectState = typeof LIVE | typeof FREED;

/** The words of a header, read at once. */
export interface ObjectHeader {
  readonly context: ContextIndex;
  readonly extent: number;
  readonly request: number;
  readonly state: ObjectState;
}

/** What the seal of a live object is combined with; a freed object's is the heap's own. */
const LIVE_KEY = 0;

export class ObjectHeaders {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #geometry: Geometry;
  readonly #table: RecordTable;
  readonly #secret: number;
  readonly #freedKey: number;

  constructor({ i32, u32, geometry }: HeapMemory) {
    const [low, high] = DebugRecord.getSecret(u32, geometry.debug);
    this.#i32 = i32;
    this.#u32 = u32;
    this.#geometry = geometry;
    this.#table = ContextRecord.contextTable(geometry);
    this.#secret = low;
    this.#freedKey = high | 1;
  }

  /** Writes the header of an object that is in use; `request` is the bytes asked for. */
  writeLive(address: Address, context: ContextIndex, extent: number, request: number): void {
    const u32 = this.#u32;
    const end = address >>> 2;
    // All that is called, before the first store: an overflow of the stack leaves no half header.
    const seal = this.#sealOf(address, context, extent, request) ^ LIVE_KEY;
    u32[end - CONTEXT] = context;
    u32[end - EXTENT] = extent;
    u32[end - REQUEST] = request;
    this.#i32[end - SEAL] = seal;
  }

  /**
   * Writes the header of a freed object.
   * @param next the next freed object of its size, 0 = none; of an object with a chunk of its own the
   *   bytes asked for
   */
  writeFreed(address: Address, context: ContextIndex, extent: number, next: number): void {
    const u32 = this.#u32;
    const end = address >>> 2;
    // As in writeLive.
    const seal = this.#sealOf(address, context, extent, next) ^ this.#freedKey;
    u32[end - CONTEXT] = context;
    u32[end - EXTENT] = extent;
    u32[end - REQUEST] = next;
    this.#i32[end - SEAL] = seal;
  }

  /** The header before an address; null where there is none whose seal is right. */
  read(address: unknown): ObjectHeader | null {
    const { dataStart, end } = this.#geometry;
    if (typeof address !== 'number' || (address >>> GRANULE_SHIFT) * GRANULE_BYTES !== address) {
      return null;
    }
    if (address < dataStart + OBJECT_HEADER_BYTES || address >= end) return null;
    const u32 = this.#u32;
    const at = address >>> 2;
    const context = u32[at - CONTEXT] as ContextIndex;
    if (context === 0 || context > this.#table.count) return null;
    if (ContextRecord.phaseOf(Records.load(this.#i32, Records.at(this.#table, context))) === 0)
      return null;
    const extent = u32[at - EXTENT];
    const request = u32[at - REQUEST];
    const key = this.#i32[at - SEAL] ^ this.#sealOf(address, context, extent, request);
    if (key === LIVE_KEY) return { context, extent, request, state: LIVE };
    return key === this.#freedKey ? { context, extent, request, state: FREED } : null;
  }

  /** What a freed object's header names as the next one; -1 where its seal is wrong. */
  nextFreed(address: Address, context: ContextIndex, extent: number): number {
    const u32 = this.#u32;
    const at = address >>> 2;
    const next = u32[at - REQUEST];
    const right = this.#sealOf(address, context, extent, next) ^ this.#freedKey;
    const same = u32[at - CONTEXT] === context && u32[at - EXTENT] === extent;
    return same && this.#i32[at - SEAL] === right ? next : -1;
  }

  #sealOf(address: number, context: number, extent: number, request: number): number {
    const u32 = this.#u32;
    const record = Records.at(this.#table, context);
    let seal = this.#secret ^ address;
    seal = Math.imul(seal ^ context, 0x9e3779b1);
    seal = Math.imul((seal ^ (seal >>> 15)) + ContextRecord.getGeneration(u32, record), 0x85ebca6b);
    seal = Math.imul((seal ^ (seal >>> 13)) + ContextRecord.getEpoch(u32, record), 0xc2b2ae35);
    seal = Math.imul((seal ^ (seal >>> 16)) + extent, 0x27d4eb2f);
    return Math.imul((seal ^ (seal >>> 15)) + request, 0x165667b1);
  }
}
