/**
 * The baseline: the values of all counters at the last resetStats(). The counters themselves are
 * never set back, since only their owners write them.
 *
 * Written and read by stats/stats.ts. If a thread dies in the middle of a reset, some counts of the
 * baseline are older than others; nothing else depends on them.
 *
 *     Float64   field      meaning
 *     0..       heap       HEAP_ENTRIES counts of the whole heap
 *     ..        class      CLASS_ENTRIES times CLASS_FIELDS
 *     ..        slot       threads times SLOT_FIELDS
 */

import { CLASS_ENTRIES, type WordIndex } from '../base/index.js';

export const HEAP_ENTRIES = 16;
export const CLASS_FIELDS = 2;
export const SLOT_FIELDS = 4;

export const bytes = (threads: number): number =>
  (HEAP_ENTRIES + CLASS_ENTRIES * CLASS_FIELDS + threads * SLOT_FIELDS) * 8;

/** Index of a count of the whole heap. */
export const heapEntry = (field: number): number => field;
/** Index of a count of a class. */
export const classEntry = (sizeClass: number, field: number): number =>
  HEAP_ENTRIES + sizeClass * CLASS_FIELDS + field;
/** Index of a count of a slot. */
export const slotEntry = (slot: number, field: number): number =>
  HEAP_ENTRIES + CLASS_ENTRIES * CLASS_FIELDS + slot * SLOT_FIELDS + field;

export const get = (f64: Float64Array, baseline: WordIndex, entry: number): number =>
  f64[(baseline >>> 1) + entry];
export const set = (f64: Float64Array, baseline: WordIndex, entry: number, value: number): void => {
  f64[(baseline >>> 1) + entry] = value;
};
