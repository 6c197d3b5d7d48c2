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
import {
  type ContextIndex,
  contextPhase,
  contextTable,
  getEpoch,
  getGeneration,
  getSecret,
  type HeapMemory,
  loadRecord,
  recordAt,
} from '../layout/index.js';

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

export interface ObjectHeaders {
  write(
    address: Address,
    context: ContextIndex,
    extent: number,
    request: number,
    state: ObjectState,
  ): void;
  /** The header before an address; null where there is none whose seal is right. */
  read(address: unknown): ObjectHeader | null;
  /** What a freed object's header names as the next one; -1 where its seal is wrong. */
  nextFreed(address: Address, context: ContextIndex, extent: number): number;
}

export function createObjectHeaders({ i32, u32, geometry }: HeapMemory): ObjectHeaders {
  const table = contextTable(geometry);
  const [low, high] = getSecret(u32, geometry.debug);

  function sealOf(address: number, context: number, extent: number, request: number): number {
    const record = recordAt(table, context);
    let seal = low ^ address;
    seal = Math.imul(seal ^ context, 0x9e3779b1);
    seal = Math.imul((seal ^ (seal >>> 15)) + getGeneration(u32, record), 0x85ebca6b);
    seal = Math.imul((seal ^ (seal >>> 13)) + getEpoch(u32, record), 0xc2b2ae35);
    seal = Math.imul((seal ^ (seal >>> 16)) + extent, 0x27d4eb2f);
    return Math.imul((seal ^ (seal >>> 15)) + request, 0x165667b1);
  }

  const keyOf = (state: ObjectState): number => (state === LIVE ? 0 : high | 1);

  function write(
    address: Address,
    context: ContextIndex,
    extent: number,
    request: number,
    state: ObjectState,
  ): void {
    const end = address >>> 2;
    // All that is called, before the first store: an overflow of the stack leaves no half header.
    const seal = sealOf(address, context, extent, request) ^ keyOf(state);
    u32[end - CONTEXT] = context;
    u32[end - EXTENT] = extent;
    u32[end - REQUEST] = request;
    i32[end - SEAL] = seal;
  }

  function read(address: unknown): ObjectHeader | null {
    const { dataStart, end } = geometry;
    if (typeof address !== 'number' || (address >>> GRANULE_SHIFT) * GRANULE_BYTES !== address) {
      return null;
    }
    if (address < dataStart + OBJECT_HEADER_BYTES || address >= end) return null;
    const at = address >>> 2;
    const context = u32[at - CONTEXT] as ContextIndex;
    if (context === 0 || context > table.count) return null;
    if (contextPhase(loadRecord(i32, recordAt(table, context))) === 0) return null;
    const extent = u32[at - EXTENT];
    const request = u32[at - REQUEST];
    const key = i32[at - SEAL] ^ sealOf(address, context, extent, request);
    if (key === keyOf(LIVE)) return { context, extent, request, state: LIVE };
    return key === keyOf(FREED) ? { context, extent, request, state: FREED } : null;
  }

  function nextFreed(address: Address, context: ContextIndex, extent: number): number {
    const at = address >>> 2;
    const next = u32[at - REQUEST];
    const right = sealOf(address, context, extent, next) ^ keyOf(FREED);
    const same = u32[at - CONTEXT] === context && u32[at - EXTENT] === extent;
    return same && i32[at - SEAL] === right ? next : -1;
  }

  return { write, read, nextFreed };
}
