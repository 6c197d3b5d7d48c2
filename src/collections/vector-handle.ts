/**
 * Handles of vectors: how a vector gets from one thread to another, and how it is recognised there.
 *
 * Used by vectors.ts. A foreign handle, or one of a vector that is gone, is a clear error.
 */

import {
  type Address,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  type HeapError,
  hex,
  lookAt,
  OWNED,
  show,
  typeError,
  type WordIndex,
} from '../base/index.js';
import type { Attachment } from '../contexts/index.js';
import type { HeapMemory, VectorFields } from '../layout/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import { type ElementType, isKind, showKind } from './vector-elements.js';
import { vectorError } from './vector-engine.js';
import type { VectorPlace } from './vector-storage.js';

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

/** A handle that TypeScript knows the elements of: `vectors.attach` gives a vector of the same. */
export interface VectorHandleOf<E extends ElementType> extends VectorHandle {
  /** What elements are, for TypeScript alone: it is never there. */
  readonly [TYPES]?: E;
}

export function makeVectorHandle(
  heapId: string,
  address: Address,
  { type, stride, serial }: VectorFields,
): VectorHandle {
  const elements = showKind({ kind: type & VectorHeader.KIND_MASK, stride });
  const shared = (type & VectorHeader.SHARED) !== 0;
  return { kind: HANDLE_KIND, heapId, address, serial, elements, shared };
}

/**
 * The vector that a handle names, or whose header is at an address.
 * @throws TypeError, HeapError ERR_SHMALLOC_VECTOR
 */
export function findVector(attachment: Attachment, asked: unknown): VectorPlace {
  const { core, heapId } = attachment;
  const { memory } = core;
  const { address, serial, heapId: of = heapId } = readAsked(asked);
  if (of !== heapId) {
    throw gone(address, `it lives in heap ${show(of)}, and this is heap '${heapId}'`);
  }
  const { dataStart, end } = memory.geometry;
  const isInData =
    address % GRANULE_BYTES === 0 && address >= dataStart && address <= end - VectorHeader.BYTES;
  if (!isInData) throw gone(address, 'that is no address of a block of this heap');
  const header = (address >>> 2) as WordIndex;
  const fields = VectorHeader.read(memory.u32, header);
  const isThere = fields !== null && (serial === undefined || fields.serial === serial);
  if (!isThere) throw gone(address, 'it is not there any more');
  if (!isVector(memory, address, fields)) throw gone(address, 'what is there is no vector');
  return { attachment, header, fields };
}

function isVector(
  { tags, geometry }: HeapMemory,
  address: number,
  { type, stride, context }: VectorFields,
): boolean {
  if (!isKind({ kind: type & VectorHeader.KIND_MASK, stride })) return false;
  if ((type & VectorHeader.IN_CONTEXT) === 0) return tags[address >>> GRANULE_SHIFT] === OWNED;
  return context > 0 && context <= geometry.contextCount;
}

interface Asked {
  readonly address: number;
  /** Of a handle only. */
  readonly serial?: number;
  readonly heapId?: string;
}

/** What a handle names, read once; or an address. */
function readAsked(asked: unknown): Asked {
  const read = lookAt('vectors.attach', 'the handle', (): Asked | undefined => {
    if (typeof asked === 'number' && Number.isSafeInteger(asked)) return { address: asked };
    if (typeof asked !== 'object' || asked === null) return undefined;
    const { kind, address, serial, heapId } = asked as Partial<VectorHandle>;
    const isWhole =
      kind === HANDLE_KIND &&
      typeof heapId === 'string' &&
      Number.isSafeInteger(address) &&
      Number.isSafeInteger(serial);
    return isWhole ? ({ address, serial, heapId } as Asked) : undefined;
  });
  if (read !== undefined) return read;
  throw typeError(
    'ERR_SHMALLOC_VECTOR',
    `vectors.attach: give it a vector's handle (vector.handle) or address, got ${show(asked)}`,
  );
}

const gone = (address: number, why: string): HeapError =>
  vectorError(`vectors.attach: cannot attach the vector at ${hex(address)}: ${why}`);
