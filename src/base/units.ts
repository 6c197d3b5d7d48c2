/**
 * Units: what an address, a granule and a page are, and how to convert between them.
 *
 * Used by every layer. Pure arithmetic, any thread.
 *
 * I1  A granule is 16 bytes: every address that malloc returns is a multiple of it.
 * I2  Addresses are unsigned and below 4 GiB: shift them with `>>>`, never with `>>`.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/**
 * A byte offset in the heap's buffer; 0 is null. It is a plain number at run time: the brand keeps
 * it apart from sizes and indexes. Convert a number from shared memory with `value as Address`.
 */
export type Address = Branded<'Address'>;
/** The n-th 8 KiB page of the buffer, counted from the buffer's start; 0 is none. */
export type PageIndex = Branded<'PageIndex'>;
/** The n-th size class, from 1; 0 is "no block here". */
export type SizeClass = Branded<'SizeClass'>;
/**
 * One of a thread's magazines of free blocks. The local magazine of a class has the class's number;
 * the remote magazine has a number of its own.
 */
export type MagazineIndex = SizeClass | Branded<'RemoteMagazine'>;
/** The n-th thread slot of a heap, from 0. */
export type SlotIndex = Branded<'SlotIndex'>;
/** The index of a structure's first 32-bit word in the buffer. */
export type WordIndex = Branded<'WordIndex'>;

/** The null address. */
export const NULL = 0 as Address;

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

export const GRANULE_SHIFT = 4;
export const GRANULE_BYTES = 1 << GRANULE_SHIFT;

export const PAGE_SHIFT = 13;
export const PAGE_BYTES = 1 << PAGE_SHIFT;

export const WORD_SHIFT = 2;
export const WORD_BYTES = 1 << WORD_SHIFT;

/** Bytes of a cache line: 64, or pairs of 64, on every machine that Node runs on. */
export const LINE_BYTES = 64;
export const LINE_WORDS = LINE_BYTES / WORD_BYTES;

/** An address as messages show it: `0x4010`. */
export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
