/**
 * Blocks as typed arrays and as texts.
 *
 * Used by SharedHeap. Any thread.
 */

import { type Address, HeapExhaustedError, rangeError, show } from '../base/index.js';
import { elementBytesOf, type ViewConstructor, viewOf, writeString } from '../contexts/index.js';
import { requireSize, type ThreadHeap } from '../heap/index.js';

/** A new block as `length` elements, all zero. */
export function allocView<C extends ViewConstructor>(
  core: ThreadHeap,
  ArrayType: C,
  length: number,
): InstanceType<C> {
  const elementBytes = elementBytesOf('alloc', ArrayType);
  requireSize('alloc', length);
  const address = core.shared.calloc(length, elementBytes);
  if (address === 0) throw exhausted('alloc', length * elementBytes);
  return viewOf(core.memory, ArrayType, address, length);
}

/** A view of `length` elements of a live block, from an offset of bytes in it. */
export function viewBlock<C extends ViewConstructor>(
  core: ThreadHeap,
  ArrayType: C,
  address: number,
  [length, byteOffset]: readonly [length: number, byteOffset: number],
): InstanceType<C> {
  const elementBytes = elementBytesOf('view', ArrayType);
  const usable = core.shared.usableSize(address as Address, 'view');
  const fits =
    Number.isInteger(length) &&
    Number.isInteger(byteOffset) &&
    length >= 0 &&
    byteOffset >= 0 &&
    byteOffset % elementBytes === 0 &&
    byteOffset + length * elementBytes <= usable;
  if (!fits) {
    throw rangeError(
      'ERR_SHMALLOC_INVALID_SIZE',
      `view: ${show(length)} elements of ${elementBytes} bytes from offset ${show(byteOffset)} ` +
        `do not lie inside the block's ${usable} bytes`,
    );
  }
  return viewOf(core.memory, ArrayType, (address + byteOffset) as Address, length);
}

/** A new block with a text. */
export function allocText(core: ThreadHeap, text: string): Address {
  return writeString(core.memory, text, (bytes) => {
    const address = core.shared.malloc(bytes);
    if (address === 0) throw exhausted('allocString', bytes);
    return address;
  });
}

const exhausted = (call: string, bytes: number): HeapExhaustedError =>
  new HeapExhaustedError(`${call}: the heap has no ${bytes} bytes left in one piece`, bytes);
