/**
 * Poison: a heap whose structures contradict each other refuses all further work, in every thread.
 *
 * Called by heap/ and recovery/ when a HeapCorruptionError leaves a section, and by everything that
 * waits. Any thread, no lock: who finds the heap broken can trust none.
 *
 * Slow paths look at the poison word. Fast paths look at nothing that they would not load anyway, so
 * the tops of every slot's magazines are moved to where a magazine is empty and full at once, and the next
 * call of any thread ends in a slow path.
 *
 * I1  The word becomes POISONED only after the text is written, and tops are moved after that: a
 *     thread that attaches meanwhile writes its tops first and looks at the word after.
 */

import { HeapCorruptionError } from '../base/index.js';
import {
  atomics,
  BEING_POISONED,
  casPoison,
  exclusiveWordIndex,
  type HeapMemory,
  LOCK_COUNT,
  type LockIndex,
  loadPoison,
  lockLine,
  lockWordIndex,
  orderWrites,
  POISONED,
  parkTops,
  peekPoison,
  poisonWordIndex,
  readPoisonText,
  SOUND,
  usedSlotRecords,
  writePoisonText,
} from '../layout/index.js';

/**
 * The owner of a magazine may be in the middle of a push or a pop, and put its top back after that; in
 * a tight loop it mostly is. So tops are moved again and again, until nothing has moved for longer
 * than a thread is mostly kept from running; and again by every call that is refused.
 */
const ROUNDS_MAX = 100_000;
const QUIET_ROUNDS = 200;
const BETWEEN_ROUNDS_MS = 1;
/** Who writes the text takes microseconds, unless it dies over that. */
const TEXT_WAIT_MS = 50;

/** Poisons the heap; the first to do so says why. */
export function poison(memory: HeapMemory, reason: string): void {
  const { i32, u32, u8, geometry } = memory;
  const { header } = geometry;
  // Failure: somebody else has found the heap broken before.
  if (casPoison(i32, header, SOUND, BEING_POISONED) !== SOUND) return;
  writePoisonText(u8, u32, header, reason);
  casPoison(i32, header, BEING_POISONED, POISONED);
  // Before it is looked who is there (I1).
  orderWrites();
  atomics.notify(i32, poisonWordIndex(header));
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    atomics.notify(i32, lockWordIndex(lockLine(geometry.locks, lock)));
  }
  atomics.notify(i32, exclusiveWordIndex(header));
  for (let round = 0, quiet = 0; round < ROUNDS_MAX && quiet < QUIET_ROUNDS; round++) {
    if (parkAll(memory)) {
      quiet = 0;
      continue;
    }
    quiet++;
    // Nobody notifies: to sleep a moment is all that is wanted.
    atomics.wait(i32, header, i32[header], BETWEEN_ROUNDS_MS);
  }
}

/** Moves the tops of every slot that was ever used; false where all had been moved before. */
function parkAll({ u32, geometry }: HeapMemory): boolean {
  let moved = false;
  const used = usedSlotRecords(u32, geometry.slots, geometry.threads);
  for (let n = 0; n < used.length; n++) if (parkTops(u32, used[n])) moved = true;
  return moved;
}

export const isPoisoned = ({ i32, geometry }: HeapMemory): boolean =>
  peekPoison(i32, geometry.header) !== SOUND;

/** Why the heap is poisoned, or null. */
export function poisonReason(memory: HeapMemory): string | null {
  if (!isPoisoned(memory)) return null;
  const { i32, u32, u8 } = memory;
  const { header } = memory.geometry;
  atomics.wait(i32, poisonWordIndex(header), BEING_POISONED, TEXT_WAIT_MS);
  return loadPoison(i32, header) === POISONED
    ? readPoisonText(u8, u32, header)
    : 'another thread has just found it broken';
}

/** @throws HeapCorruptionError when the heap is poisoned */
export function throwIfPoisoned(memory: HeapMemory): void {
  if (!isPoisoned(memory)) return;
  // Again, for whoever was not in a slow path yet.
  parkAll(memory);
  throw new HeapCorruptionError(`this heap refuses all work: ${poisonReason(memory)}`);
}
