/**
 * The allocator: malloc, free, calloc, realloc, alignedAlloc. Overview of the whole heap.
 *
 * Made once per thread. The fast paths need no lock, since a thread's cache is its own; so one set of calls
 * serves heaps with one thread and with many.
 *
 * The ladder of an allocation, from the fastest step down:
 *   1. pop the thread's magazine of the size class: no lock, no call       malloc, about 3 ns
 *   2. empty magazine: refill it from the class's spans, class lock        thread-cache.ts, once a batch
 *   3. no span with a free block: a retired one, or a new one cut from a run,
 *      page lock                                                   retired-spans.ts, spans.ts
 *   4. no free run that fits: give the other retired spans back, then take
 *      pages from the untouched reserve                                 page-heap.ts
 *   5. heap full: give back what this thread has cached, all threads' retired spans, then what dead threads
 *      had; then 0, at once as long as nothing comes back           fullness.ts, looks.ts
 * and of a free:
 *   1. push into the magazine of the block's class, by its tag, or on that
 *      of blocks owned by another thread                            free, about 3 ns
 *   2. full magazine: give half or all of it back to the spans' bitmaps    thread-cache.ts, once a batch
 *   3. spans that came wholly free: keep them as retired spans, or give their
 *      runs back, merge                                                 retired-spans.ts, page-heap.ts
 * Over 64 KiB a block is a run of its own: large.ts.
 *
 * I1  Commit last: tag, count, and only then the pop. A thread that dies before the pop leaves the
 *     block in its magazine, for recovery to take back; its tag is cleared then.
 * I2  Free first: push, and only then the tag. With a full magazine the push goes over the sentinel.
 * I3  Everything that can fail or throw is before the first of these stores.
 * I4  No call and no loop stands between the stores of a fast path: a caught stack overflow could strike
 *     there, and V8 cut the call of a thread that lives on (marks.ts).
 * I5  What follows a commit (a flush after a push) may fail; the call that it belongs to does not. Nothing
 *     is called between a commit and the return, where there are no events: V8 could cut it there.
 *
 * Comments `point: name` mark the stores at which tests kill a thread on purpose (test/points).
 */

import {
  type Address,
  alignedClassOf,
  BLOCK_BYTES,
  CLASS_OF_GRANULES,
  classOf,
  fillWords,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  HeapCorruptionError,
  LARGE,
  type MagazineIndex,
  NULL,
  OWNED,
  OWNED_LARGE,
  PAGE_BYTES,
  PAGE_SHIFT,
  pagesOf,
  REMOTE,
  type SizeClass,
  type SlotIndex,
  SMALL_BYTES_MAX,
  type WordIndex,
} from '../base/index.js';
import type { Diagnose } from '../blocks/index.js';
import {
  type HeapMemory,
  intentOf,
  MALLOC_STEP,
  mallocsOf,
  ownerCodeOf,
  SENTINEL,
  topsOf,
} from '../layout/index.js';
import type { Cache, Samples } from '../pages/index.js';
import type { SelfRepair } from '../recovery/index.js';
import { requireAlignment, requireSize } from './arguments.js';
import { clearLarge, clearSmall, copyBytes } from './block-bytes.js';
import type { EventQueue } from './event-queue.js';
import type { Fullness } from './fullness.js';
import type { LargeBlocks } from './large.js';
import type { Section } from './section.js';

// Rebound: an imported constant costs a cell load at each use, a constant of the same file none.
const blockBytes = BLOCK_BYTES;
const SENTINEL_WORD = SENTINEL;
const LARGE_TAG = LARGE;
const SHIFT = GRANULE_SHIFT;
const REMOTE_MAGAZINES = REMOTE;
const STEP = MALLOC_STEP;
/** From an address's granule to its page. */
const PAGE_GRANULES_SHIFT = PAGE_SHIFT - GRANULE_SHIFT;
const ROUND_UP = GRANULE_BYTES - 1;
/** Sizes that equal themselves under this mask are integers from 0 to 64 KiB - 1. */
const FAST_SIZE_MASK = SMALL_BYTES_MAX - 1;
/** Longer than 64 bytes, so that the engine keeps it outside its own heap, at a fixed address. */
const OWN_LENGTH = 32;
/** Places in it: how many bytes of data there are to free; the class that was allocated last. */
const LIMIT = 0;
const LAST = 16;

