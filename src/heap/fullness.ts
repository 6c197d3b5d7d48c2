/**
 * Fullness: what a thread knows of a heap that had no room for it, so that the next call that asks in
 * vain answers after a look at some counters, and not after a search.
 *
 * Used by slow-path.ts, in a section. Owner thread only; one for both sections.
 *
 * A search has failed when this thread's magazines and all threads' retired spans were given back and
 * still no span had a free block and no free run was long enough. It would fail again until something comes
 * back. Whatever comes back is counted, under the lock that it came back under: blocks of a class
 * (class-record.ts), spans kept as retired spans (there too), free runs (page-heap-record.ts). What this
 * thread frees lies in its own magazines, uncounted; but blocks cached, held and handed out add up to
 * how many it has freed. Where its magazines are empty, what it has freed is handed out again, or counted.
 *
 * Threads that evict bring blocks of a class back all the time, and take them again. Where only such
 * blocks came back since the search, the lists of their spans say whether one is left.
 *
 * I1  The counters are read before the search that fails: what comes back meanwhile counts. A lock
 *     that the search takes orders that (its release comes after the reads); lists of retired spans are
 *     looked at without one, so their counts are read and written by Atomics.
 * I2  Counters and lists of others are read without a lock: they may be late by a moment, as the block
 *     may be. So lists that are empty are an answer for one call, and never kept for the next.
 * I3  What dead threads had is counted when recovery gives it back (recover.ts); what a repair finds
 *     is counted as come back.
 */

import {
  CLASS_ENTRIES,
  fillWords,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as Slot from '../layout/slot.js';

/** In place of a count, where no search has failed. */
const NEVER = -1;

export class Fullness {
  readonly #memory: HeapMemory;
  readonly #slot: WordIndex;
  /**
   * By class, of the search that failed: runs that had come back, blocks that had, and what this thread
   * had freed.
   */
  readonly #runsAt = new Float64Array(CLASS_ENTRIES);
  readonly #blocksAt = new Float64Array(CLASS_ENTRIES);
  readonly #freedAt = new Float64Array(CLASS_ENTRIES);
  /** The shortest run that was searched for in vain. */
  #noRun = { pages: 0, alignPages: 0, at: NEVER, freed: 0 };
  /** As they were when the last search began. */
  #runs = 0;
  #freed = 0;
  readonly #blocks = new Float64Array(CLASS_ENTRIES);

  constructor(memory: HeapMemory, slot: WordIndex) {
    this.#memory = memory;
    this.#slot = slot;
    fillWords(this.#runsAt, NEVER);
  }

  /** True if a search for a block of this class has failed, and nothing has come back since. */
  isFullFor(c: SizeClass): boolean {
    const memory = this.#memory;
    const runsAt = this.#runsAt;
    if (runsAt[c] === NEVER) return false;
    const isNoneBack = runsAt[c] === countRuns(memory, ClassRecord.getRetiredKept);
    if (isNoneBack && this.#hasNoneSince(this.#freedAt[c])) {
      if (this.#blocksAt[c] === returnsOf(memory, c) || !isAnyListed(memory, c)) return true;
    }
    runsAt[c] = NEVER;
    return false;
  }

  /** The same for a run. */
  hasNoRun(pages: number, alignPages: number): boolean {
    const noRun = this.#noRun;
    if (noRun.at === NEVER || pages < noRun.pages || alignPages < noRun.alignPages) return false;
    const isNoneBack = noRun.at === countRuns(this.#memory, ClassRecord.getRetiredKept);
    if (isNoneBack && this.#hasNoneSince(noRun.freed)) return true;
    noRun.at = NEVER;
    return false;
  }

  /** A search begins: what comes back from now on counts. */
  begin(): void {
    const memory = this.#memory;
    this.#runs = countRuns(memory, ClassRecord.loadRetiredKept);
    this.#freed = countFreed(memory, this.#slot);
    for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) this.#blocks[c] = returnsOf(memory, c);
  }

  /** The search that was begun last has failed. */
  noteFull(c: SizeClass): void {
    this.#runsAt[c] = this.#runs;
    this.#blocksAt[c] = this.#blocks[c];
    this.#freedAt[c] = this.#freed;
  }

  noteNoRun(pages: number, alignPages: number): void {
    const noRun = this.#noRun;
    const known = noRun.at === this.#runs && noRun.freed === this.#freed;
    // Of two that failed at one time the shorter says more, if it asks for no more alignment.
    if (known && (pages > noRun.pages || alignPages > noRun.alignPages)) return;
    this.#noRun = { pages, alignPages, at: this.#runs, freed: this.#freed };
  }

  /** True if this thread has nothing that could come back, but what it had by a search that failed. */
  #hasNoneSince(freedThen: number): boolean {
    const memory = this.#memory;
    return freedThen === countFreed(memory, this.#slot) || !hasCached(memory, this.#slot);
  }
}

/** Blocks of a class that came back. */
const returnsOf = ({ u32, geometry }: HeapMemory, c: SizeClass): number =>
  ClassRecord.getReturns(u32, ClassRecord.at(geometry.classes, c));

/** Runs that came back, and spans that came to be retired spans: what can serve any class. */
function countRuns({ u32, geometry }: HeapMemory, kept: typeof ClassRecord.getRetiredKept): number {
  let count = PageHeapRecord.getRunReturns(u32, geometry.pageHeap);
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    count += kept(u32, ClassRecord.at(geometry.classes, c));
  }
  return count;
}

/** Small blocks that this thread has freed, from a count that never changes. */
function countFreed({ u32, f64 }: HeapMemory, slot: WordIndex): number {
  let count = 0;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    count +=
      Slot.cachedBlocks(u32, slot, c) + Slot.getMallocs(f64, slot, c) - Slot.getHeld(f64, slot, c);
  }
  return count;
}

function hasCached({ u32 }: HeapMemory, slot: WordIndex): boolean {
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    if (Slot.cachedBlocks(u32, slot, c) > 0) return true;
  }
  return false;
}

/** True if a list has a span of this class with a free block. */
function isAnyListed({ i32, geometry }: HeapMemory, c: SizeClass): boolean {
  const { classes, slots, threads } = geometry;
  if (ClassRecord.getPartial(i32, ClassRecord.unownedPartial(ClassRecord.at(classes, c))) !== 0)
    return true;
  for (let n = 0; n < threads; n++) {
    if (ClassRecord.getPartial(i32, Slot.partialOf(Slot.at(slots, n as SlotIndex), c)) !== 0)
      return true;
  }
  return false;
}
