/**
 * Live bytes: the bytes that programs hold, computed from the counters in the threads' slots.
 *
 * Used by samples.ts for the peak, and by stats/ for statistics. Any thread; takes no lock and
 * changes nothing. Only its owner writes a slot, so sums may be a moment old, and blocks that are
 * moving between a cache and its spans may count as live.
 *
 * Neither malloc nor free counts live bytes: per class, over all slots,
 *   in use = held - cached      held: blocks taken from spans minus blocks returned
 * and large blocks are the mapped pages that are not in spans.
 */

import {
  BLOCK_BYTES,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SPAN_PAGES,
  type WordIndex,
} from '../base/index.js';
import * as ClassRecord from '../layout/class-record.js';
import * as Header from '../layout/header.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageHeapRecord from '../layout/page-heap-record.js';
import * as Slot from '../layout/slot.js';

/** Blocks of a class that these slots took from spans, minus the blocks that they returned. */
export function sumHeld({ f64 }: HeapMemory, slots: readonly WordIndex[], c: SizeClass): number {
  let held = 0;
  for (let n = 0; n < slots.length; n++) held += Slot.getHeld(f64, slots[n], c);
  return held;
}

/** Blocks of a class in the caches of these slots. */
export function sumCached({ u32 }: HeapMemory, slots: readonly WordIndex[], c: SizeClass): number {
  let cached = 0;
  for (let n = 0; n < slots.length; n++) cached += Slot.cachedBlocks(u32, slots[n], c);
  return cached;
}

/** Pages of large blocks, including blocks that are being handed out or taken back. */
export function largePages({ i32, geometry }: HeapMemory): number {
  let spanPages = 0;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    spanPages += ClassRecord.getSpanCount(i32, ClassRecord.at(geometry.classes, c)) * SPAN_PAGES[c];
  }
  // A span is counted a moment after its pages, when it is made and when it is released.
  return Math.max(0, PageHeapRecord.getMappedPages(i32, geometry.pageHeap) - spanPages);
}

/** Usable bytes of all live blocks. */
function liveBytes(memory: HeapMemory): number {
  const { u32, geometry } = memory;
  const slots = Slot.usedRecords(u32, geometry.slots, geometry.threads);
  let bytes = largePages(memory) * PAGE_BYTES;
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    bytes += (sumHeld(memory, slots, c) - sumCached(memory, slots, c)) * BLOCK_BYTES[c];
  }
  return bytes;
}

/** Computes the live bytes, and stores them if they are the highest so far. */
export function samplePeakLive(memory: HeapMemory): void {
  const { i32, geometry } = memory;
  const mappedBytes = PageHeapRecord.getMappedPages(i32, geometry.pageHeap) * PAGE_BYTES;
  // Limited to the mapped bytes, since a moving block may count twice.
  notePeakLive(memory, Math.min(liveBytes(memory), mappedBytes));
}

/**
 * Stores the live bytes if they are the highest so far. Takes no lock: if two threads store at the
 * same moment, one value may be lost.
 */
export function notePeakLive({ i32, f64, geometry }: HeapMemory, bytes: number): void {
  // The slots of a poisoned heap count no cached block.
  if (Header.peekPoison(i32, geometry.header) !== Header.SOUND) return;
  if (bytes > PageHeapRecord.getPeakLiveBytes(f64, geometry.pageHeap)) {
    PageHeapRecord.setPeakLiveBytes(f64, geometry.pageHeap, bytes);
  }
}

/** Sets the peak to the bytes that are live now. */
export function restartPeakLive(memory: HeapMemory): void {
  PageHeapRecord.setPeakLiveBytes(memory.f64, memory.geometry.pageHeap, 0);
  samplePeakLive(memory);
}
