/**
 * Heaps that lie in a buffer already: a new one over one of them would destroy it.
 *
 * Used by SharedHeap.create, for buffers that the caller gives. Any thread.
 *
 * A heap is in use as long as a living thread is attached to it, also if it is poisoned. One whose
 * threads have all detached or died is over, and so is what only looks like a header.
 *
 * To look at all pages of 4 GiB would take 0.1 to 2 seconds: each of them would have to be mapped for
 * that. So it is looked where heaps are: at the new one's own place, at the buffer's beginning, where
 * this thread knows one, and on a grid of places, all pages of a buffer of 8 MiB, every 4 MiB of one
 * of 4 GiB. A heap at another place, of another thread, is not found.
 */

import { HeapError, PAGE_BYTES, WORD_BYTES } from '../base/index.js';
import * as Header from '../layout/header.js';
import {
  computeGeometry,
  HEAP_BYTES_MIN,
  type HeaderFields,
  type HeapMemory,
  headerWord,
  reachableBytes,
  viewMemory,
} from '../layout/index.js';
import { countLiving } from '../sync/index.js';

/** Places of the grid that are looked at, at most. */
const PLACES_MAX = 1024;

/** The place of a heap in a buffer. */
export interface Extent {
  readonly base: number;
  readonly bytes: number;
}

/** A heap that is in use, or that nobody can tell of. */
export interface HeapInUse extends Extent {
  readonly id: string;
  /** Living threads that are attached; undefined: it is of another version, nobody can tell. */
  readonly threads: number | undefined;
}

/**
 * The heaps that a new one at `wanted` would lie over, those of living threads. What they are is
 * looked up one by one: the caller may detach one before it asks for the next.
 * @param known places where this thread knows of heaps, in whatever buffer
 *
 * Cost: a look at 1,000 pages at most.
 */
export function* heapsInUse(
  buffer: SharedArrayBuffer,
  wanted: Extent,
  known: Iterable<number>,
): Generator<HeapInUse> {
  for (const fields of heapsBelow(buffer, wanted, known)) {
    const threads = countThreads(buffer, fields);
    const { base, bytes, id } = fields;
    if (threads !== 0) yield { base, bytes, id, threads };
  }
}

/** Heaps inside a new one are none any more: who still has a handle of one is told so. */
export function eraseHeaps(buffer: SharedArrayBuffer, wanted: Extent): void {
  for (const { base } of heapsBelow(buffer, wanted, [])) {
    // Below it is what is the caller's.
    if (base >= wanted.base) eraseHeap(buffer, base);
  }
}

export function eraseHeap(buffer: SharedArrayBuffer, base: number): void {
  Header.erase(wordsOf(buffer), headerWord(base));
}

/** Is it this heap that begins there? */
export const isHeapAt = (buffer: SharedArrayBuffer, base: number, id: string): boolean =>
  Header.read(wordsOf(buffer), headerWord(base))?.id === id;

const wordsOf = (buffer: SharedArrayBuffer): Uint32Array =>
  new Uint32Array(buffer, 0, reachableBytes(buffer) / WORD_BYTES);

/** All that looks like a heap and has a byte in common with a new one. */
function* heapsBelow(
  buffer: SharedArrayBuffer,
  wanted: Extent,
  known: Iterable<number>,
): Generator<HeaderFields> {
  const u32 = wordsOf(buffer);
  const end = wanted.base + wanted.bytes;
  for (const base of placesIn(end, [wanted.base, 0, ...known])) {
    if (headerWord(base) + PAGE_BYTES / WORD_BYTES > u32.length) continue;
    const fields = Header.read(u32, headerWord(base));
    if (fields === null || !isWhole(fields, base, buffer.byteLength)) continue;
    if (base + fields.bytes > wanted.base) yield fields;
  }
}

/** Where heaps may begin that reach below `end`. */
function* placesIn(end: number, likely: readonly number[]): Generator<number> {
  for (const place of likely) if (place < end) yield place;
  let step = PAGE_BYTES;
  while (end / step > PLACES_MAX) step *= 2;
  for (let place = 0; place < end; place += step) yield place;
}

/** Can a heap be what this header says? */
const isWhole = (fields: HeaderFields, base: number, bufferBytes: number): boolean =>
  fields.base === base && fields.bytes >= HEAP_BYTES_MIN && base + fields.bytes <= bufferBytes;

function countThreads(buffer: SharedArrayBuffer, fields: HeaderFields): number | undefined {
  if (fields.version !== Header.LAYOUT_VERSION) return undefined;
  let memory: HeapMemory;
  try {
    memory = viewMemory(buffer, computeGeometry(fields));
  } catch {
    // No heap can be made like this.
    return 0;
  }
  return countLiving(memory);
}

export function inUse(wanted: Extent, found: HeapInUse, isOwn: boolean): HeapError {
  const { base, bytes, threads } = found;
  const who =
    threads === undefined
      ? 'of another version of shmalloc, so that nobody can tell whether it is in use'
      : `with ${threads} ${threads === 1 ? 'thread' : 'threads'} attached${isOwn ? ', this one too' : ''}`;
  return new HeapError(
    'ERR_SHMALLOC_BUFFER_IN_USE',
    `SharedHeap.create: cannot make a heap in bytes ${wanted.base} to ${wanted.base + wanted.bytes} ` +
      `of this buffer: a heap of ${bytes} bytes begins at byte ${base}, ${who}; ` +
      'SharedHeap.attach(heap.handle) uses it; to make another one in its place detach() its ' +
      'threads first, or give `overwrite: true`, and it is lost',
  );
}
