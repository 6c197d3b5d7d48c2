/**
 * The slow path: what malloc and free do where the thread's magazine does not serve. Overview of the
 * whole heap.
 *
 * Called by fast-path.ts and calls.ts. Owner thread only; each function takes the thread's heap.
 *
 * The ladder of an allocation, from the fastest step down:
 *   1. pop the thread's magazine of the size class: no lock, no call       fast-path.ts, about 3 ns
 *   2. empty magazine: refill it from the class's spans, class lock        thread-cache.ts, once a batch
 *   3. no span with a free block: a retired one, or a new one cut from a run,
 *      page lock                                                   retired-spans.ts, spans.ts
 *   4. no free run that fits: give the other retired spans back, then take
 *      pages from the untouched reserve                                 page-heap.ts
 *   5. heap full: give back what this thread has cached, all threads' retired spans, then what dead threads
 *      had; then 0, at once as long as nothing comes back           fullness.ts, looks.ts
 * and of a free:
 *   1. push into the magazine of the block's class, by its tag, or on that
 *      of blocks owned by another thread                            fast-path.ts, about 3 ns
 *   2. full magazine: give half or all of it back to the spans' bitmaps    thread-cache.ts, once a batch
 *   3. spans that came wholly free: keep them as retired spans, or give their
 *      runs back, merge                                                 retired-spans.ts, page-heap.ts
 * Over 64 KiB a block is a run of its own: large.ts.
 *
 * fast-path I1 to I4 hold here as well, and:
 * I1  What follows a commit (a flush after a push) may fail; the call that it belongs to does not. Nothing
 *     is called between a commit and the return, where there are no events: V8 could cut it there.
 *
 * Comments `point: name` mark the stores at which tests kill a thread on purpose (test/points).
 */

import {
  type Address,
  alignedClassOf,
  classOf,
  GRANULE_SHIFT,
  HeapCorruptionError,
  LARGE,
  type MagazineIndex,
  NULL,
  PAGE_BYTES,
  PAGE_SHIFT,
  pagesOf,
  REMOTE,
  type SizeClass,
  SMALL_BYTES_MAX,
} from '../base/index.js';
import * as Slot from '../layout/slot.js';
import { requireAlignment, requireSize } from './arguments.js';
import { clearLarge, clearSmall } from './block-bytes.js';
import { invalid } from './lookup.js';
import type { ThreadHeap } from './thread-heap.js';
import { recoverIfDue } from './tools.js';

// Rebound: an imported constant costs a cell load at each use, a constant of the same file none.
const SENTINEL_WORD = Slot.SENTINEL;
const LARGE_TAG = LARGE;
const PAGES = PAGE_SHIFT;
const REMOTE_MAGAZINES = REMOTE;
const SHIFT = GRANULE_SHIFT;
const STEP = Slot.MALLOC_STEP;

// ---- small blocks

export function mallocOther(heap: ThreadHeap, size: number): Address {
  requireSize('malloc', size);
  heap.section.checkOpen();
  if (size <= SMALL_BYTES_MAX) return allocateSmall(heap, classOf(size), size);
  return allocateLarge(heap, size, 1, false);
}

export function calloc(heap: ThreadHeap, count: number, size: number): Address {
  requireSize('calloc', count);
  requireSize('calloc', size);
  // Of a poisoned heap the magazines look empty: only a detached thread must not get that far.
  heap.section.checkAttached();
  const bytes = count * size;
  if (bytes > SMALL_BYTES_MAX) return allocateLarge(heap, bytes, 1, true);
  const c = classOf(bytes);
  const address = newest(heap, c);
  // Cleared while it is still in the magazine: a block that is committed is a block that is zero.
  if (address === 0) return allocateSmall(heap, c, bytes, bytes);
  clearSmall(heap.memory, address, bytes);
  return pop(heap, c);
}

export function alignedAlloc(heap: ThreadHeap, alignment: number, size: number): Address {
  requireAlignment(alignment);
  requireSize('alignedAlloc', size);
  heap.section.checkOpen();
  const c = alignedClassOf(alignment, size);
  if (c !== 0) return allocateSmall(heap, c, size);
  return allocateLarge(heap, Math.max(size, 1), Math.max(1, alignment / PAGE_BYTES), false);
}

