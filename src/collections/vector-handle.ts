/**
 * Handles of vectors: how a vector gets from one thread to another, and how it is recognised there.
 *
 * Used by vector.ts. A foreign handle, or one of a vector that is gone, is a clear error.
 */

import {
  type Address,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  HeapError,
  hex,
  lookAt,
  OWNED,
  show,
  typeError,
  type WordIndex,
} from '../base/index.js';
import {
  CONTEXT_VECTOR,
  type HeapMemory,
  readVectorHeader,
  SHARED_VECTOR,
  VECTOR_HEADER_BYTES,
  VECTOR_KIND_MASK,
  type VectorFields,
} from '../layout/index.js';
import { type AnyElement, isKind, showKind } from './vector-elements.js';

const HANDLE_KIND = 'shmalloc vector';

/** What another thread needs to attach: a plain object for postMessage, workerData or a task. */
export interface VectorHandle {
  readonly kind: typeof HANDLE_KIND;
  /** `heap.handle.id` of the heap that it lives in. */
  readonly heapId: string;
  readonly address: number;
  readonly serial: number;
  /** For people: `Float64Array`, `address`, `24 bytes`. */
  readonly elements: string;
  readonly shared: boolean;
}

declare const TYPES: unique symbol;

/** A handle that TypeScript knows the elements of: `Vector.attach` gives a vector of the same. */
export interface VectorHandleOf<T extends AnyElement, V> extends VectorHandle {
  /** What elements and views are, for TypeScript alone: it is never there. */
  readonly [TYPES]?: { readonly element: T; readonly view: V };
}

export function makeVectorHandle(
  heapId: string,
  address: Address,
  { type, stride, serial }: VectorFields,
): VectorHandle {
  const elements = showKind({ kind: type & VECTOR_KIND_MASK, stride });
  const shared = (type & SHARED_VECTOR) !== 0;
  return { kind: HANDLE_KIND, heapId, address, serial, elements, shared };
}

/**
 * The header that a handle names.
 * @throws TypeError, HeapError ERR_SHMALLOC_VECTOR
 */
export function findVector(
  memory: HeapMemory,
  heapId: string,
  handle: unknown,
): { header: WordIndex; fields: VectorFields } {
  const { address, serial, heapId: of } = checkHandle(handle);
  if (of !== heapId) {
    throw gone(address, `it lives in heap ${show(of)}, and this is heap '${heapId}'`);
  }
  const { dataStart, end } = memory.geometry;
  const isInData =
    address % GRANULE_BYTES === 0 && address >= dataStart && address <= end - VECTOR_HEADER_BYTES;
  if (!isInData) throw gone(address, 'that is no address of a block of this heap');
  const header = (address >>> 2) as WordIndex;
  const fields = readVectorHeader(memory.u32, header);
  if (fields === null || fields.serial !== serial) throw gone(address, 'it is not there any more');
  const { type, stride } = fields;
  const isOwned = memory.tags[address >>> GRANULE_SHIFT] === OWNED;
  const isWhole = isKind({ kind: type & VECTOR_KIND_MASK, stride });
  if (!isWhole || (!isOwned && (type & CONTEXT_VECTOR) === 0)) {
    throw gone(address, 'what is there is no vector');
  }
  return { header, fields };
}

type Named = Pick<VectorHandle, 'address' | 'serial' | 'heapId'>;

/** What a handle names, read once. */
function checkHandle(handle: unknown): Named {
  const named = lookAt('Vector.attach', 'the handle', () => {
    if (typeof handle !== 'object' || handle === null) return undefined;
    const { kind, address, serial, heapId } = handle as Partial<VectorHandle>;
    const isWhole =
      kind === HANDLE_KIND &&
      typeof heapId === 'string' &&
      Number.isSafeInteger(address) &&
      Number.isSafeInteger(serial);
    return isWhole ? ({ address, serial, heapId } as Named) : undefined;
  });
  if (named !== undefined) return named;
  throw typeError(
    'ERR_SHMALLOC_VECTOR',
    `Vector.attach: give it a vector's handle (vector.handle), got ${show(handle)}`,
  );
}

const gone = (address: number, why: string): HeapError =>
  new HeapError(
    'ERR_SHMALLOC_VECTOR',
    `Vector.attach: cannot attach the vector at ${hex(address)}: ${why}`,
  );
