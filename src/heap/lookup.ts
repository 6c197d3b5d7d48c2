/**
 * Looking blocks up: by their tags, as every call does that is given an address.
 *
 * Called by slow-path.ts, realloc.ts and reserve.ts. Owner thread only; takes no lock but to explain a bad
 * address.
 */

import { type Address, BLOCK_BYTES, GRANULE_SHIFT, LARGE, type SizeClass } from '../base/index.js';
import { createDiagnose } from '../blocks/index.js';
import type { ThreadHeap } from './thread-heap.js';

// Rebound: an imported constant costs a cell load at each use, a constant of the same file none.
const blockBytes = BLOCK_BYTES;
const LARGE_TAG = LARGE;
const SHIFT = GRANULE_SHIFT;

export function usableSize(heap: ThreadHeap, address: Address, asked = 'measure'): number {
  heap.section.checkOpen();
  return usableBytes(heap, address, tagOf(heap, address, asked));
}

export function usableBytes({ large }: ThreadHeap, address: Address, c: SizeClass): number {
  return c === LARGE_TAG ? large.bytesOf(address) : blockBytes[c];
}

/** The tag of a live block; throws for any other address. */
export function tagOf(heap: ThreadHeap, address: Address, asked: string): SizeClass {
  const memory = heap.memory;
  const { dataStart, dataBytes } = memory.geometry;
  const granule = typeof address === 'number' ? address >>> SHIFT : 0;
  if ((granule << SHIFT) >>> 0 !== address || (address - dataStart) >>> 0 >= dataBytes) {
    throw invalid(heap, asked, address);
  }
  const c = memory.tags[granule];
  if (c === 0 || c > LARGE_TAG) throw invalid(heap, asked, address);
  return c as SizeClass;
}

/** The error for an address that no call of the program takes. */
export function invalid(heap: ThreadHeap, asked: string, address: unknown): Error {
  const { memory, section, events, access } = heap;
  const explain = createDiagnose(memory, access);
  section.checkOpen();
  // In the middle of a change of an object, perhaps: a vector frees what its elements point to.
  return events.deferring(() => section.read(() => explain(asked, address), true));
}
