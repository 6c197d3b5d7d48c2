/**
 * Views: typed arrays over the heap.
 *
 * Used by contexts, vectors and api/. Any thread.
 */

import { type Address, lookAt, show, typeError } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';

/** The typed arrays that can lie over a block. */
export type ViewConstructor =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Uint8ClampedArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor;

/**
 * The bytes of an element of such arrays.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION for what is no typed array's constructor
 */
export function elementBytesOf(call: string, ArrayType: unknown): number {
  const bytes = lookAt(call, "the array's type", () =>
    typeof ArrayType === 'function'
      ? (ArrayType as Partial<ViewConstructor>).BYTES_PER_ELEMENT
      : undefined,
  );
  // By what it says of itself: one of another realm is none of this realm's classes.
  if (typeof bytes === 'number' && [1, 2, 4, 8].includes(bytes)) return bytes;
  throw typeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    `${call}: give it a typed array's constructor, as Float64Array, got ${show(ArrayType)}`,
  );
}

/** A view of `length` elements; the caller has checked that they lie in a block. */
export function viewOf<C extends ViewConstructor>(
  { buffer }: HeapMemory,
  ArrayType: C,
  address: Address,
  length: number,
): InstanceType<C> {
  // Every typed array can lie over shared memory; the types of some constructors do not say so.
  return new ArrayType(buffer as unknown as ArrayBuffer, address, length) as InstanceType<C>;
}
