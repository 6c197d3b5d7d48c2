/**
 * Live bytes: how much of the heap programs hold, added up from what the threads' slots say.
 *
 * Used by samples.ts for the peak, and by stats/ for statistics. Any thread; takes no lock and
 * changes nothing: slots are written by their owners only, so sums may be a moment old, and blocks
 * that are just on their way between a cache and its spans may count as live.
 *
 * Neither malloc nor free counts live bytes: per class, over all slots,
 *   in use = held - cached      held: blocks taken from spans less blocks given back
 * and large blocks are the mapped pages that are no spans.
 */

import {
  BLOCK_BYTES,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SPAN_PAGES,
  type WordIndex,
} from '../base/index.js';
import {
  cachedBlocks,
  classRecord,
  getHeld,
  getMappedPages,
  getPeakLiveBytes,
  getSpanCount,
  type HeapMemory,
  peekPoison,
  SOUND,
  setPeakLiveBytes,
  usedSlotRecords,
} from '../layout/index.js';

/** Blocks of a class that these slots took from spans, less those that they gave back. */
export function sumHeld({ f64 }: HeapMemory, slots: readonly WordIndex[], c: SizeClass): number {
  let held = 0;
  for (let n = 0; n < slots.length; n++) held += getHeld(f64, slots[n], c);
  return held;
}

/** Blocks of a class in the caches of these slots. */
export function sumCached({ u32 }: HeapMemory, slots: readonly WordIndex[], c: SizeClass): number {
  let cached = 0;
  for (let n = 0; n < slots.length; n++) cached += cachedBlocks(u32, slots[n], c);
  return cached;
}

/** Pages of large blocks, those just being handed out or taken back included. */
export function largePages({ i32, geometry }: HeapMemory): number {
  let spanPages = 0;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    spanPages += getSpanCount(i32, classRecord(geometry.classes, c)) * SPAN_PAGES[c];
  }
  // A span is counted a moment after its pages, when it comes and when it goes.
  return Math.max(0, getMappedPages(i32, geometry.pageHeap) - spanPages);
}

/** Usable bytes of all live blocks. */
function liveBytes(memory: HeapMemory): number {
  const { u32, geometry } = memory;
  const slots = usedSlotRecords(u32, geometry.slots, geometry.threads);
  let bytes = largePages(memory) * PAGE_BYTES;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    bytes += (sumHeld(memory, slots, c) - sumCached(memory, slots, c)) * BLOCK_BYTES[c];
  }
  return bytes;
}

/** Looks how many bytes are live, and keeps that where it is the most so far. */
export function samplePeakLive(memory: HeapMemory): void {
  const { i32, geometry } = memory;
  const mappedBytes = getMappedPages(i32, geometry.pageHeap) * PAGE_BYTES;
  // No more than there was room for: what is on its way may be counted twice.
  notePeakLive(memory, Math.min(liveBytes(memory), mappedBytes));
}

/**
 * So many bytes are live: perhaps the most so far. Under no lock: of two threads that say so at once one
 * may be forgotten.
 */
export function notePeakLive({ i32, f64, geometry }: HeapMemory, bytes: number): void {
  // In a heap that was found broken nothing is cached, as far as its slots say.
  if (peekPoison(i32, geometry.header) !== SOUND) return;
  if (bytes > getPeakLiveBytes(f64, geometry.pageHeap)) {
    setPeakLiveBytes(f64, geometry.pageHeap, bytes);
  }
}

/** The peak begins anew, at what is live now. */
export function restartPeakLive(memory: HeapMemory): void {
  setPeakLiveBytes(memory.f64, memory.geometry.pageHeap, 0);
  samplePeakLive(memory);
}
