/**
 * Common parts of the tests of object locks and their workers: an attachment with its object locks,
 * and an object of three words, the first of which is its lock.
 */

import { isMainThread, threadId } from 'node:worker_threads';
import type { HeapHandle } from 'shmalloc';
import { attachThreadHeap, type ThreadHeap } from '../../src/heap/index.js';
import * as Header from '../../src/layout/header.js';
import * as layout from '../../src/layout/index.js';

export interface ObjectOrder {
  readonly handle: HeapHandle;
  /** Index of the object's lock word. */
  readonly word: number;
  /**
   * hold: acquires the lock and keeps it. wait: acquires it once, and reports the outcome. count:
   * changes the object `rounds` times, or for ever.
   */
  readonly act: 'hold' | 'wait' | 'count';
  readonly rounds?: number;
  /** Word 0 counts the threads that are at work. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

export interface CountAnswer {
  takenOver: number;
  /** The first few faults. */
  wrong: string[];
}

const WRONG_MAX = 5;
export const LOCK_TIMEOUT_MS = 300;

/** Makes an attachment of this thread. */
export function attachTo({ buffer, byteOffset }: HeapHandle): ThreadHeap {
  const header = layout.headerWord(byteOffset);
  const fields = Header.read(new Uint32Array(buffer), header) as layout.HeaderFields;
  const memory = layout.viewMemory(buffer, layout.computeGeometry(fields));
  const lockTimeoutMs = isMainThread ? LOCK_TIMEOUT_MS : Number.POSITIVE_INFINITY;
  return attachThreadHeap(memory, fields.reserveIsZero, { threadId, lockTimeoutMs });
}

/** Changes the object once: both its words count up, and are equal whenever the lock is free. */
export function changeOnce(
  { memory: { i32 }, objectLocks, shared, recover, marks }: ThreadHeap,
  word: number,
  n: number,
  answer: CountAnswer,
): void {
  if (n % 500 === 0) recover();
  const outcome = objectLocks.acquire(word);
  const first = i32[word + 1];
  const second = i32[word + 2];
  if (outcome === 'taken over') answer.takenOver++;
  // The dead owner has changed no word, one, or both.
  const ahead = first - second;
  if (ahead !== 0 && (outcome === 'clean' || ahead !== 1)) {
    if (answer.wrong.length < WRONG_MAX) answer.wrong.push(`${outcome}: ${first}, ${second}`);
  }
  i32[word + 1] = first + 1;
  // As objects do it: else the next call takes the lock for that of a cut call.
  marks.nested = true;
  if (n % 16 === 0) shared.free(shared.malloc(48 + (n % 1000)));
  marks.nested = false;
  i32[word + 2] = first + 1;
  objectLocks.release(word);
}
