/**
 * A heap to break: something of every structure is in it, and where it is. What is broken is put
 * right again by writing the metadata back as it was.
 */

import type { ExecutionContext } from 'ava';
import { type Address, SharedHeap, type VerifyProblem } from 'shmalloc';
import {
  BLOCK_BYTES,
  blockIndex,
  classOf,
  lowestBit,
  PAGE_BYTES,
  type PageIndex,
  type SizeClass,
  type WordIndex,
} from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import { memoryOf } from '../helpers.js';

/** Eight of these in a span of three pages: the bitmap's word has bits that no block has. */
export const SMALL_BYTES = 3000;
export const LARGE_BYTES = 80_000;
export const LARGE_PAGES = 10;

export interface Scene {
  readonly heap: SharedHeap;
  readonly memory: layout.HeapMemory;
  readonly geometry: layout.Geometry;
  /** Main's slot, and its magazine of class `c`. */
  readonly slot: WordIndex;
  readonly c: SizeClass;
  readonly bottom: number;
  readonly end: number;
  /** The class's record. */
  readonly counts: WordIndex;
  /** Main's list of partial spans of the class. */
  readonly list: WordIndex;
  /** Spans of the class: those in that list, in its order; those without a free block. */
  readonly partial: readonly PageIndex[];
  readonly full: readonly PageIndex[];
  /** Blocks of the class. */
  readonly live: readonly Address[];
  readonly cached: readonly Address[];
  /** A block of 48 bytes. */
  readonly tiny: Address;
  /** Large blocks side by side, every other one of them freed: runs of one length, in one bin. */
  readonly large: readonly Address[];
  readonly freed: readonly PageIndex[];
  record(page: number): layout.PageRecord;
}

export const makeHeap = (): SharedHeap => SharedHeap.create({ size: '8MiB', threads: 4 });

export function makeScene(heap = makeHeap()): Scene {
  const memory = memoryOf(heap);
  const { geometry, i32, u32 } = memory;
  const c = classOf(SMALL_BYTES);
  const record = (page: number) => layout.pageRecord(geometry.pageTable, page);

  const tiny = heap.malloc_ts(48);
  const blocks = Array.from({ length: 100 }, () => heap.malloc_ts(SMALL_BYTES));
  // Of the last spans nothing is freed: they stay full.
  const freed = blocks.filter((_, n) => n < 70 && n % 3 !== 0);
  for (const address of freed) heap.free_ts(address);
  const row = Array.from({ length: 7 }, () => heap.malloc_ts(LARGE_BYTES));
  const odd = row.filter((_, n) => n % 2 === 1);
  for (const address of odd) heap.free_ts(address);
  heap.malloc_ts(200_000);

  const slot = layout.slotRecord(geometry.slots, 0);
  const bottom = layout.magazineBottom(u32, slot, c);
  const list = layout.partialOf(slot, c);
  const partial: PageIndex[] = [];
  for (
    let page = layout.getPartial(i32, list);
    page !== 0;
    page = layout.getNext(i32, record(page))
  ) {
    partial.push(page);
  }
  const live = blocks.filter((address) => !freed.includes(address));
  const pages = live.map((address) => layout.getSpanHead(i32, record(layout.pageOf(address))));
  return {
    heap,
    memory,
    geometry,
    slot,
    c,
    bottom,
    end: bottom + layout.getLimit(u32, slot, c),
    counts: layout.classRecord(geometry.classes, c),
    list,
    partial,
    full: [...new Set(pages)].filter((page) => layout.getFreeCount(i32, record(page)) === 0),
    live,
    cached: [...u32.subarray(bottom, layout.getTop(u32, slot, c))] as Address[],
    tiny,
    large: row.filter((_, n) => n % 2 === 0),
    freed: odd.map((address) => layout.pageOf(address)),
    record,
  };
}

export const addressOf = (page: number): number => page * PAGE_BYTES;

/** The bit of a block of the scene's class: of which span, and of which word of its bitmap. */
export function bitOf({ memory, record, c }: Scene, address: number) {
  const head = layout.getSpanHead(memory.i32, record(layout.pageOf(address)));
  const index = blockIndex(c, address - addressOf(head));
  return { span: record(head), word: index >>> 5, bit: 1 << index };
}

/** The lowest block that is free in the first span of the partial list. */
export function freeBlock({ memory, record, c, partial: [head] }: Scene): number {
  const index = lowestBit(layout.getBitmap(memory.i32, record(head), 0));
  return addressOf(head) + index * BLOCK_BYTES[c];
}

/** Pages that no list may name: one that is no head of such a run, two that are not in the heap. */
export const STRAY_PAGES: Record<string, (scene: Scene) => PageIndex> = {
  'a large block': ({ large: [block] }) => layout.pageOf(block),
  'a page past the end': () => 0x7fff_ffff as PageIndex,
  'a page below 0': () => -2 as PageIndex,
};

/** One way to break a heap. */
export interface Damage {
  readonly what: string;
  /** As verify names it, and its words. */
  readonly invariant: string;
  readonly message: RegExp;
  /** Does it; gives the address that verify is to name. */
  damage(scene: Scene): number;
  /** Only a verification of a quiet heap can tell. */
  readonly quietOnly?: boolean;
}

/** A broken structure is reported, nothing is thrown, and put right again the heap is sound. */
export function assertReported(t: ExecutionContext, { damage, quietOnly, ...what }: Damage): void {
  const scene = makeScene();
  const { heap, memory, geometry } = scene;
  t.deepEqual(heap.verify({ quiet: true }).problems, [], 'sound before');
  const before = memory.u8.slice(geometry.base, geometry.dataStart);
  const address = damage(scene);

  const report = heap.verify({ quiet: true });
  t.false(report.ok);
  const fits = (problem: VerifyProblem): boolean =>
    problem.invariant === what.invariant &&
    problem.address === address &&
    what.message.test(problem.message);
  t.true(report.problems.some(fits), `${address}: ${JSON.stringify(report.problems.slice(0, 9))}`);
  if (quietOnly === true) t.deepEqual(heap.verify().problems, []);
  else t.false(heap.verify().ok, 'seen at any time');

  memory.u8.set(before, geometry.base);
  t.deepEqual(heap.verify({ quiet: true }).problems, [], 'sound after');
  t.notThrows(() => heap.free_ts(heap.malloc_ts(SMALL_BYTES)), 'a report does not poison');
  heap.detach();
}