/**
 * Pops a block for a call that asked for `bytes` bytes, refilling the magazine first where it is
 * empty. Clears `zeroBytes` of it. Kept as short as it is: the compiler takes it into malloc's
 * callers, and with one call more in it the trace bash takes 5 % longer.
 */
export function allocateSmall(
  heap: ThreadHeap,
  c: SizeClass,
  bytes: number,
  zeroBytes = 0,
): Address {
  if (newest(heap, c) === 0 && !fillGated(heap, c, bytes))
    return endSmall(heap, c, bytes, zeroBytes);
  if (zeroBytes > 0) clearSmall(heap.memory, uncommitted(heap, c), zeroBytes);
  return pop(heap, c);
}

/** The end of an allocation that found the heap full, or has events to flush after its commit. */
function endSmall(heap: ThreadHeap, c: SizeClass, bytes: number, zeroBytes: number): Address {
  if (newest(heap, c) === 0) {
    heap.section.checkOpen();
    return refuse(heap, bytes);
  }
  if (zeroBytes > 0) clearSmall(heap.memory, uncommitted(heap, c), zeroBytes);
  const address = pop(heap, c);
  if (heap.events.state.hasPending) heap.events.flush();
  return address;
}

/** The answer of an allocation for which there is no room. */
export function refuse({ events }: ThreadHeap, bytes: number): typeof NULL {
  events.addExhausted(bytes);
  events.flush();
  return NULL;
}

/** The block that the next pop commits; 0 where the magazine is empty. */
export function newest(heap: ThreadHeap, c: SizeClass): Address {
  const u32 = heap.memory.u32;
  return u32[u32[heap.tops + c] - 1] as Address;
}

/** That block in a magazine that was filled: there is none only where the heap was poisoned just now. */
export function uncommitted(heap: ThreadHeap, c: SizeClass): Address {
  const address = newest(heap, c);
  if (address !== 0) return address;
  heap.section.checkOpen();
  throw new HeapCorruptionError(`the magazine of class ${c} was filled, and is empty (slot I1)`);
}

/**
 * Refills a magazine for a call that asked for `bytes` bytes; false when the heap is full, or there
 * are events to flush.
 */
export function fillGated(heap: ThreadHeap, c: SizeClass, bytes: number, nested = false): boolean {
  const { section } = heap;
  let filled: boolean;
  section.enter(nested);
  try {
    filled = fill(heap, c);
  } catch (error) {
    throw section.abort(error);
  }
  section.leave();
  if (filled) heap.samples.small(c, bytes);
  return filled && !heap.events.state.hasPending;
}

/** Makes sure that a magazine has a block; false when the heap is full. In a section. */
export function fill(heap: ThreadHeap, c: SizeClass): boolean {
  if (newest(heap, c) !== 0) return true;
  const isKnownFull = heap.fullness.isFullFor(c);
  if (!isKnownFull && (heap.cache.refill(c) || search(heap, c))) return true;
  // What dead threads had, whether this thread gives it back or another does so just now.
  return recoverIfDue(heap) && search(heap, c);
}

/**
 * Refills a magazine with whatever the heap has, down to what this thread and all as retired spans keep.
 */
function search({ cache, fullness }: ThreadHeap, c: SizeClass): boolean {
  fullness.begin();
  cache.flushAll();
  const found = cache.refill(c);
  if (!found) fullness.noteFull(c);
  return found;
}

/** Commits the newest block of a magazine that is not empty. */
export function pop(heap: ThreadHeap, c: SizeClass): Address {
  const { u32, f64, tags } = heap.memory;
  const { tops, mallocs } = heap;
  const top = u32[tops + c] - 1;
  const address = u32[top] || uncommitted(heap, c);
  // point: pop.tag
  tags[address >>> SHIFT] = c;
  // point: pop.count
  f64[mallocs + c] += STEP;
  // point: pop.top
  u32[tops + c] = top;
  return address as Address;
}

// ---- large blocks

