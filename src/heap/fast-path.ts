/**
 * The fast path: malloc from the thread's magazine, and free into it. About 3 ns each.
 *
 * The one file in which functions are closures over constants: the compiler folds what malloc and free
 * read of the heap (views, the slot's place) into their code, which it does not for what is read through an
 * object or a parameter. All else is in slow-path.ts, as functions that take the thread's heap.
 *
 * Made once per thread. The fast path needs no lock, since a thread's cache is its own; so one set of
 * calls serves heaps with one thread and with many. The ladder of an allocation: slow-path.ts.
 *
 * I1  Commit last: tag, count, and only then the pop. A thread that dies before the pop leaves the
 *     block in its magazine, for recovery to take back; its tag is cleared then.
 * I2  Free first: push, and only then the tag. With a full magazine the push goes over the sentinel.
 * I3  Everything that can fail or throw is before the first of these stores.
 * I4  No call and no loop stands between the stores of a fast path: a caught stack overflow could strike
 *     there, and V8 cut the call of a thread that lives on (marks.ts).
 */

import {
  type Address,
  CLASS_OF_GRANULES,
  fillWords,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  PAGE_SHIFT,
  REMOTE,
  type SizeClass,
  SMALL_BYTES_MAX,
} from '../base/index.js';
import * as Slot from '../layout/slot.js';
import { allocateSmall, freeOther, freeSlow, mallocOther } from './slow-path.js';
import type { ThreadHeap } from './thread-heap.js';

/** Longer than 64 bytes, so that the engine keeps it outside its own heap, at a fixed address. */
const OWN_LENGTH = 32;

export interface FastPath {
  malloc(size: number): Address;
  free(address: Address): void;
  /** The thread detaches: no call of these may touch its slot again. */
  close(): void;
}

export function createFastPath(heap: ThreadHeap): FastPath {
  // In here, since an imported constant costs a load at each use, and so does one of the file's own in the
  // bundles of esbuild, which makes a variable of it: pairs then take 7.3 ns for 3.4.
  const SENTINEL = Slot.SENTINEL;
  const STEP = Slot.MALLOC_STEP;
  const SHIFT = GRANULE_SHIFT;
  const REMOTE_MAGAZINES = REMOTE;
  /** From an address's granule to its page. */
  const PAGE_GRANULES_SHIFT = PAGE_SHIFT - GRANULE_SHIFT;
  const ROUND_UP = GRANULE_BYTES - 1;
  /** Sizes that equal themselves under this mask are integers from 0 to 64 KiB - 1. */
  const FAST_SIZE_MASK = SMALL_BYTES_MAX - 1;
  /** Places in `own`: how many bytes of data there are to free; the class that was allocated last. */
  const LIMIT = 0;
  const LAST = 16;

  const { i32, u32, f64, tags, owners } = heap.memory;
  const { dataStart, dataBytes } = heap.memory.geometry;
  const { tops, mallocs, owner } = heap;
  // Both are this attachment's own, and constants to the compiler; close() empties them, and every
  // fast path then ends at a section that refuses. (A variable in their place costs a load, a test for
  // its initialisation and one for a small integer at every call.)
  const classOfGranules = new Uint8Array(CLASS_OF_GRANULES);
  const own = new Uint32Array(OWN_LENGTH);
  own[LIMIT] = dataBytes;

  function malloc(size: number): Address {
    if (typeof size !== 'number' || size !== (size & FAST_SIZE_MASK)) return mallocElse(size);
    const c = classOfGranules[(size + ROUND_UP) >>> SHIFT];
    const top = u32[tops + c] - 1;
    const address = u32[top];
    if (address === 0) return refill(c as SizeClass, size);
    tags[address >>> SHIFT] = c;
    f64[mallocs + c] += STEP;
    u32[tops + c] = top;
    own[LAST] = c;
    return address as Address;
  }

  function free(address: Address): void {
    const granule = typeof address === 'number' ? address >>> SHIFT : 0;
    if ((granule << SHIFT) >>> 0 !== address || (address - dataStart) >>> 0 >= own[LIMIT]) {
      freeElse(address);
      return;
    }
    // Guessing that a block of the class just allocated is freed lets the processor go on with the
    // magazine's top while the tag is still on its way: 4.2 instead of 8.9 ns for malloc and free in
    // turn, nothing lost on real programs.
    let c = own[LAST];
    const tag = tags[granule];
    if (tag !== c) c = tag;
    const magazine = owners[granule >>> PAGE_GRANULES_SHIFT] === owner ? c : c + REMOTE_MAGAZINES;
    const top = u32[tops + magazine];
    if (i32[top] === SENTINEL) {
      flush(address, c as SizeClass);
      return;
    }
    u32[top] = address;
    u32[tops + magazine] = top + 1;
    tags[granule] = 0;
  }

  // The ways out, as functions of their own: with an object to pass in malloc and free, the compiler of
  // Node 26 made pairs of both a quarter slower (6.2 for 4.95 ns).
  function mallocElse(size: number): Address {
    return mallocOther(heap, size);
  }

  function refill(c: SizeClass, size: number): Address {
    return allocateSmall(heap, c, size);
  }

  function freeElse(address: Address): void {
    freeOther(heap, address);
  }

  function flush(address: Address, c: SizeClass): void {
    freeSlow(heap, address, c);
  }

  function close(): void {
    // Class 0's magazine is empty for ever, and no address is below 0.
    fillWords(classOfGranules, 0);
    fillWords(own, 0);
  }

  return { malloc, free, close };
}
