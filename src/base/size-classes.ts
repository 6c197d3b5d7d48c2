/**
 * Size classes: the block sizes that exist, and everything that follows from a block's size alone.
 *
 * Used by layout/ (capacity of a magazine), pages/ and stats/. Constant tables, any thread.
 * Classes as in jemalloc and tcmalloc: every 16 bytes up to 128, then four per doubling, so that
 * rounding wastes at most a fifth of a block. The largest is 64 KiB: programs ask for just over
 * 32 KiB often enough to pay (figures: docs/performance.md).
 *
 * I1  Class 0 is "no block", classes 1..44 are blocks, LARGE is a block that is a run of its own.
 *     The two tags above LARGE mark blocks that belong to an object of the heap, not to the
 *     program.
 * I2  A span's tail waste is at most an eighth of it; its blocks fit its bitmap of 512 bits.
 * I3  blockIndex() is exact for every byte of every span (checked by test, offset by offset).
 */

import { roundUp } from './bits.js';
import { GRANULE_BYTES, GRANULE_SHIFT, KIB, PAGE_BYTES, type SizeClass } from './units.js';

/** Maximum bytes of a block in a span; a larger block is a run of its own. */
export const SMALL_BYTES_MAX = 64 * KIB;

const LINEAR_BYTES_MAX = 128;
const STEPS_PER_DOUBLING = 4;
const SPAN_BLOCKS_MAX = 512;
/**
 * Minimum blocks of a span, unless it has SPAN_PAGES_WANTED pages already. With spans of two or
 * three blocks every refill takes a run from the page heap (trace `as`: 23.6 instead of 17.2 ns).
 */
const SPAN_BLOCKS_WANTED = 8;
const SPAN_PAGES_WANTED = 8;
const TAIL_WASTE_MAX = 1 / 8;

/** Maximum blocks, and approximate maximum bytes, of a refill. */
const BATCH_BLOCKS_MAX = 512;
const BATCH_BYTES = 128 * KIB;

function* blockSizes(): Generator<number> {
  for (let bytes = GRANULE_BYTES; bytes <= LINEAR_BYTES_MAX; bytes += GRANULE_BYTES) yield bytes;
  for (let base = LINEAR_BYTES_MAX; base < SMALL_BYTES_MAX; base *= 2) {
    for (let step = 1; step <= STEPS_PER_DOUBLING; step++) {
      yield base + (base / STEPS_PER_DOUBLING) * step;
    }
  }
}

const sizes = [...blockSizes()];

/** Number of size classes, and the last class's number. */
export const SIZE_CLASS_COUNT = sizes.length;
/** The tag of a large block: one past the last size class. */
export const LARGE = (SIZE_CLASS_COUNT + 1) as SizeClass;
/** The tag of a span's block that belongs to an object of the heap: a chunk, a vector's storage. */
export const OWNED = (LARGE + 1) as SizeClass;
/** The tag of a large block that belongs to an object of the heap. */
export const OWNED_LARGE = (LARGE + 2) as SizeClass;
/** True for OWNED and OWNED_LARGE. */
export const isOwnedTag = (tag: number): boolean => tag > LARGE;
/** Entries of arrays that are indexed by class or tag: whole cache lines. */
export const CLASS_ENTRIES = roundUp(OWNED_LARGE + 1, 16);
/** Difference between the numbers of a class's remote and local magazines. */
export const REMOTE = CLASS_ENTRIES;
/** Entries of arrays that are indexed by magazine. */
export const MAGAZINE_ENTRIES = REMOTE + CLASS_ENTRIES;

