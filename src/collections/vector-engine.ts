/**
 * Engines: what a vector does, by one thread or by all.
 *
 * local-vector.ts and shared-vector.ts each are one; vector.ts, the public class, calls it. Here is
 * what they have in common: growth, and what is said of a wrong index.
 */

import { HeapError, HeapExhaustedError, rangeError, show, typeError } from '../base/index.js';
import type { EventQueue } from '../heap/index.js';

export interface Engine<T> {
  length(): number;
  capacity(): number;
  /** An element. Not by way of peek: a number that may be undefined as well is made an object. */
  get(index: number): T;
  /** An element; undefined where there is none. */
  peek(index: number): T | undefined;
  /** An element by a whole number below 0, counted from the end. @throws RangeError */
  fromEnd(index: number): T;
  set(index: number, value: T): void;
  /** The new length. */
  push(value: T): number;
  pop(): T | undefined;
  insert(index: number, value: T): number;
  remove(index: number): T;
  clear(): void;
  reserve(capacity: number): void;
  shrink(): void;
  toArray(): T[];
  view(): ArrayBufferView;
  /** Frees what the elements are addresses of; how many that were. */
  freeAll(): number;
  /** The vector is gone after that. */
  delete(): void;
}

/** Maximum elements of a vector. */
export const LENGTH_MAX = 2 ** 32 - 1;
export const CAPACITY_FIRST = 8;

/** Part of the length, 1 in so many, below which growth is not tried again. */
const EXTRA_SHARE_MIN = 16;

/** A vector that is to become longer. */
export interface Growth {
  /** The call that asks for it. */
  readonly asked: string;
  readonly capacity: number;
  /** Number of elements that it must have room for. */
  readonly needed: number;
  /** Bytes of a storage with room for `capacity` elements. */
  bytesOf(capacity: number): number;
  /** Makes room for so many; false where there is none. */
  attempt(capacity: number): boolean;
}

/**
 * Room for `needed` elements: twice as many as there was room for; less, where the heap is too full.
 * @param events tells who subscribes that the heap was too full
 * @throws HeapExhaustedError; RangeError
 */
export function grow(events: EventQueue, growth: Growth): void {
  const { asked, capacity, needed } = growth;
  if (needed > LENGTH_MAX) {
    throw rangeError('ERR_SHMALLOC_VECTOR', `Vector.${asked}: ${needed} elements are too many`);
  }
  let extra = Math.max(needed, 2 * capacity, CAPACITY_FIRST) - needed;
  while (!growth.attempt(needed + extra)) {
    if (extra === 0) throw exhausted(events, asked, needed, growth.bytesOf(needed));
    extra = extra > needed / EXTRA_SHARE_MIN ? extra >>> 2 : 0;
  }
}

/** The error for so many elements; it is told to who subscribes when the call is over. */
export function exhausted(
  events: EventQueue,
  asked: string,
  elements: number,
  bytes: number,
): HeapExhaustedError {
  events.addExhausted(bytes);
  return new HeapExhaustedError(
    `Vector.${asked}: the heap has no ${bytes} bytes left in one piece, for ${elements} elements`,
    bytes,
  );
}

/** The error for a vector that is not there, or not this thread's to change. */
export const vectorError = (message: string): HeapError =>
  new HeapError('ERR_SHMALLOC_VECTOR', message);

/** What is wrong with an index: the numbers. `last`: the length itself would have done. */
export function badIndex(asked: string, index: unknown, length: number, last = false): Error {
  if (typeof index !== 'number') {
    return typeError(
      'ERR_SHMALLOC_VECTOR',
      `Vector.${asked}: an index is a number, got ${show(index)}`,
    );
  }
  const wrong = !Number.isInteger(index)
    ? 'is no whole number'
    : index < 0
      ? 'is below 0'
      : last
        ? `is above the length ${length}`
        : `is not below the length ${length}`;
  return rangeError('ERR_SHMALLOC_VECTOR', `Vector.${asked}: index ${show(index)} ${wrong}`);
}

/** The error for an index that counts from the end past the first element. */
export const beforeFirst = (index: number, length: number): Error =>
  rangeError(
    'ERR_SHMALLOC_VECTOR',
    `Vector.at: index ${index} is before the first of ${length} elements`,
  );

export const isIndex = (index: unknown): index is number =>
  typeof index === 'number' && index >>> 0 === index;

/** @throws RangeError ERR_SHMALLOC_VECTOR for what is no capacity */
export function checkCapacity(asked: string, capacity: unknown): number {
  const isOne = typeof capacity === 'number' && Number.isInteger(capacity);
  if (isOne && capacity >= 0 && capacity <= LENGTH_MAX) return capacity;
  throw rangeError(
    'ERR_SHMALLOC_VECTOR',
    `${asked}: a capacity is a whole number of elements from 0 to ${LENGTH_MAX}, ` +
      `got ${show(capacity)}`,
  );
}
