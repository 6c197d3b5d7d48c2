/**
 * What several tests need: seeds that can be given again, the accounting identity, a fingerprint of
 * everything in a heap that is no user data, patterns for blocks.
 */

import assert from 'node:assert/strict';
import type { ExecutionContext } from 'ava';
import type { HeapStats, SharedHeap } from 'shmalloc';
import {
  asReported,
  casName,
  computeGeometry,
  type Geometry,
  type HeaderFields,
  type HeapMemory,
  headerWord,
  LOCK_COUNT,
  type LockIndex,
  lockLine,
  lockWordIndex,
  NEXT_LOOK,
  NO_NAME,
  nameCount,
  packName,
  peekLock,
  readHeader,
  viewMemory,
} from '../src/layout/index.js';

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

/** Where everything of this heap is. */
export function geometryOf(heap: SharedHeap): Geometry {
  const { byteOffset } = heap.handle;
  const fields = readHeader(heap.u32, headerWord(byteOffset)) as HeaderFields;
  return computeGeometry(fields.base, fields.bytes, fields.threads, fields.debug, fields.contexts);
}

/** This heap as layout/ and what stands on it see it, for tests that look inside or break things. */
export function memoryOf(heap: SharedHeap): HeapMemory {
  return viewMemory(heap.handle.buffer, geometryOf(heap));
}

/** Index of a lock's word, to hold the lock by hand. */
export function lockWordOf(heap: SharedHeap, lock: LockIndex): number {
  return lockWordIndex(lockLine(geometryOf(heap).locks, lock));
}

/** Every lock that somebody holds; empty when all is quiet. */
export function heldIn(heap: SharedHeap): string[] {
  const { locks } = geometryOf(heap);
  const held: string[] = [];
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    const word = peekLock(heap.i32, lockLine(locks, lock));
    if (word !== 0) held.push(`lock ${lock}: ${word}`);
  }
  return held;
}

/** A hash (FNV-1a over words) of all metadata but the lock lines, which count who looked. */
export function metadataHash(heap: SharedHeap, geometry = geometryOf(heap)): number {
  const { i32 } = heap;
  const { base, header, locks, classes, dataStart } = geometry;
  let hash = 0x811c9dc5 | 0;
  for (let word = base / 4; word < dataStart / 4; word++) {
    if (word >= locks && word < classes) continue;
    // A time, of the last look at the dead.
    if (word === header + NEXT_LOOK) continue;
    hash = Math.imul(hash ^ i32[word], 0x01000193);
  }
  return hash;
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

/** Makes a word that of a thread which was in the heap, and whose end was reported. */
export function enterDead(memory: HeapMemory, word: number): void {
  const name = asReported(packName(word, 0));
  for (let n = 0; n < nameCount(memory.geometry.threads); n++) {
    if (casName(memory, n, NO_NAME, name) === NO_NAME) return;
  }
  throw new Error('the table of names is full');
}
