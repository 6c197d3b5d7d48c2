/**
 * Slot readings: what each slot's threads have allocated, freed and cached of a size class, read
 * while these threads run.
 *
 * Called by counters.ts. Any thread; takes no lock. Only a slot's owner writes these words, and it
 * moves one block at a time. So the words of one slot have to be of one moment:
 *
 *     frees = mallocs - held + cached       held: blocks taken from spans less blocks given back
 *
 * This figure only grows: blocks enter a cache by refill or free, and leave it by malloc or flush.
 *
 * I1  A reading is never more than the true number of frees. The count of mallocs is read first, so
 *     it may be short. A refill or flush has its transit open, changes `held`, or counts a refill:
 *     if one of these is seen the words are read again, and after the last attempt the magazines
 *     count as empty. A block on top of its magazine that has a tag is being allocated or freed: it
 *     counts as live. (On processors that reorder stores it may count as freed for a moment.)
 */

import {
  CLASS_ENTRIES,
  GRANULE_SHIFT,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import { type HeapMemory, remoteMagazine } from '../layout/index.js';
import * as Slot from '../layout/slot.js';
import * as SlotCounters from '../layout/slot-counters.js';
import type { Seen } from './seen.js';

/** Maximum attempts to read a slot's words of a class at rest. */
const ATTEMPTS = 8;

/** What the threads of a slot did, by size class. */
export interface SlotReading {
  readonly index: SlotIndex;
  readonly record: WordIndex;
  readonly mallocs: Float64Array;
  readonly frees: Float64Array;
  readonly cached: Float64Array;
}

export function readSlot(memory: HeapMemory, seen: Seen, index: SlotIndex): SlotReading {
  const record = Slot.at(memory.geometry.slots, index);
  const reading: SlotReading = {
    index,
    record,
    mallocs: new Float64Array(CLASS_ENTRIES),
    frees: new Float64Array(CLASS_ENTRIES),
    cached: new Float64Array(CLASS_ENTRIES),
  };
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    const known = index * CLASS_ENTRIES + c;
    reading.frees[c] = seen.frees[known];
    readClass(memory, reading, c);
    seen.frees[known] = reading.frees[c];
  }
  return reading;
}

function readClass(memory: HeapMemory, reading: SlotReading, c: SizeClass): void {
  const { f64, u32 } = memory;
  const { record, mallocs, frees, cached } = reading;
  mallocs[c] = Slot.getMallocs(f64, record, c);
  for (let attempt = 0; ; attempt++) {
    const refills = SlotCounters.get(f64, record, SlotCounters.REFILLS);
    const held = Slot.getHeld(f64, record, c);
    const inMagazines =
      localBlocks(memory, record, c) + Slot.magazineBlocks(u32, record, remoteMagazine(c));
    const atRest =
      Slot.getTransit(u32, record, c) === 0 &&
      Slot.getTransit(u32, record, remoteMagazine(c)) === 0 &&
      Slot.getHeld(f64, record, c) === held &&
      SlotCounters.get(f64, record, SlotCounters.REFILLS) === refills;
    if (!atRest && attempt < ATTEMPTS) continue;
    cached[c] = atRest ? inMagazines : 0;
    frees[c] = Math.max(frees[c], mallocs[c] - held + cached[c]);
    return;
  }
}

/** Blocks of a local magazine, without one that is being popped or pushed. */
function localBlocks({ u32, tags }: HeapMemory, record: WordIndex, c: SizeClass): number {
  const top = Slot.getTop(u32, record, c);
  const blocks = top - Slot.magazineBottom(u32, record, c);
  if (blocks <= 0) return 0;
  return tags[u32[top - 1] >>> GRANULE_SHIFT] === 0 ? blocks : blocks - 1;
}
