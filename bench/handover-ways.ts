/**
 * The ways that handover.ts compares: how many records go to a worker and come back.
 *
 *   clone             an array of plain objects, by structured clone
 *   transfer          packed one after the other into an ArrayBuffer, which is transferred
 *   heap              each in its own block by malloc_ts; only the address of an array of their
 *                     addresses is posted. The worker replaces every eighth block by its own; the
 *                     sender frees them all
 *   transfer-strings  as transfer and heap, but names are JavaScript strings whenever the program
 *   heap-strings      touches them: encoded by Buffer.write, decoded as a whole by Buffer.toString
 *
 * Without `-strings`, names stay bytes on both sides: copied as words, summed as words, and changed
 * in place, as in a program that compares, hashes or passes on text. A clone delivers strings: for
 * a program that needs strings the fair peer of `clone` is `heap-strings`, whose time is mostly
 * that of Buffer's calls, four per record.
 *
 * Objects, buffer and blocks are made anew for every trip, as requests and results are.
 */

import type { SharedHeap } from 'shmalloc';
import {
  BYTES,
  changeObject,
  changePacked,
  makeObject,
  type Names,
  RECORD_BYTES,
  RECORD_WORDS,
  readPacked,
  STRINGS,
  sumOfObject,
  type Town,
  type Views,
  writePacked,
} from './handover-record.js';

export const WAYS = ['clone', 'transfer', 'heap', 'transfer-strings', 'heap-strings'] as const;
export type WayName = (typeof WAYS)[number];

/** A message: its data, and the parts of it to transfer. */
export interface Parcel {
  readonly data: unknown;
  readonly transfer: ArrayBuffer[];
}

export interface Way {
  /** Makes the records, with every field written. */
  make(records: number): Parcel;
  /**
   * In the worker: reads and changes all fields of all records; returns the sum of the values read.
   */
  change(data: unknown, records: number): Parcel & { readonly sum: number };
  /**
   * Reads all fields of the returned records, and ends the records; returns the sum of the values.
   */
  take(data: unknown, records: number): number;
}

export function wayNamed(name: WayName, heap: SharedHeap): Way {
  switch (name) {
    case 'clone':
      return clone();
    case 'transfer':
      return transfer(BYTES);
    case 'heap':
      return inHeap(heap, BYTES);
    case 'transfer-strings':
      return transfer(STRINGS);
    case 'heap-strings':
      return inHeap(heap, STRINGS);
  }
}

// ---- as objects

function clone(): Way {
  return {
    make: (records) => ({
      data: Array.from({ length: records }, (_, n) => makeObject(n)),
      transfer: [],
    }),
    change(data) {
      let sum = 0;
      for (const town of data as Town[]) {
        sum += sumOfObject(town);
        changeObject(town);
      }
      return { data, transfer: [], sum };
    },
    take(data) {
      let sum = 0;
      for (const town of data as Town[]) sum += sumOfObject(town);
      return sum;
    },
  };
}

// ---- in a buffer

function transfer(names: Names): Way {
  const viewsOf = (buffer: ArrayBuffer): Views => ({
    i32: new Int32Array(buffer),
    f64: new Float64Array(buffer),
    u8: new Uint8Array(buffer),
    text: Buffer.from(buffer),
  });
  return {
    make(records) {
      const buffer = new ArrayBuffer(records * RECORD_BYTES);
      const views = viewsOf(buffer);
      for (let n = 0; n < records; n++) writePacked(views, names, n * RECORD_BYTES, n);
      return { data: buffer, transfer: [buffer] };
    },
    change(data, records) {
      const buffer = data as ArrayBuffer;
      const views = viewsOf(buffer);
      let sum = 0;
      for (let n = 0; n < records; n++) sum += changePacked(views, names, n * RECORD_BYTES);
      return { data, transfer: [buffer], sum };
    },
    take(data, records) {
      const views = viewsOf(data as ArrayBuffer);
      let sum = 0;
      for (let n = 0; n < records; n++) sum += readPacked(views, names, n * RECORD_BYTES);
      return sum;
    },
  };
}

// ---- in the heap

/** One record in this many gets a new block from the worker. */
const REPLACED = 8;

function inHeap(heap: SharedHeap, names: Names): Way {
  const { malloc_ts, free_ts, i32, f64, u8, u32 } = heap;
  const views: Views = { i32, f64, u8, text: Buffer.from(u8.buffer) };

  function need(bytes: number): number {
    const address = malloc_ts(bytes);
    if (address === 0) throw new Error('the heap is full');
    return address;
  }

  function replace(old: number): number {
    const fresh = need(RECORD_BYTES);
    const from = old >>> 2;
    const to = fresh >>> 2;
    for (let w = 0; w < RECORD_WORDS; w++) i32[to + w] = i32[from + w] as number;
    free_ts(old);
    return fresh;
  }

  return {
    make(records) {
      const list = need(records * 4);
      for (let n = 0; n < records; n++) {
        const address = need(RECORD_BYTES);
        writePacked(views, names, address, n);
        u32[(list >>> 2) + n] = address;
      }
      return { data: list, transfer: [] };
    },
    change(data, records) {
      const first = (data as number) >>> 2;
      let sum = 0;
      for (let n = 0; n < records; n++) {
        const address = u32[first + n] as number;
        sum += changePacked(views, names, address);
        if (n % REPLACED === 0) u32[first + n] = replace(address);
      }
      return { data, transfer: [], sum };
    },
    take(data, records) {
      const list = data as number;
      let sum = 0;
      for (let n = 0; n < records; n++) {
        const address = u32[(list >>> 2) + n] as number;
        sum += readPacked(views, names, address);
        free_ts(address);
      }
      free_ts(list);
      return sum;
    },
  };
}
