/**
 * Poison: a heap whose structures contradict each other refuses all further work, in every thread.
 *
 * Called by heap/ and recovery/ when a HeapCorruptionError leaves a section, and by everything that
 * waits. Any thread, no lock: a thread that finds the heap broken can trust no lock.
 *
 * Slow paths check the poison word. Fast paths check only words that they load anyway, so the tops
 * of all magazines are moved to the parked magazine, which is empty and full at once, and the next
 * call of any thread ends in a slow path.
 *
 * I1  The word becomes POISONED only after the text is written, and tops are moved after that: a
 *     thread that attaches meanwhile writes its tops first and checks the word after.
 */

import { HeapCorruptionError } from '../base/index.js';
import * as Header from '../layout/header.js';
import { atomics, type HeapMemory, type LockIndex, orderWrites } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as Slot from '../layout/slot.js';

/**
 * Rounds of moving the tops. A magazine's owner may be in the middle of a push or a pop, mostly so
 * in a tight loop, and store its top again after that. So tops are moved again and again, until
 * none has come back for longer than a thread is usually kept from running; and again by every call
 * that is refused.
 */
const ROUNDS_MAX = 100_000;
const QUIET_ROUNDS = 200;
const BETWEEN_ROUNDS_MS = 1;
/** Milliseconds to wait for the text. Writing it takes microseconds; its writer may die. */
const TEXT_WAIT_MS = 50;

/** Poisons the heap; the first caller's reason is kept. */
export function poison(memory: HeapMemory, reason: string): void {
  const { i32, u32, u8, geometry } = memory;
  const { header } = geometry;
  // On failure another thread has found the heap broken before.
  if (Header.casPoison(i32, header, Header.SOUND, Header.BEING_POISONED) !== Header.SOUND) return;
  Header.writePoisonText(u8, u32, header, reason);
  Header.casPoison(i32, header, Header.BEING_POISONED, Header.POISONED);
  // Written before the slots of attached threads are read (I1).
  orderWrites();
  atomics.notify(i32, Header.poisonWordIndex(header));
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    atomics.notify(i32, LockTable.wordOf(LockTable.at(geometry.locks, lock)));
  }
  for (let round = 0, quiet = 0; round < ROUNDS_MAX && quiet < QUIET_ROUNDS; round++) {
    if (parkAll(memory)) {
      quiet = 0;
      continue;
    }
    quiet++;
    // No thread notifies: this only sleeps for a moment.
    atomics.wait(i32, header, i32[header], BETWEEN_ROUNDS_MS);
  }
}

/** Moves the tops of every slot that was ever used; returns false if none had to be moved. */
function parkAll({ u32, geometry }: HeapMemory): boolean {
  let moved = false;
  const used = Slot.usedRecords(u32, geometry.slots, geometry.threads);
  for (let n = 0; n < used.length; n++) if (Slot.parkTops(u32, used[n])) moved = true;
  return moved;
}

export const isPoisoned = ({ i32, geometry }: HeapMemory): boolean =>
  Header.peekPoison(i32, geometry.header) !== Header.SOUND;

/** The reason why the heap is poisoned; null if it is not. */
export function poisonReason(memory: HeapMemory): string | null {
  if (!isPoisoned(memory)) return null;
  const { i32, u32, u8 } = memory;
  const { header } = memory.geometry;
  atomics.wait(i32, Header.poisonWordIndex(header), Header.BEING_POISONED, TEXT_WAIT_MS);
  return Header.loadPoison(i32, header) === Header.POISONED
    ? Header.readPoisonText(u8, u32, header)
    : 'another thread has just found the heap broken';
}

/** @throws HeapCorruptionError if the heap is poisoned */
export function throwIfPoisoned(memory: HeapMemory): void {
  if (!isPoisoned(memory)) return;
  // Moved again, for a thread that was not in a slow path yet.
  parkAll(memory);
  throw new HeapCorruptionError(`this heap refuses all work: ${poisonReason(memory)}`);
}
