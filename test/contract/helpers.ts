/**
 * What the tests of the contract need, of the public package alone: seeds that can be given again, the
 * accounting identity, snapshots of a heap, patterns for blocks, and a heap above 2 GiB.
 */

import assert from 'node:assert/strict';
import type { ExecutionContext } from 'ava';
import { type HeapStats, SharedHeap } from 'shmalloc';

export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** Options of a heap that is soon full, and of one with room. */
export const SMALL_HEAP = { size: '2MiB', threads: 1 };
export const HEAP = { size: '8MiB', threads: 2 };

export const hex = (address: number): string => `0x${address.toString(16)}`;

// ---- seeds

/** This run's seed: SHMALLOC_TEST_SEED, or another one every time. Printed, so that it can be given. */
export function seedOf(t: ExecutionContext): number {
  const given = process.env.SHMALLOC_TEST_SEED;
  const seed = given === undefined ? (Date.now() ^ (process.pid << 16)) | 0 : Number(given) | 0;
  t.log(`SHMALLOC_TEST_SEED=${seed}`);
  return seed;
}

/** A small generator of random numbers (mulberry32): the same seed gives the same numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 32 random bits, unsigned. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return (x ^ (x >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.word() / 2 ** 32) * limit);
  }

  /** One of these. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }
}

/** Random whole numbers from 0 to `below` - 1. */
export function randomFrom(seed: number): (below: number) => number {
  const random = new Random(seed);
  return (below) => random.below(below);
}

// ---- accounting

/** What the parts of a heap add up to; equals reservedBytes when threads are quiet. */
export function sumOfParts(stats: HeapStats): number {
  return (
    stats.inUseBytes +
    stats.cachedBytes +
    stats.freeBlockBytes +
    stats.spanTailBytes +
    stats.freeRunBytes +
    stats.untouchedBytes +
    stats.metadataBytes
  );
}

/**
 * The accounting identity, to the byte: parts add up to the heap, classes to what is in use.
 */
export function checkIdentity(stats: HeapStats): void {
  assert.equal(sumOfParts(stats), stats.reservedBytes, 'the parts add up to the heap');
  const inClasses = stats.sizeClasses.reduce((sum, c) => sum + c.blocksInUse * c.blockBytes, 0);
  assert.equal(inClasses + stats.large.bytesInUse, stats.inUseBytes, 'classes add up to in use');
  for (const c of stats.sizeClasses) {
    const whole = c.blocksInUse >= 0 && c.blocksCached >= 0 && c.blocksFree >= 0;
    assert.ok(whole, `class of ${c.blockBytes} bytes has no negative count: ${JSON.stringify(c)}`);
  }
  const { fragmentation, large } = stats;
  const internal = stats.sizeClasses.reduce((sum, c) => sum + c.internalBytes, 0);
  assert.equal(internal + large.internalBytes, fragmentation.internalBytes, 'internal bytes');
  assert.ok(fragmentation.internalBytes <= stats.inUseBytes, 'internal bytes are in use');
  assert.ok(
    fragmentation.largestFreeRunBytes <= stats.freeRunBytes,
    'the longest of the free runs',
  );
  assert.ok(fragmentation.peakLiveBytes >= stats.inUseBytes, 'what is live now was seen');
  assert.ok(stats.freeRunBytes >= 0 && stats.untouchedBytes >= 0 && stats.frees >= 0);
}

/** checkIdentity of a heap as it is now, or of its statistics; gives them for further checks. */
export function assertIdentity(
  t: ExecutionContext,
  source: SharedHeap | HeapStats,
  when = '',
): HeapStats {
  const stats = 'stats' in source ? source.stats() : source;
  t.notThrows(() => checkIdentity(stats), when);
  return stats;
}

/** Statistics without the counts of locks taken, which looking at things may raise. */
export function statsButLocks(heap: SharedHeap): Omit<HeapStats, 'locks'> {
  const { locks: _, ...rest } = heap.stats();
  return rest;
}

// ---- block contents

