/**
 * What several tests need: all that the tests of the contract have, and what looks inside of a heap.
 */

import type { SharedHeap } from 'shmalloc';
import * as Header from '../src/layout/header.js';
import {
  computeGeometry,
  type Geometry,
  type HeaderFields,
  type HeapMemory,
  headerWord,
  type LockIndex,
  viewMemory,
} from '../src/layout/index.js';
import * as LockTable from '../src/layout/lock-table.js';
import * as Names from '../src/layout/names.js';

export * from './contract/helpers.js';

/** Where everything of this heap is. */
export function geometryOf(heap: SharedHeap): Geometry {
  const { byteOffset } = heap.handle;
  const fields = Header.read(heap.u32, headerWord(byteOffset)) as HeaderFields;
  return computeGeometry(fields);
}

/** This heap as layout/ and what stands on it see it, for tests that look inside or break things. */
export function memoryOf(heap: SharedHeap): HeapMemory {
  return viewMemory(heap.handle.buffer, geometryOf(heap));
}

/** Index of a lock's word, to hold the lock by hand. */
export function lockWordOf(heap: SharedHeap, lock: LockIndex): number {
  return LockTable.wordOf(LockTable.at(geometryOf(heap).locks, lock));
}

/** Every lock that somebody holds, with its word. */
export function heldLocks(heap: SharedHeap): { lock: LockIndex; word: number }[] {
  const { locks } = geometryOf(heap);
  const held: { lock: LockIndex; word: number }[] = [];
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    const word = LockTable.peek(heap.i32, LockTable.at(locks, lock));
    if (word !== 0) held.push({ lock, word });
  }
  return held;
}

/** The same in words, for messages; empty when all is quiet. */
export const heldIn = (heap: SharedHeap): string[] =>
  heldLocks(heap).map(({ lock, word }) => `lock ${lock}: ${word}`);

/** A hash (FNV-1a over words) of all metadata but the lock lines, which count who looked. */
export function metadataHash(heap: SharedHeap, geometry = geometryOf(heap)): number {
  const { i32 } = heap;
  const { base, header, locks, classes, dataStart } = geometry;
  let hash = 0x811c9dc5 | 0;
  for (let word = base / 4; word < dataStart / 4; word++) {
    if (word >= locks && word < classes) continue;
    // A time, of the last look at the dead.
    if (word === header + Header.NEXT_LOOK) continue;
    hash = Math.imul(hash ^ i32[word], 0x01000193);
  }
  return hash;
}

/** Makes a word that of a thread which was in the heap, and whose end was reported. */
export function enterDead(memory: HeapMemory, word: number): void {
  const name = Names.asReported(Names.pack(word, 0));
  for (let n = 0; n < Names.count(memory.geometry.threads); n++) {
    if (Names.cas(memory, n, Names.NONE, name) === Names.NONE) return;
  }
  throw new Error('the table of names is full');
}
