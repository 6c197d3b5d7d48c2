/**
 * Elements: what a vector has in it, and how one is read, written and checked.
 *
 * Used by local-vector.ts and shared-vector.ts. Pure accesses to memory that the caller has looked up:
 * any thread, by the caller's rules.
 *
 * I1  Numbers of all kinds are read and written by one aligned access each.
 */

import {
  type Address,
  isUint8Array,
  lookAt,
  rangeError,
  show,
  typedArrayLength,
  typedArrayMadeBy,
  typeError,
} from '../base/index.js';
import { type ViewConstructor, viewOf } from '../contexts/index.js';
import { type HeapMemory, reachableBytes } from '../layout/index.js';

/** What the elements of a vector are: numbers as in a typed array, addresses, or records of bytes. */
export type ElementType = ViewConstructor | 'address' | { readonly bytes: number };

/** Elements that are numbers in JavaScript. */
export type NumberElements = Exclude<
  ViewConstructor,
  BigInt64ArrayConstructor | BigUint64ArrayConstructor
>;

/** What an element of a vector is in JavaScript. */
export type ElementOf<E extends ElementType> = E extends 'address'
  ? Address
  : E extends { readonly bytes: number }
    ? Uint8Array
    : E extends BigInt64ArrayConstructor | BigUint64ArrayConstructor
      ? bigint
      : number;

/** What a call of a vector takes as an element: any number for an address. */
export type ElementInput<E extends ElementType> = E extends 'address' ? number : ElementOf<E>;

/** What a view of a vector is. */
export type ViewOf<E extends ElementType> = E extends ViewConstructor
  ? InstanceType<E>
  : E extends 'address'
    ? Uint32Array
    : Uint8Array;

/** An element of any vector. */
export type AnyElement = number | bigint | Uint8Array;

/** Reads and writes the elements of vectors of one kind in one heap. */
export interface Elements<T> {
  /** Bytes of an element. */
  readonly stride: number;
  /** Bytes of the scratch element in a shared storage; 0 = none, an element is written at once. */
  readonly scratchBytes: number;
  /** All of the heap as such numbers, and what shifts an address to an index; null for records. */
  readonly all: { [index: number]: T } | null;
  readonly shift: number;
  /** Is every number, and nothing else, such an element? */
  readonly isAnyNumber: boolean;
  /** Throws where a value is no element of this kind. */
  check(asked: string, value: unknown): void;
  /** Element `index` of those that begin at `start`. */
  read(start: number, index: number): T;
  write(start: number, index: number, value: T): void;
  /** The value, also when the memory that it may be a view of has changed. */
  keep(value: T): T;
  view(start: number, length: number): ArrayBufferView;
}

/** Maximum bytes of an element. */
export const ELEMENT_BYTES_MAX = 2 ** 31;

const ADDRESS_KIND = 1;
const RECORD_KIND = 2;
const NUMBER_KINDS: ReadonlyMap<number, ViewConstructor> = new Map<number, ViewConstructor>([
  [16, Int8Array],
  [17, Uint8Array],
  [18, Uint8ClampedArray],
  [19, Int16Array],
  [20, Uint16Array],
  [21, Int32Array],
  [22, Uint32Array],
  [23, Float32Array],
  [24, Float64Array],
  [25, BigInt64Array],
  [26, BigUint64Array],
]);

/** Kinds by the constructor; by its name, for one of another realm. */
const NUMBERS_OF = new Map<unknown, number>([...NUMBER_KINDS].map(([kind, type]) => [type, kind]));
const FOREIGN_NUMBERS_OF = new Map<unknown, number>(
  [...NUMBER_KINDS].map(([kind, type]) => [type.name, kind]),
);

/** A kind of elements, as a header has it. */
export interface ElementKind {
  readonly kind: number;
  readonly stride: number;
}

/** @throws TypeError, RangeError ERR_SHMALLOC_VECTOR */
export function kindOf(asked: string, type: unknown): ElementKind {
  if (type === 'address') return { kind: ADDRESS_KIND, stride: Uint32Array.BYTES_PER_ELEMENT };
  const kind = NUMBERS_OF.get(type) ?? FOREIGN_NUMBERS_OF.get(typedArrayMadeBy(type));
  if (kind !== undefined) {
    const ArrayType = NUMBER_KINDS.get(kind) as ViewConstructor;
    return { kind, stride: ArrayType.BYTES_PER_ELEMENT };
  }
  const { bytes } = lookAt(asked, 'the elements', () => {
    if (typeof type === 'object' && type !== null && 'bytes' in type) return { bytes: type.bytes };
    throw typeError(
      'ERR_SHMALLOC_VECTOR',
      `${asked}: elements are a typed array constructor, 'address' or { bytes }, got ${nameOf(type)}`,
    );
  });
  if (typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 1) {
    if (bytes <= ELEMENT_BYTES_MAX) return { kind: RECORD_KIND, stride: bytes };
  }
  throw rangeError(
    'ERR_SHMALLOC_VECTOR',
    `${asked}: an element has a whole number of bytes from 1 to ${ELEMENT_BYTES_MAX}, ` +
      `got ${show(bytes)}`,
  );
}

const nameOf = (type: unknown): string =>
  typeof type === 'function' ? `a function (${type.name})` : show(type);

/** A kind as people read it: `Float64Array`, `address`, `24 bytes`. */
export function showKind({ kind, stride }: ElementKind): string {
  if (kind === ADDRESS_KIND) return 'address';
  return NUMBER_KINDS.get(kind)?.name ?? `${stride} bytes`;
}

