/**
 * A heap to break: it has every structure, at known places. The broken structure is repaired by
 * writing the metadata back.
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
import * as ClassRecord from '../../src/layout/class-record.js';
import * as layout from '../../src/layout/index.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Slot from '../../src/layout/slot.js';
import { memoryOf } from '../helpers.js';

/**
 * Bytes of a block. A span of three pages has eight such blocks, so its bitmap word has unused
 * bits.
 */
export const SMALL_BYTES = 3000;
export const LARGE_BYTES = 80_000;
export const LARGE_PAGES = 10;

export interface Scene {
  readonly heap: SharedHeap;
  readonly memory: layout.HeapMemory;
  readonly geometry: layout.Geometry;
  /** The main thread's slot, and its magazine of class `c`. */
  readonly slot: WordIndex;
  readonly c: SizeClass;
  readonly bottom: number;
  readonly end: number;
  /** The class's record. */
  readonly counts: WordIndex;
  /** The main thread's list of partial spans of the class. */
  readonly list: WordIndex;
  /** Spans of the class: those in that list, in its order, and those without a free block. */
  readonly partial: readonly PageIndex[];
  readonly full: readonly PageIndex[];
  /** Blocks of the class: in use, and cached. */
  readonly live: readonly Address[];
  readonly cached: readonly Address[];
  /** A block of 48 bytes. */
  readonly tiny: Address;
  /** Large blocks side by side. Every other one is freed: runs of one length, in one bin. */
  readonly large: readonly Address[];
  readonly freed: readonly PageIndex[];
  record(page: number): WordIndex;
}

export const makeHeap = (): SharedHeap => SharedHeap.create({ size: '8MiB', threads: 4 });

export function makeScene(heap = makeHeap()): Scene {
  const memory = memoryOf(heap);
  const { geometry, i32, u32 } = memory;
  const c = classOf(SMALL_BYTES);
  const record = (page: number) => PageRecord.at(geometry.pageTable, page);

  const tiny = heap.malloc_ts(48);
  const blocks = Array.from({ length: 100 }, () => heap.malloc_ts(SMALL_BYTES));
  // No block of the last spans is freed: these spans stay full.
  const freed = blocks.filter((_, n) => n < 70 && n % 3 !== 0);
  for (const address of freed) heap.free_ts(address);
  const row = Array.from({ length: 7 }, () => heap.malloc_ts(LARGE_BYTES));
  const odd = row.filter((_, n) => n % 2 === 1);
  for (const address of odd) heap.free_ts(address);
  heap.malloc_ts(200_000);

  const slot = Slot.at(geometry.slots, 0);
  const bottom = Slot.magazineBottom(u32, slot, c);
  const list = Slot.partialOf(slot, c);
  const partial: PageIndex[] = [];
  for (
    let page = ClassRecord.getPartial(i32, list);
    page !== 0;
    page = PageRecord.getNext(i32, record(page))
  ) {
    partial.push(page);
  }
  const live = blocks.filter((address) => !freed.includes(address));
  const pages = live.map((address) => PageRecord.getSpanHead(i32, record(layout.pageOf(address))));
  return {
    heap,
    memory,
    geometry,
    slot,
    c,
    bottom,
    end: bottom + Slot.getLimit(u32, slot, c),
    counts: ClassRecord.at(geometry.classes, c),
    list,
    partial,
    full: [...new Set(pages)].filter((page) => PageRecord.getFreeCount(i32, record(page)) === 0),
    live,
    cached: [...u32.subarray(bottom, Slot.getTop(u32, slot, c))] as Address[],
    tiny,
    large: row.filter((_, n) => n % 2 === 0),
    freed: odd.map((address) => layout.pageOf(address)),
    record,
  };
}

export const addressOf = (page: number): number => page * PAGE_BYTES;

/** The bit of a block of the scene's class: its span, and its bitmap word. */
export function bitOf({ memory, record, c }: Scene, address: number) {
  const head = PageRecord.getSpanHead(memory.i32, record(layout.pageOf(address)));
  const index = blockIndex(c, address - addressOf(head));
  return { span: record(head), word: index >>> 5, bit: 1 << index };
}

/** The lowest free block in the first span of the partial list. */
export function freeBlock({ memory, record, c, partial: [head] }: Scene): number {
  const index = lowestBit(PageRecord.getBitmap(memory.i32, record(head), 0));
  return addressOf(head) + index * BLOCK_BYTES[c];
}

/** Pages that no list may name: one that is not the head of such a run, two outside of the heap. */
export const STRAY_PAGES: Record<string, (scene: Scene) => PageIndex> = {
  'a large block': ({ large: [block] }) => layout.pageOf(block),
  'a page past the end': () => 0x7fff_ffff as PageIndex,
  'a page below 0': () => -2 as PageIndex,
};

/** One way to break a heap. */
export interface Damage {
  readonly what: string;
  /** The invariant that verify must name, and its message. */
  readonly invariant: string;
  readonly message: RegExp;
  /** Breaks the heap; returns the address that verify must name. */
  damage(scene: Scene): number;
  /** True if only a verification of a quiet heap can find the damage. */
  readonly quietOnly?: boolean;
}

/**
 * Checks that the damage is reported, that nothing is thrown, and that the repaired heap is sound.
 */
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
  else t.false(heap.verify().ok, 'found at any time');

  memory.u8.set(before, geometry.base);
  t.deepEqual(heap.verify({ quiet: true }).problems, [], 'sound after');
  t.notThrows(() => heap.free_ts(heap.malloc_ts(SMALL_BYTES)), 'a report does not poison');
  heap.detach();
}
