/**
 * What several tests need: all that the tests of the contract have, and what looks inside of a heap.
 */

import type { SharedHeap } from 'shmalloc';
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

export * from './contract/helpers.js';

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

/** Makes a word that of a thread which was in the heap, and whose end was reported. */
export function enterDead(memory: HeapMemory, word: number): void {
  const name = asReported(packName(word, 0));
  for (let n = 0; n < nameCount(memory.geometry.threads); n++) {
    if (casName(memory, n, NO_NAME, name) === NO_NAME) return;
  }
  throw new Error('the table of names is full');
}
