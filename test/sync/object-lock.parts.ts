/**
 * Shared by the tests of object locks and their workers: an attachment with its object locks, and
 * an object of three words, the first of which is its lock.
 */

import { isMainThread, threadId } from 'node:worker_threads';
import type { HeapHandle } from 'shmalloc';
import { attachThreadHeap, type ThreadHeap } from '../../src/heap/index.js';
import * as layout from '../../src/layout/index.js';

export interface ObjectOrder {
  readonly handle: HeapHandle;
  /** Index of the object's lock word. */
  readonly word: number;
  /**
   * hold: take the lock and keep it. wait: take it once, and say how that went. count: change the
   * object so many `rounds`, for ever where there are none.
   */
  readonly act: 'hold' | 'wait' | 'count';
  readonly rounds?: number;
  /** Word 0 counts the threads that are at it. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

export interface CountAnswer {
  takenOver: number;
  /** What was wrong; the first few. */
  wrong: string[];
}

const WRONG_MAX = 5;
export const LOCK_TIMEOUT_MS = 300;

/** Attaches this thread once more, or for the first time. */
export function attachTo({ buffer, byteOffset }: HeapHandle): ThreadHeap {
  const header = layout.headerWord(byteOffset);
  const fields = layout.readHeader(new Uint32Array(buffer), header) as layout.HeaderFields;
  const { base, bytes, threads, debug } = fields;
  const memory = layout.viewMemory(buffer, layout.computeGeometry(base, bytes, threads, debug));
  const lockTimeoutMs = isMainThread ? LOCK_TIMEOUT_MS : Number.POSITIVE_INFINITY;
  return attachThreadHeap(memory, fields.reserveIsZero, { threadId, lockTimeoutMs });
}

/** Changes the object once: both its words count up, and are the same whenever the lock is free. */
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
  // Who died has changed one word, or both, or none.
  const ahead = first - second;
  if (ahead !== 0 && (outcome === 'clean' || ahead !== 1)) {
    if (answer.wrong.length < WRONG_MAX) answer.wrong.push(`${outcome}: ${first}, ${second}`);
  }
  i32[word + 1] = first + 1;
  // As objects do: else the next call takes the lock for that of a call that was cut.
  marks.nested = true;
  if (n % 16 === 0) shared.free(shared.malloc(48 + (n % 1000)));
  marks.nested = false;
  i32[word + 2] = first + 1;
  objectLocks.release(word);
}
