/**
 * Views: typed arrays over the heap.
 *
 * Used by contexts, vectors and face/. Any thread.
 */

import type { Address } from '../base/index.js';
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