function allocateLarge(
  heap: ThreadHeap,
  bytes: number,
  alignPages: number,
  zero: boolean,
): Address {
  const { large, events } = heap;
  const address = reserveGated(heap, bytes, alignPages);
  if (address === 0) return refuse(heap, bytes);
  if (zero && !large.wasFresh()) clearLarge(heap.memory, address, bytes);
  large.commit(address);
  if (events.state.hasPending) events.flush();
  return address;
}

export function reserveGated(
  heap: ThreadHeap,
  bytes: number,
  alignPages: number,
  nested = false,
): Address {
  const { section } = heap;
  let address: Address;
  section.enter(nested);
  try {
    address = reserve(heap, bytes, alignPages, false);
    // In here, where an end of the stack gives the run back.
    if (address !== 0) heap.samples.large(bytes);
  } catch (error) {
    throw section.abort(error);
  }
  section.leave();
  return address;
}

/** Reserves a run for a large block; 0 when the heap is full. In a section. */
export function reserve(
  heap: ThreadHeap,
  bytes: number,
  alignPages: number,
  growing: boolean,
): Address {
  const pages = pagesOf(bytes);
  // Refused here, so that no larger number ever gets near a run word.
  if (!(pages <= heap.memory.geometry.dataBytes / PAGE_BYTES)) return NULL;
  let address = NULL as Address;
  if (!heap.fullness.hasNoRun(pages, alignPages)) {
    address =
      heap.large.reserve(pages, alignPages, growing) || searchRun(heap, pages, alignPages, growing);
  }
  if (address !== 0 || !recoverIfDue(heap)) return address;
  return searchRun(heap, pages, alignPages, growing);
}

/** Reserves a run from whatever the heap has, as search does for a block. */
function searchRun(
  { cache, fullness, large }: ThreadHeap,
  pages: number,
  alignPages: number,
  growing: boolean,
): Address {
  fullness.begin();
  cache.flushAll();
  const address = large.reserve(pages, alignPages, growing);
  if (address === 0) fullness.noteNoRun(pages, alignPages);
  return address;
}

// ---- free

export function freeOther(heap: ThreadHeap, address: Address): void {
  if (address === 0) return;
  heap.section.checkOpen();
  throw invalid(heap, 'free', address);
}

export function freeSlow(heap: ThreadHeap, address: Address, c: SizeClass): void {
  if (heap.state.isRehearsing) return;
  if (c === 0 || c > LARGE_TAG) throw invalid(heap, 'free', address);
  const { section } = heap;
  section.enter();
  try {
    give(heap, address, c);
  } catch (error) {
    throw section.abort(error);
  }
  section.leave();
  heap.events.flush();
}

/** Frees a live block of class `c`, or LARGE. In a section. */
export function give(heap: ThreadHeap, address: Address, c: SizeClass): void {
  if (c === LARGE_TAG) {
    heap.large.free(address);
    return;
  }
  const { cache, tops } = heap;
  const { u32, tags } = heap.memory;
  const magazine = magazineFor(heap, address, c);
  cache.open(magazine);
  // Only after a flush that failed; this one may throw, since nothing is freed yet.
  if (cache.isOver(magazine)) cache.flush(magazine);
  const full = isFull(heap, magazine);
  const top = u32[tops + magazine];
  // point: push.entry
  u32[top] = address;
  // point: push.top
  u32[tops + magazine] = top + 1;
  // point: push.untag
  tags[address >>> SHIFT] = 0;
  if (!full) return;
  try {
    cache.flush(magazine);
  } catch (error) {
    if (!heap.selfRepair.locks(error)) throw error;
  }
}

export function isFull(heap: ThreadHeap, magazine: MagazineIndex): boolean {
  const memory = heap.memory;
  return memory.i32[memory.u32[heap.tops + magazine]] === SENTINEL_WORD;
}

/** The magazine that a block goes to when it is freed: where it is owned by another thread, away. */
export function magazineFor(heap: ThreadHeap, address: Address, c: SizeClass): MagazineIndex {
  const isOwn = heap.memory.owners[address >>> PAGES] === heap.owner;
  return (isOwn ? c : c + REMOTE_MAGAZINES) as MagazineIndex;
}