/** Bytes of a block, by class. */
export const BLOCK_BYTES = new Uint32Array(CLASS_ENTRIES);
/** Pages of a span, by class. */
export const SPAN_PAGES = new Uint32Array(CLASS_ENTRIES);
/** Blocks of a span, by class. */
export const SPAN_BLOCKS = new Uint32Array(CLASS_ENTRIES);
/** Bytes at a span's end that hold no block, by class. */
export const SPAN_TAIL_BYTES = new Uint32Array(CLASS_ENTRIES);
/** Maximum blocks of a refill, by class. */
export const BATCH_BLOCKS = new Uint32Array(CLASS_ENTRIES);
/** Size class of a request, by its size in granules, rounded up. */
export const CLASS_OF_GRANULES = new Uint8Array((SMALL_BYTES_MAX >>> GRANULE_SHIFT) + 1);

/**
 * Division by a class's block size as a multiplication:
 * `Math.imul(granules, multiplier) >>> shift` is the number of blocks. See blockIndex.
 */
export const DIVIDE_MULTIPLIER = new Int32Array(CLASS_ENTRIES);
export const DIVIDE_SHIFT = new Uint8Array(CLASS_ENTRIES);

sizes.forEach((bytes, i) => {
  const sizeClass = i + 1;
  let pages = 1;
  const wasteful = () => (pages * PAGE_BYTES) % bytes > pages * PAGE_BYTES * TAIL_WASTE_MAX;
  const short = () => pages < SPAN_PAGES_WANTED && pages * PAGE_BYTES < SPAN_BLOCKS_WANTED * bytes;
  while (wasteful() || short()) pages++;
  const blocks = Math.floor((pages * PAGE_BYTES) / bytes);
  if (blocks > SPAN_BLOCKS_MAX) throw new Error(`class ${sizeClass}: ${blocks} blocks in a span`);

  BLOCK_BYTES[sizeClass] = bytes;
  SPAN_PAGES[sizeClass] = pages;
  SPAN_BLOCKS[sizeClass] = blocks;
  SPAN_TAIL_BYTES[sizeClass] = pages * PAGE_BYTES - blocks * bytes;
  BATCH_BLOCKS[sizeClass] = Math.max(
    1,
    Math.min(BATCH_BLOCKS_MAX, Math.floor(BATCH_BYTES / bytes)),
  );

  const granules = bytes >>> GRANULE_SHIFT;
  const shift = 14 + Math.ceil(Math.log2(granules));
  DIVIDE_SHIFT[sizeClass] = shift;
  DIVIDE_MULTIPLIER[sizeClass] = Math.ceil(2 ** shift / granules);

  const smaller = i === 0 ? -1 : (sizes[i - 1] as number) >>> GRANULE_SHIFT;
  CLASS_OF_GRANULES.fill(sizeClass, smaller + 1, granules + 1);
});

/** The smallest class whose blocks hold `bytes` bytes; `bytes` is an integer up to 64 KiB. */
export function classOf(bytes: number): SizeClass {
  return CLASS_OF_GRANULES[(bytes + GRANULE_BYTES - 1) >>> GRANULE_SHIFT] as SizeClass;
}

/**
 * The smallest class whose blocks hold `bytes` bytes and all start at a multiple of `alignment`, or
 * 0. Spans start at a page, so a block is aligned when its size is a multiple of the alignment.
 */
export function alignedClassOf(alignment: number, bytes: number): SizeClass {
  if (bytes > SMALL_BYTES_MAX || alignment > PAGE_BYTES) return 0 as SizeClass;
  for (let c = classOf(bytes); c <= SIZE_CLASS_COUNT; c++) {
    if ((BLOCK_BYTES[c] as number) % alignment === 0) return c;
  }
  return 0 as SizeClass;
}

/**
 * The index in its span of the block that contains a byte. Divides by multiplication: exact for
 * offsets below 512 KiB, and every span is shorter (Granlund and Montgomery 1994).
 */
export function blockIndex(sizeClass: SizeClass, offsetBytes: number): number {
  return (
    Math.imul(offsetBytes >>> GRANULE_SHIFT, DIVIDE_MULTIPLIER[sizeClass] as number) >>>
    (DIVIDE_SHIFT[sizeClass] as number)
  );
}

/** Whole pages that hold `bytes` bytes; `bytes` is a safe integer. */
export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}
