/**
 * Handles: how a heap gets from one thread to another, and how it is recognised there.
 *
 * Used by SharedHeap. A foreign, truncated or newer heap is a clear error.
 */

import { HeapError, isSharedBuffer, KIB, PAGE_BYTES, show, typeError } from '../base/index.js';
import * as Header from '../layout/header.js';
import { HEAP_BYTES_MIN, type HeaderFields, headerWord, reachableBytes } from '../layout/index.js';
import { requireFixedBuffer } from '../options/index.js';

const HANDLE_KIND = 'shmalloc heap';

/**
 * What another thread needs to attach: a plain object for postMessage, workerData or a task. Never
 * put its buffer in a transfer list: shared memory is shared by being cloned.
 */
export interface HeapHandle {
  readonly kind: typeof HANDLE_KIND;
  readonly id: string;
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
}

export function makeHandle(id: string, buffer: SharedArrayBuffer, byteOffset: number): HeapHandle {
  return { kind: HANDLE_KIND, id, buffer, byteOffset };
}

/** @throws TypeError ERR_SHMALLOC_NOT_A_HEAP, ERR_SHMALLOC_INVALID_OPTION */
export function checkHandle(handle: HeapHandle): HeapHandle {
  if (typeof handle !== 'object' || handle === null || handle.kind !== HANDLE_KIND) {
    throw typeError(
      'ERR_SHMALLOC_NOT_A_HEAP',
      `SharedHeap.attach: give it a heap's handle (heap.handle), got ${show(handle)}`,
    );
  }
  const { buffer } = handle;
  if (!isSharedBuffer(buffer)) {
    // What is left of a buffer where shared memory cannot go: an object without anything in it, say.
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `SharedHeap.attach: the handle's buffer must be a SharedArrayBuffer, got ${show(buffer)}: a heap ` +
        'cannot leave its process, and nothing is left of its memory in JSON, process.send or a ' +
        'file; hand it to threads of this process, by workerData or postMessage',
    );
  }
  requireFixedBuffer('attach', buffer);
  return handle;
}
/**
 * The header of the heap that a handle names, checked.
 * @throws HeapError as headerOf
 */
export function headerOfHandle({ buffer, byteOffset, id }: HeapHandle): HeaderFields {
  const fields = headerOf(buffer, byteOffset);
  if (fields.id === id) return fields;
  throw new HeapError(
    'ERR_SHMALLOC_NOT_A_HEAP',
    `heap ${show(id)} is gone: another one, '${fields.id}', was made at its place in the buffer`,
  );
}

/** How many threads can be attached to the heap that a handle names. */
export const slotsOf = (handle: HeapHandle): number => headerOfHandle(handle).threads;

/**
 * The header of a heap at `base`, checked.
 * @throws HeapError ERR_SHMALLOC_NOT_A_HEAP, _LAYOUT_VERSION, _TRUNCATED
 */
export function headerOf(buffer: SharedArrayBuffer, base: number): HeaderFields {
  if (
    !(
      Number.isInteger(base) &&
      base >= 0 &&
      base % PAGE_BYTES === 0 &&
      base + 64 * KIB <= buffer.byteLength
    )
  ) {
    throw new HeapError(
      'ERR_SHMALLOC_TRUNCATED',
      `SharedHeap.attach: no heap at byte ${show(base)}: the buffer has ${buffer.byteLength} bytes, a heap at least ${HEAP_BYTES_MIN}`,
    );
  }
  const fields = Header.read(
    new Uint32Array(buffer, 0, reachableBytes(buffer) / 4),
    headerWord(base),
  );
  if (fields === null) {
    throw new HeapError(
      'ERR_SHMALLOC_NOT_A_HEAP',
      `SharedHeap.attach: no heap at byte ${base} of this buffer: the magic is missing`,
    );
  }
  if (fields.version !== Header.LAYOUT_VERSION) {
    throw new HeapError(
      'ERR_SHMALLOC_LAYOUT_VERSION',
      `SharedHeap.attach: this heap has memory layout ${fields.version}, this shmalloc knows ${Header.LAYOUT_VERSION}: use one version everywhere`,
    );
  }
  if (fields.base !== base || base + fields.bytes > buffer.byteLength) {
    throw new HeapError(
      'ERR_SHMALLOC_TRUNCATED',
      `SharedHeap.attach: the heap takes ${fields.bytes} bytes from byte ${fields.base} on, this buffer has ${buffer.byteLength} (asked for byte ${base})`,
    );
  }
  return fields;
}
