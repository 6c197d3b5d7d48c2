/**
 * The views through which a thread sees a heap's buffer.
 *
 * Created once per attach. All views begin at byte 0 of the buffer, so that an address becomes an
 * index by one shift; only the tags and owners have biased views.
 *
 * I1  Views have a fixed length: length-tracking views of growable buffers cost 130-160 ns a pair.
 */

import { GIB, GRANULE_SHIFT, roundDown } from '../base/index.js';
import type { Geometry } from './geometry.js';

/** The whole buffer, as each kind of number. An address is a byte offset: `i32[p >>> 2]`. */
export interface HeapViews {
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly i8: Int8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly i16: Int16Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly f32: Float32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u64: BigUint64Array<SharedArrayBuffer>;
}

export interface HeapMemory extends HeapViews {
  readonly buffer: SharedArrayBuffer;
  readonly geometry: Geometry;
  /** One byte per granule, indexed by `address >>> 4`; meaningful for data addresses only. */
  readonly tags: Uint8Array<SharedArrayBuffer>;
  /** One byte per page, indexed by page; meaningful for pages of spans only (page-owners.ts). */
  readonly owners: Uint8Array<SharedArrayBuffer>;
}

/** Bytes of a buffer that addresses can reach: up to 4 GiB, in whole 8-byte words. */
export const reachableBytes = (buffer: SharedArrayBuffer): number =>
  roundDown(Math.min(buffer.byteLength, 4 * GIB), 8);

/** The views of a heap. */
export function viewMemory(buffer: SharedArrayBuffer, geometry: Geometry): HeapMemory {
  const bytes = reachableBytes(buffer);
  // The biased view never begins before the buffer. The bytes from the buffer's start to the data
  // are at least 16 times the bytes from the tags to the data: computeGeometry leaves room there
  // for tags (1/16 of the data) and page records, and (1/16 + 1/85) of the data is more than 1/15
  // of it.
  const tagsBias = geometry.tagsStart - (geometry.dataStart >>> GRANULE_SHIFT);
  const granules = geometry.end / (1 << GRANULE_SHIFT);
  return {
    buffer,
    geometry,
    u8: new Uint8Array(buffer, 0, bytes),
    i8: new Int8Array(buffer, 0, bytes),
    u16: new Uint16Array(buffer, 0, bytes / 2),
    i16: new Int16Array(buffer, 0, bytes / 2),
    u32: new Uint32Array(buffer, 0, bytes / 4),
    i32: new Int32Array(buffer, 0, bytes / 4),
    f32: new Float32Array(buffer, 0, bytes / 4),
    f64: new Float64Array(buffer, 0, bytes / 8),
    i64: new BigInt64Array(buffer, 0, bytes / 8),
    u64: new BigUint64Array(buffer, 0, bytes / 8),
    tags: new Uint8Array(buffer, tagsBias, granules),
    // The same holds for the owners: they follow the null page, and there are fewer of them than
    // tags.
    owners: new Uint8Array(buffer, geometry.ownersStart - geometry.firstPage, geometry.endPage),
  };
}

/** The public views of a heap's memory, the most used first. */
export function viewsOf(memory: HeapMemory): HeapViews {
  const { i32, u32, u8, f64, f32, i8, u16, i16, i64, u64 } = memory;
  return { i32, u32, u8, f64, f32, i8, u16, i16, i64, u64 };
}