/** One thread's calls on one heap. The contract of each is in api/shared-heap.ts. */
export interface Calls {
  malloc(size: number): Address;
  free(address: Address): void;
  calloc(count: number, size: number): Address;
  realloc(address: Address, size: number): Address;
  alignedAlloc(alignment: number, size: number): Address;
  usableSize(address: Address, asked?: string): number;
  /**
   * The first half of an allocation: a block that belongs to nobody yet, and comes back by recovery
   * should the thread die; 0 when the heap is full. `apart`: a run of its own, whatever its size.
   */
  reserve(alignment: number, bytes: number, apart: boolean): Address;
  /** Usable bytes of what was reserved last. */
  reservedBytes(address: Address): number;
  /** The second half: hands out what was reserved last. */
  commit(address: Address): void;
  /**
   * The same, to an object of the heap and not to the program: into a word that has `old` so far
   * (owned-blocks.ts). The intent stands from before.
   */
  commitOwned(address: Address, word: WordIndex, old: Address): void;
  /** Throws where the section would let nobody in. */
  pass(): void;
  /** The thread detaches: no call of these may touch its slot again. */
  close(): void;
}

/** The calls of a thread just attaching. */
export interface FreshCalls extends Calls {
  /**
   * Takes free's slow exit, so that engines know it when they compile free: else its code, and all code
   * that has it inlined, is thrown away at the first flush. While no magazine is open.
   */
  rehearse(): void;
}

