/**
 * Blocks as typed arrays and as texts.
 *
 * Used by SharedHeap, whose calls HeapBlocks describes. Any thread.
 */

import { type Address, HeapExhaustedError, rangeError, show } from '../base/index.js';
import { elementBytesOf, type ViewConstructor, viewOf, writeString } from '../contexts/index.js';
import { requireSize, type ThreadHeap } from '../heap/index.js';

/** Calls of a heap for blocks as typed arrays and as texts. */
export interface HeapBlocks {
  /**
   * The bytes of a live block that may be used.
   * @param address a live block's
   * @returns bytes, at least as many as were asked for
   * @throws InvalidAddressError
   *
   * Threads: any. Cost: a few ns.
   */
  usableSize(address: number): number;
  /**
   * Allocates a block for `length` elements, all zero. `heap.free(view.byteOffset)` frees it.
   * @param ArrayType Float64Array, Int32Array ...
   * @param length elements, a whole number from 0
   * @returns a view of the block; its `byteOffset` is the block's address
   * @throws HeapExhaustedError ERR_SHMALLOC_HEAP_EXHAUSTED when the heap is full; TypeError, RangeError
   *   ERR_SHMALLOC_INVALID_SIZE, ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any. The view outlives the block: do not use it after free. Cost: as calloc_ts, and about
   * 100 ns for the view.
   *
   * @example
   * ```ts
   * const list = heap.alloc(Int32Array, 1000);
   * list[0] = 42;
   * heap.free(list.byteOffset);
   * ```
   */
  alloc<C extends ViewConstructor>(ArrayType: C, length: number): InstanceType<C>;
  /**
   * A typed array over a live block, or over a part of it, checked against the block.
   * @param ArrayType Float64Array, Int32Array ...
   * @param address a live block's
   * @param length elements
   * @param byteOffset bytes from the block's start to the view's; a multiple of the element size
   * @returns the view
   * @throws InvalidAddressError; RangeError ERR_SHMALLOC_INVALID_SIZE when the view would not lie
   *   inside the block; TypeError ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any. The view outlives the block: do not use it after free. Cost: about 100 ns.
   */
  view<C extends ViewConstructor>(
    ArrayType: C,
    address: number,
    length: number,
    byteOffset?: number,
  ): InstanceType<C>;
  /**
   * Allocates a block with a text: four bytes with its length in bytes, then UTF-8, then a zero byte.
   * @param text any text, lone surrogates included
   * @returns the block's address: `readString` gives the text back in any thread, and `free` frees it
   * @throws HeapExhaustedError ERR_SHMALLOC_HEAP_EXHAUSTED when the heap is full; TypeError
   *   ERR_SHMALLOC_INVALID_OPTION for what is no text
   *
   * Threads: any. Cost: as malloc_ts, and about 1 ns a byte.
   */
  allocString(text: string): Address;
  /**
   * The text that `allocString` of this heap, or of one of its contexts, has stored.
   * @param address what allocString returned
   * @returns the text
   * @throws RangeError ERR_SHMALLOC_INVALID_ADDRESS where no text can be
   *
   * Threads: any. Cost: about 1 ns a byte.
   */
  readString(address: number): string;
}

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