/** Is there such a kind? */
export function isKind({ kind, stride }: ElementKind): boolean {
  if (kind === RECORD_KIND) return stride > 0;
  const ArrayType = kind === ADDRESS_KIND ? Uint32Array : NUMBER_KINDS.get(kind);
  return ArrayType?.BYTES_PER_ELEMENT === stride;
}

export const isAddressKind = (kind: number): boolean => kind === ADDRESS_KIND;

/**
 * The elements of a kind in a heap, of which the caller knows what they are. Those of numbers are made
 * once: their view is over all of it.
 */
export function elementsOf<T extends AnyElement>(
  memory: HeapMemory,
  { kind, stride }: ElementKind,
): Elements<T> {
  const elements: unknown =
    kind === RECORD_KIND ? new Records(memory, stride) : knownScalars(memory, kind);
  return elements as Elements<T>;
}

const made = new WeakMap<HeapMemory, Map<number, Scalars<number> | Scalars<bigint>>>();

function knownScalars(memory: HeapMemory, kind: number): Scalars<number> | Scalars<bigint> {
  const known = made.get(memory) ?? new Map<number, Scalars<number> | Scalars<bigint>>();
  made.set(memory, known);
  let elements = known.get(kind);
  if (elements === undefined) {
    elements = scalarsOf(memory, kind);
    known.set(kind, elements);
  }
  return elements;
}

function scalarsOf(memory: HeapMemory, kind: number): Scalars<number> | Scalars<bigint> {
  if (kind === ADDRESS_KIND) return new Addresses(memory, Uint32Array);
  const ArrayType = NUMBER_KINDS.get(kind) as ViewConstructor;
  const big = ArrayType === BigInt64Array || ArrayType === BigUint64Array;
  return big ? new BigInts(memory, ArrayType) : new Numbers(memory, ArrayType);
}

/** Numbers of some kind, by a view of the whole heap. */
abstract class Scalars<T extends number | bigint> implements Elements<T> {
  readonly stride: number;
  readonly scratchBytes = 0;
  protected readonly ArrayType: ViewConstructor;
  readonly #memory: HeapMemory;
  readonly all: { [index: number]: T };
  readonly shift: number;
  abstract readonly isAnyNumber: boolean;

  constructor(memory: HeapMemory, ArrayType: ViewConstructor) {
    this.ArrayType = ArrayType;
    this.stride = ArrayType.BYTES_PER_ELEMENT;
    this.#memory = memory;
    // Not a logarithm: that is a float to the engine.
    this.shift = 31 - Math.clz32(this.stride);
    const count = Math.floor(reachableBytes(memory.buffer) / this.stride);
    this.all = viewOf(memory, ArrayType, 0 as Address, count) as unknown as { [n: number]: T };
  }

  abstract check(asked: string, value: unknown): void;

  read(start: number, index: number): T {
    return this.all[(start >>> this.shift) + index];
  }

  write(start: number, index: number, value: T): void {
    this.all[(start >>> this.shift) + index] = value;
  }

  keep(value: T): T {
    return value;
  }

  view(start: number, length: number): ArrayBufferView {
    return viewOf(this.#memory, this.ArrayType, start as Address, length);
  }

  protected refuse(asked: string, wanted: string, value: unknown): TypeError {
    return typeError(
      'ERR_SHMALLOC_VECTOR',
      `${asked}: an element of this vector (${this.ArrayType.name}) is ${wanted}, got ${show(value)}`,
    );
  }
}

class Numbers extends Scalars<number> {
  readonly isAnyNumber = true;

  check(asked: string, value: unknown): void {
    if (typeof value !== 'number') throw this.refuse(asked, 'a number', value);
  }
}

class BigInts extends Scalars<bigint> {
  readonly isAnyNumber = false;

  check(asked: string, value: unknown): void {
    if (typeof value !== 'bigint') throw this.refuse(asked, 'a bigint', value);
  }
}

class Addresses extends Scalars<number> {
  readonly isAnyNumber = false;

  check(asked: string, value: unknown): void {
    if (typeof value === 'number' && value >>> 0 === value) return;
    throw typeError(
      'ERR_SHMALLOC_VECTOR',
      `${asked}: an element of this vector is an address, got ${show(value)}`,
    );
  }
}

/** Records of bytes. They are copied in and out. */
class Records implements Elements<Uint8Array> {
  readonly stride: number;
  readonly scratchBytes: number;
  readonly all = null;
  readonly shift = 0;
  readonly isAnyNumber = false;
  readonly #memory: HeapMemory;

  constructor(memory: HeapMemory, stride: number) {
    this.#memory = memory;
    this.stride = stride;
    this.scratchBytes = Math.ceil(stride / 16) * 16;
  }

  check(asked: string, value: unknown): void {
    const isOne = isUint8Array(value);
    const length = isOne ? typedArrayLength(value) : -1;
    if (length === this.stride) return;
    const got = isOne ? `one of ${length}` : show(value);
    throw typeError(
      'ERR_SHMALLOC_VECTOR',
      `${asked}: an element of this vector is a Uint8Array of ${this.stride} bytes, got ${got}`,
    );
  }

  read(start: number, index: number): Uint8Array {
    const at = start + index * this.stride;
    return new Uint8Array(this.#memory.u8.subarray(at, at + this.stride));
  }

  write(start: number, index: number, value: Uint8Array): void {
    this.#memory.u8.set(value, start + index * this.stride);
  }

  keep(value: Uint8Array): Uint8Array {
    return new Uint8Array(value);
  }

  view(start: number, length: number): ArrayBufferView {
    return viewOf(this.#memory, Uint8Array, start as Address, length * this.stride);
  }
}