export function createCalls(
  memory: HeapMemory,
  slotIndex: SlotIndex,
  slot: WordIndex,
  section: Section,
  cache: Cache,
  large: LargeBlocks,
  diagnose: Diagnose,
  selfRepair: SelfRepair,
  fullness: Fullness,
  recoverIfDue: () => boolean,
  samples: Samples,
  events: EventQueue,
): FreshCalls {
  const { i32, u32, f64, tags, owners } = memory;
  const told = events.state;
  const { dataStart, dataBytes } = memory.geometry;
  const dataPages = dataBytes / PAGE_BYTES;
  const tops = topsOf(slot);
  const mallocs = mallocsOf(slot);
  const owner = ownerCodeOf(slotIndex);
  const intent = intentOf(slot);
  // Both are this attachment's own, and constants to the compiler; close() empties them, and every
  // fast path then ends at a section that refuses. (A variable in their place costs a load, a test for
  // its initialisation and one for a small integer at every call.)
  const classOfGranules = new Uint8Array(CLASS_OF_GRANULES);
  const own = new Uint32Array(OWN_LENGTH);
  own[LIMIT] = dataBytes;
  /** Of the block reserved last. */
  let reservedClass = LARGE_TAG;
  let rehearsing = false;

  // ---- fast paths

  function malloc(size: number): Address {
    if (typeof size !== 'number' || size !== (size & FAST_SIZE_MASK)) return mallocOther(size);
    const c = classOfGranules[(size + ROUND_UP) >>> SHIFT];
    const top = u32[tops + c] - 1;
    const address = u32[top];
    if (address === 0) return allocateSmall(c as SizeClass, size);
    tags[address >>> SHIFT] = c;
    f64[mallocs + c] += STEP;
    u32[tops + c] = top;
    own[LAST] = c;
    return address as Address;
  }

  function free(address: Address): void {
    const granule = typeof address === 'number' ? address >>> SHIFT : 0;
    if ((granule << SHIFT) >>> 0 !== address || (address - dataStart) >>> 0 >= own[LIMIT]) {
      freeOther(address);
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
    if (i32[top] === SENTINEL_WORD) {
      freeSlow(address, c as SizeClass);
      return;
    }
    u32[top] = address;
    u32[tops + magazine] = top + 1;
    tags[granule] = 0;
  }

  // ---- allocation, slow

  function mallocOther(size: number): Address {
    requireSize('malloc', size);
    section.checkOpen();
    if (size <= SMALL_BYTES_MAX) return allocateSmall(classOf(size), size);
    return allocateLarge(size, 1, false);
  }

  function calloc(count: number, size: number): Address {
    requireSize('calloc', count);
    requireSize('calloc', size);
    // Of a poisoned heap the magazines look empty: only a detached thread must not get that far.
    if (own[LIMIT] === 0) section.checkOpen();
    const bytes = count * size;
    if (bytes > SMALL_BYTES_MAX) return allocateLarge(bytes, 1, true);
    const c = classOf(bytes);
    const address = newest(c);
    // Cleared while it is still in the magazine: a block that is committed is a block that is zero.
    if (address === 0) return allocateSmall(c, bytes, bytes);
    clearSmall(memory, address, bytes);
    return pop(c);
  }

  function alignedAlloc(alignment: number, size: number): Address {
    requireAlignment(alignment);
    requireSize('alignedAlloc', size);
    section.checkOpen();
    const c = alignedClassOf(alignment, size);
    if (c !== 0) return allocateSmall(c, size);
    return allocateLarge(Math.max(size, 1), Math.max(1, alignment / PAGE_BYTES), false);
  }

  /**
   * Pops a block for a call that asked for `bytes` bytes, refilling the magazine first where it is
   * empty. Clears `zeroBytes` of it. Kept as short as it is: the compiler takes it into malloc's
   * callers, and with one call more in it the trace bash takes 5 % longer.
   */
  function allocateSmall(c: SizeClass, bytes: number, zeroBytes = 0): Address {
    if (newest(c) === 0 && !fillGated(c, bytes)) return endSmall(c, bytes, zeroBytes);
    if (zeroBytes > 0) clearSmall(memory, uncommitted(c), zeroBytes);
    return pop(c);
  }

  /** The end of an allocation that found the heap full, or has events to flush after its commit. */
  function endSmall(c: SizeClass, bytes: number, zeroBytes: number): Address {
    if (newest(c) === 0) {
      section.checkOpen();
      return refuse(bytes);
    }
    if (zeroBytes > 0) clearSmall(memory, uncommitted(c), zeroBytes);
    const address = pop(c);
    if (told.hasPending) events.flush();
    return address;
  }

  /** The answer of an allocation for which there is no room. */
  function refuse(bytes: number): typeof NULL {
    events.addExhausted(bytes);
    events.flush();
    return NULL;
  }

  /** The block that the next pop commits; 0 where the magazine is empty. */
  function newest(c: SizeClass): Address {
    return u32[u32[tops + c] - 1] as Address;
  }

  /** The same of a magazine that was filled: it is empty only when the heap was poisoned just now. */
  function uncommitted(c: SizeClass): Address {
    const address = newest(c);
    if (address !== 0) return address;
    section.checkOpen();
    throw new HeapCorruptionError(`the magazine of class ${c} was filled, and is empty (slot I1)`);
  }

  /**
   * Refills a magazine for a call that asked for `bytes` bytes; false when the heap is full, or there
   * counts.
   */
  function fillGated(c: SizeClass, bytes: number, nested = false): boolean {
    let filled: boolean;
    section.enter(nested);
    try {
      filled = fill(c);
    } catch (error) {
      throw section.abort(error);
    }
    section.leave();
    if (filled) samples.small(c, bytes);
    return filled && !told.hasPending;
  }

  /** Makes sure that a magazine has a block; false when the heap is full. In a section. */
  function fill(c: SizeClass): boolean {
    if (newest(c) !== 0) return true;
    const isKnownFull = fullness.isFullFor(c);
    if (!isKnownFull && (cache.refill(c) || search(c))) return true;
    // What dead threads had, whether this thread gives it back or another does so just now.
    return recoverIfDue() && search(c);
  }

  /**
   * Refills a magazine with whatever the heap has, down to what this thread and all as retired spans keep.
   */
  function search(c: SizeClass): boolean {
    fullness.begin();
    cache.flushAll();
    const found = cache.refill(c);
    if (!found) fullness.noteFull(c);
    return found;
  }

  /** Commits the newest block of a magazine that is not empty. */
  function pop(c: SizeClass): Address {
    const top = u32[tops + c] - 1;
    const address = u32[top] || uncommitted(c);
    // point: pop.tag
    tags[address >>> SHIFT] = c;
    // point: pop.count
    f64[mallocs + c] += STEP;
    // point: pop.top
    u32[tops + c] = top;
    return address as Address;
  }

  function allocateLarge(bytes: number, alignPages: number, zero: boolean): Address {
    const address = reserveGated(bytes, alignPages);
    if (address === 0) return refuse(bytes);
    if (zero && !large.wasFresh()) clearLarge(memory, address, bytes);
    large.commit(address);
    if (told.hasPending) events.flush();
    return address;
  }

  function reserveGated(bytes: number, alignPages: number, nested = false): Address {
    let address: Address;
    section.enter(nested);
    try {
      address = reserve(bytes, alignPages, false);
      // In here, where an end of the stack gives the run back.
      if (address !== 0) samples.large(bytes);
    } catch (error) {
      throw section.abort(error);
    }
    section.leave();
    return address;
  }

  /** Reserves a run for a large block; 0 when the heap is full. In a section. */
  function reserve(bytes: number, alignPages: number, growing: boolean): Address {
    const pages = pagesOf(bytes);
    // Refused here, so that no larger number ever gets near a run word.
    if (!(pages <= dataPages)) return NULL;
    let address = NULL as Address;
    if (!fullness.hasNoRun(pages, alignPages)) {
      address = large.reserve(pages, alignPages, growing) || searchRun(pages, alignPages, growing);
    }
    if (address !== 0 || !recoverIfDue()) return address;
    return searchRun(pages, alignPages, growing);
  }

  /** The same for a run as search does for a block. */
  function searchRun(pages: number, alignPages: number, growing: boolean): Address {
    fullness.begin();
    cache.flushAll();
    const address = large.reserve(pages, alignPages, growing);
    if (address === 0) fullness.noteNoRun(pages, alignPages);
    return address;
  }

  // ---- in two halves, for who has something to write into a block before anybody has it

  function reserveBlock(alignment: number, bytes: number, apart: boolean): Address {
    section.checkOpen();
    const c = apart ? 0 : alignedClassOf(alignment, bytes);
    reservedClass = c === 0 ? LARGE_TAG : c;
    if (c === 0) return reserveGated(Math.max(bytes, 1), Math.max(1, alignment / PAGE_BYTES), true);
    if (newest(c) === 0) fillGated(c, bytes, true);
    return newest(c);
  }

  function commit(address: Address): void {
    if (reservedClass === LARGE_TAG) large.commit(address);
    else pop(reservedClass);
  }

  /**
   * Never without its tag: a sweep for orphans must not take it for what it was before. Straight stores:
   * V8 cuts none of them off from the pop, so that no intent of a living thread names what is on its
   * magazine, where the program's next malloc finds it.
   */
  function commitOwned(address: Address, word: WordIndex, old: Address): void {
    // point: place.in
    u32[intent + 1] = address;
    // point: place.out
    u32[intent + 2] = old;
    // point: place.intent
    u32[intent] = word;
    if (reservedClass === LARGE_TAG) {
      large.commit(address, OWNED_LARGE);
      return;
    }
    // point: place.own
    tags[address >>> SHIFT] = OWNED;
    // point: pop.count
    f64[mallocs + reservedClass] += STEP;
    // point: pop.top
    u32[tops + reservedClass] -= 1;
  }

  function pass(): void {
    section.enter();
    section.leave();
  }

  // ---- free, slow

  function freeOther(address: Address): void {
    if (address === 0) return;
    section.checkOpen();
    throw invalid('free', address);
  }

  function rehearse(): void {
    rehearsing = true;
    // What a function's first calls do is not noted.
    for (let n = 0; n < 50; n++) free(dataStart as Address);
    rehearsing = false;
  }

  function freeSlow(address: Address, c: SizeClass): void {
    if (rehearsing) return;
    if (c === 0 || c > LARGE_TAG) throw invalid('free', address);
    section.enter();
    try {
      give(address, c);
    } catch (error) {
      throw section.abort(error);
    }
    section.leave();
    events.flush();
  }

  /** Frees a live block of class `c`, or LARGE. In a section. */
  function give(address: Address, c: SizeClass): void {
    if (c === LARGE_TAG) {
      large.free(address);
      return;
    }
    const magazine = magazineFor(address, c);
    cache.open(magazine);
    // Only after a flush that failed; this one may throw, since nothing is freed yet.
    if (cache.isOver(magazine)) cache.flush(magazine);
    const full = isFull(magazine);
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
      if (!selfRepair.locks(error)) throw error;
    }
  }

  // ---- realloc

  function realloc(address: Address, size: number): Address {
    requireSize('realloc', size);
    section.checkOpen();
    if (address === 0) return malloc(size);
    const c = tagOf(address, 'realloc');
    if (size === 0) {
      free(address);
      return NULL;
    }
    if (c !== LARGE_TAG && size <= SMALL_BYTES_MAX) {
      const target = classOf(size);
      if (target === c) return address;
      // Between two magazines of this thread, neither empty nor full: no section, no lock.
      const magazine = magazineFor(address, c);
      if (newest(target) !== 0 && !isFull(magazine)) {
        return moveSmall(address, c, magazine, target, size);
      }
    }
    return size > SMALL_BYTES_MAX ? moveToLarge(address, c, size) : moveToSmall(address, c, size);
  }

  /**
   * Moves a block to another class: its own magazine is not full, the target's not empty. Straight
   * stores after the copy, as in the fast paths: nothing can come between the free and the malloc.
   * @param magazine the block's own, as the caller has found it: meanwhile its span may get another owner
   */
  function moveSmall(
    address: Address,
    c: SizeClass,
    magazine: MagazineIndex,
    target: SizeClass,
    size: number,
  ): Address {
    copyBytes(memory, uncommitted(target), address, Math.min(size, usableBytes(address, c)));
    const ownTop = u32[tops + magazine];
    const targetTop = u32[tops + target] - 1;
    const moved = u32[targetTop] || uncommitted(target);
    u32[ownTop] = address;
    u32[tops + magazine] = ownTop + 1;
    tags[address >>> SHIFT] = 0;
    tags[moved >>> SHIFT] = target;
    f64[mallocs + target] += STEP;
    u32[tops + target] = targetTop;
    return moved as Address;
  }

  // Both copy into a block that is not committed, free the old one, and commit the new one last: at
  // no point are both lost to a living thread, or both live.

  function moveToLarge(address: Address, c: SizeClass, size: number): Address {
    let target: Address;
    section.enter();
    try {
      target = relocate(address, c, size);
    } catch (error) {
      throw section.abort(error);
    }
    section.leave();
    if (target === 0) return refuse(size);
    if (target !== address) large.commit(target);
    if (told.hasPending) events.flush();
    return target;
  }

  /** The same block resized, or another one that is reserved, with the old one freed; 0 = full. */
  function relocate(address: Address, c: SizeClass, size: number): Address {
    const isResized = c === LARGE_TAG && large.resize(address, pagesOf(size));
    const target = isResized ? address : reserve(size, 1, true);
    if (target === 0) return NULL;
    // Before the old block is freed: should the magazine end in there, it is there still.
    samples.large(size);
    if (isResized) return address;
    copyBytes(memory, target, address, Math.min(size, usableBytes(address, c)));
    give(address, c);
    return target;
  }

  function moveToSmall(address: Address, c: SizeClass, size: number): Address {
    const target = classOf(size);
    const refilled = newest(target) === 0;
    section.enter();
    let filled: boolean;
    let magazine = 0 as MagazineIndex;
    try {
      filled = fill(target);
      // Looked for once: others may make its span theirs at any moment.
      if (c !== LARGE_TAG) magazine = magazineFor(address, c);
      if (filled && refilled) samples.small(target, size);
      if (filled && c === LARGE_TAG) {
        copyBytes(memory, uncommitted(target), address, size);
        large.free(address);
      } else if (filled && isFull(magazine)) {
        cache.flush(magazine);
      }
    } catch (error) {
      throw section.abort(error);
    }
    section.leave();
    if (!filled) return refuse(size);
    const moved = c === LARGE_TAG ? pop(target) : moveSmall(address, c, magazine, target, size);
    if (told.hasPending) events.flush();
    return moved;
  }

  function isFull(magazine: MagazineIndex): boolean {
    return i32[u32[tops + magazine]] === SENTINEL_WORD;
  }

  /** The magazine that a block goes to when it is freed: where it is owned by another thread, away. */
  function magazineFor(address: Address, c: SizeClass): MagazineIndex {
    return (owners[address >>> PAGE_SHIFT] === owner ? c : c + REMOTE_MAGAZINES) as MagazineIndex;
  }

  // ---- looking

  function usableSize(address: Address, asked = 'measure'): number {
    section.checkOpen();
    return usableBytes(address, tagOf(address, asked));
  }

  function usableBytes(address: Address, c: SizeClass): number {
    return c === LARGE_TAG ? large.bytesOf(address) : blockBytes[c];
  }

  /** The tag of a live block; throws for any other address. */
  function tagOf(address: Address, asked: string): SizeClass {
    const granule = typeof address === 'number' ? address >>> SHIFT : 0;
    if ((granule << SHIFT) >>> 0 !== address || (address - dataStart) >>> 0 >= dataBytes) {
      throw invalid(asked, address);
    }
    const c = tags[granule];
    if (c === 0 || c > LARGE_TAG) throw invalid(asked, address);
    return c as SizeClass;
  }

  function invalid(asked: string, address: unknown): Error {
    section.checkOpen();
    // In the middle of a change of an object, perhaps: a vector frees what its elements point to.
    return events.deferring(() => section.read(() => diagnose(asked, address), true));
  }

  function close(): void {
    // Class 0's magazine is empty for ever, and no address is below 0.
    fillWords(classOfGranules, 0);
    fillWords(own, 0);
  }

  return {
    malloc,
    free,
    calloc,
    realloc,
    alignedAlloc,
    usableSize,
    reserve: reserveBlock,
    reservedBytes: (address) => usableBytes(address, reservedClass),
    commit,
    commitOwned,
    rehearse,
    pass,
    close,
  };
}