/** Fills `bytes` bytes with a pattern that no other seed has. `address` is a multiple of 4. */
export function fillPattern(heap: SharedHeap, address: number, bytes: number, seed: number): void {
  const first = address >>> 2;
  const words = bytes >>> 2;
  for (let n = 0; n < words; n++) heap.i32[first + n] = patternWord(seed, n);
  for (let at = words << 2; at < bytes; at++) heap.u8[address + at] = patternByte(seed, at);
}

/** The first byte of a block that is not as filled; -1 when all are. */
export function findDamage(heap: SharedHeap, address: number, bytes: number, seed: number): number {
  const first = address >>> 2;
  const words = bytes >>> 2;
  for (let n = 0; n < words; n++) {
    if (heap.i32[first + n] !== patternWord(seed, n)) return n << 2;
  }
  for (let at = words << 2; at < bytes; at++) {
    if (heap.u8[address + at] !== patternByte(seed, at)) return at;
  }
  return -1;
}

/** The first byte that is not zero; -1 when all are. */
export function findNonZero(heap: SharedHeap, address: number, bytes: number): number {
  for (let at = 0; at < bytes; at++) if (heap.u8[address + at] !== 0) return at;
  return -1;
}

function patternWord(seed: number, n: number): number {
  const mixed = Math.imul((seed ^ 0x9e3779b9) + n, 0x85ebca6b);
  return (mixed ^ (mixed >>> 15) ^ Math.imul(seed, 0xc2b2ae35)) | 0;
}

function patternByte(seed: number, at: number): number {
  return (patternWord(seed, at >>> 2) >>> ((at & 3) << 3)) & 0xff;
}

/** The typed arrays, by what their elements are. */
export const NUMBER_ARRAYS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
] as const;
export const BIGINT_ARRAYS = [BigInt64Array, BigUint64Array] as const;

// ---- snapshots

/** Checks that no block is live, and that every byte is accounted for. */
export function assertEmpty(t: ExecutionContext, heap: SharedHeap): void {
  const stats = assertIdentity(t, heap);
  t.is(stats.inUseBytes, 0);
  t.is(stats.allocations, stats.frees);
}

/** Checks that verify finds nothing, and that every byte is accounted for. */
export function assertSound(t: ExecutionContext, heap: SharedHeap): void {
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  assertIdentity(t, heap);
}

/** A copy of the heap's words below its first block: all that the heap knows of itself. */
export function metadataOf(heap: SharedHeap): Int32Array {
  const { base, dataStart } = heap.inspect.map();
  return heap.i32.slice(base / 4, dataStart / 4);
}

/**
 * Everything that a refused call must leave as it was: the statistics, and a hash (FNV-1a) of the
 * metadata. Words that a look at the heap changes, the counts of locks taken, are left out of both.
 */
export function snapshot(heap: SharedHeap): { stats: object; metadata: number } {
  // First, since it notes the most that was live so far.
  const stats = statsButLocks(heap);
  const before = metadataOf(heap);
  heap.verify({ quiet: true });
  const after = metadataOf(heap);
  let metadata = 0x811c9dc5 | 0;
  for (let n = 0; n < before.length; n++) {
    if (before[n] === after[n]) metadata = Math.imul(metadata ^ before[n], 0x01000193);
    else metadata = Math.imul(metadata ^ ~n, 0x01000193);
  }
  return { stats, metadata };
}

// ---- addresses above 2 GiB

/** The size of the largest heap that there can be. */
export const LARGEST_HEAP_BYTES = 4 * GIB - 64 * KIB;

/**
 * The largest heap, in which everything below `floor` is taken by one block that nobody touches:
 * whatever is allocated lies above it. Only a few MiB of it are ever touched.
 */
export function heapAbove(floor: number): { heap: SharedHeap; bottom: number } {
  const heap = SharedHeap.create({ size: LARGEST_HEAP_BYTES, threads: 2 });
  const { dataStart, end } = heap.inspect.map();
  const upper = heap.malloc_ts(end - floor);
  const bottom = heap.malloc_ts(floor - dataStart);
  heap.free_ts(upper);
  return { heap, bottom };
}
