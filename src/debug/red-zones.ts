/**
 * Red zones: bytes before and after each block that no thread may write. An overrun damages them,
 * and a check finds out how far.
 *
 * Used by block-checks.ts. The block's owner paints; any thread may check.
 *
 * Each byte depends on its own address and the heap's secret, so that a zone copied from elsewhere
 * is not valid. No byte is 0x00, 0x55, 0xAA, 0xFF or ASCII: damage by the values that programs
 * mostly write is seen at every byte. (Guards keyed by address: as in mimalloc's secure mode;
 * zones: Electric Fence, ASan.)
 */

import * as DebugRecord from '../layout/debug-record.js';
import type { HeapMemory } from '../layout/index.js';

/** Addresses of the first and the last damaged byte. */
export interface Damaged {
  readonly first: number;
  readonly last: number;
}

export interface RedZones {
  paint(from: number, to: number): void;
  /** The damage from `from` to `to`; null if all bytes are intact. */
  find(from: number, to: number): Damaged | null;
}

export function createRedZones({ u8, i32, u32, geometry }: HeapMemory): RedZones {
  const [low, high] = DebugRecord.getSecret(u32, geometry.debug);

  /**
   * The finisher of MurmurHash3 (Appleby), then moved out of the values that programs mostly write.
   */
  function wordAt(word: number): number {
    let x = Math.imul(word ^ low, 0x9e3779b1) ^ high;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) & 0x5f5f5f5f) | 0x80808080;
  }

  const byteAt = (address: number): number =>
    (wordAt(address >>> 2) >>> ((address & 3) << 3)) & 0xff;

  function paint(from: number, to: number): void {
    let at = from;
    for (; at < to && (at & 3) !== 0; at++) u8[at] = byteAt(at);
    for (; at + 4 <= to; at += 4) i32[at >>> 2] = wordAt(at >>> 2);
    for (; at < to; at++) u8[at] = byteAt(at);
  }

  function find(from: number, to: number): Damaged | null {
    let first = from;
    while (first < to && u8[first] === byteAt(first)) {
      // Word by word through the intact part of a long zone.
      if ((first & 3) === 0 && first + 4 <= to && i32[first >>> 2] === wordAt(first >>> 2)) {
        first += 4;
      } else first++;
    }
    if (first >= to) return null;
    let last = to - 1;
    while (u8[last] === byteAt(last)) last--;
    return { first, last };
  }

  return { paint, find };
}
