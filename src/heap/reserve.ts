/**
 * Reserve and commit: an allocation in two halves, for a caller that has something to write into a block
 * before anybody has it.
 *
 * Called by calls.ts, for debug/ and owned-blocks.ts. Owner thread only.
 */

import {
  type Address,
  alignedClassOf,
  GRANULE_SHIFT,
  LARGE,
  OWNED,
  OWNED_LARGE,
  PAGE_BYTES,
  type WordIndex,
} from '../base/index.js';
import * as Slot from '../layout/slot.js';
import { usableBytes } from './lookup.js';
import { fillGated, newest, pop, reserveGated } from './slow-path.js';
import type { ThreadHeap } from './thread-heap.js';

export function reserveBlock(
  heap: ThreadHeap,
  alignment: number,
  bytes: number,
  apart: boolean,
): Address {
  heap.section.checkOpen();
  const c = apart ? 0 : alignedClassOf(alignment, bytes);
  heap.state.reservedClass = c === 0 ? LARGE : c;
  if (c === 0) {
    return reserveGated(heap, Math.max(bytes, 1), Math.max(1, alignment / PAGE_BYTES), true);
  }
  if (newest(heap, c) === 0) fillGated(heap, c, bytes, true);
  return newest(heap, c);
}

export function reservedBytes(heap: ThreadHeap, address: Address): number {
  return usableBytes(heap, address, heap.state.reservedClass);
}

export function commit(heap: ThreadHeap, address: Address): void {
  const { reservedClass } = heap.state;
  if (reservedClass === LARGE) heap.large.commit(address);
  else pop(heap, reservedClass);
}

/**
 * Never without its tag: a sweep for orphans must not take it for what it was before. Straight stores:
 * V8 cuts none of them off from the pop, so that no intent of a living thread names what is on its
 * magazine, where the program's next malloc finds it.
 */
export function commitOwned(
  heap: ThreadHeap,
  address: Address,
  word: WordIndex,
  old: Address,
): void {
  const { u32, f64, tags } = heap.memory;
  const { tops, mallocs } = heap;
  const { reservedClass } = heap.state;
  const intent = Slot.intentOf(heap.slot);
  // point: place.in
  u32[intent + 1] = address;
  // point: place.out
  u32[intent + 2] = old;
  // point: place.intent
  u32[intent] = word;
  if (reservedClass === LARGE) {
    heap.large.commit(address, OWNED_LARGE);
    return;
  }
  // point: place.own
  tags[address >>> GRANULE_SHIFT] = OWNED;
  // point: pop.count
  f64[mallocs + reservedClass] += Slot.MALLOC_STEP;
  // point: pop.top
  u32[tops + reservedClass] -= 1;
}
