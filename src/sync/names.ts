/**
 * Names: the heap's table of its threads as the operating system knows them, for threads that wait
 * for one of them.
 *
 * Written when a thread attaches and detaches, and when its end is reported; read by waiters for a
 * lock, and by recovery. Any thread, no lock.
 *
 * I1  A thread's name is in the table before its word is in a lock or a slot, and until
 *     its word is in none of them any more.
 * I2  A thread removes its own name when it has no slot left. A dead thread's name stays until the
 *     table is full and its word is nowhere else; then any thread may remove it. (The word cannot
 *     come back: a failed takeover leaves ABANDONED in the lock, not the dead owner's word.)
 * I3  A reported end is stored with the name.
 * I4  So a word that is in one of the heap's locks but not in the table either was there before its thread came, or
 *     is broken. `lookAtHolder` tells these cases apart by the count of threads that have attached.
 * I5  A word in an object's lock may outlast its name: its owner is dead then, and has no slot.
 *     Recovery reports the end of a thread before it frees its slot, so that a thread that cannot
 *     look into /proc learns of it, too.
 */

import type { SlotIndex } from '../base/index.js';
import {
  addComing,
  asReported,
  atomics,
  casName,
  type HeapMemory,
  isReported,
  LOCK_COUNT,
  type LockIndex,
  loadComings,
  loadName,
  loadOwner,
  loadStart,
  lockLine,
  NO_NAME,
  nameCount,
  nameId,
  nameWord,
  packName,
  peekLock,
  peekNameWord,
  storeStart,
} from '../layout/index.js';
import { ALIVE, DEAD, type Look, lookAt, ownSystemThread } from './system-thread.js';
import { ABANDONED, type ThreadWord, WAITERS } from './thread-word.js';

/** The result for a word of no thread, dead or alive. */
export const NO_SUCH_THREAD: Look = { isAlive: undefined, why: 'no thread has this name' };

// ---- Entering and leaving

/** Enters the calling thread in the table; returns false if the table is full of living threads. */
export function enterName(memory: HeapMemory, me: ThreadWord): boolean {
  const own = ownSystemThread();
  const name = packName(me, own.id);
  // A second attachment of this thread finds its name, and so does one after a cut attachment.
  let n = findName(memory, me);
  if (n === -1) n = claimEntry(memory, name);
  if (n === -1 && dropDeadNames(memory) > 0) n = claimEntry(memory, name);
  if (n === -1) return false;
  // point: name.start
  storeStart(memory, n, me, own.start);
  // point: name.count
  addComing(memory);
  return true;
}

/** Removes the calling thread's name, unless it has another slot. The thread owns no lock. */
export function leaveName(memory: HeapMemory, me: ThreadWord): void {
  if (hasSlot(memory, me)) return;
  const n = findName(memory, me);
  // point: name.leave
  if (n !== -1) casName(memory, n, loadName(memory, n), NO_NAME);
}

function claimEntry(memory: HeapMemory, name: bigint): number {
  const count = nameCount(memory.geometry.threads);
  for (let n = 0; n < count; n++) {
    if (peekNameWord(memory, n) !== 0) continue;
    // point: name.enter
    // On failure another thread was faster: try the next entry.
    if (casName(memory, n, NO_NAME, name) === NO_NAME) return n;
  }
  return -1;
}

/** Removes the names of dead threads whose words are nowhere else; returns their number. */
function dropDeadNames(memory: HeapMemory): number {
  const count = nameCount(memory.geometry.threads);
  let dropped = 0;
  for (let n = 0; n < count; n++) {
    const name = loadName(memory, n);
    if (name === NO_NAME) continue;
    const word = nameWord(name) as ThreadWord;
    // The look for death comes first: after it the word can only vanish from where it is.
    if (lookAtEntry(memory, n, name).isAlive !== false || standsSomewhere(memory, word)) continue;
    // point: name.drop
    // On failure another thread has removed the name, or reported its end. No ABA: names never come
    // back.
    if (casName(memory, n, name, NO_NAME) === name) dropped++;
  }
  return dropped;
}

function standsSomewhere(memory: HeapMemory, word: ThreadWord): boolean {
  const { i32, geometry } = memory;
  if (hasSlot(memory, word)) return true;
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    if ((peekLock(i32, lockLine(geometry.locks, lock)) & ~WAITERS) === word) return true;
  }
  return false;
}

/** True if this thread owns a slot. Other threads may claim and free slots meanwhile. */
export function hasSlot({ i32, geometry }: HeapMemory, word: ThreadWord): boolean {
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    if (loadOwner(i32, geometry.registry, slot) === word) return true;
  }
  return false;
}

// ---- Dead or alive

/** Reports a thread's end to all. A thread without a name owns nothing, so no report is needed. */
export function reportDeath(memory: HeapMemory, word: ThreadWord): void {
  for (let n = findName(memory, word); n !== -1; n = findName(memory, word)) {
    const name = loadName(memory, n);
    if (nameWord(name) !== word) continue;
    // On failure another thread has just reported the end, or removed the name.
    // point: name.report
    if (isReported(name) || casName(memory, n, name, asReported(name)) === name) return;
  }
}

/** True if the thread with this word still runs; undefined if that is not known. */
export const isThreadAlive = (memory: HeapMemory, word: ThreadWord): boolean | undefined =>
  lookAtThread(memory, word).isAlive;

export function lookAtThread(memory: HeapMemory, word: ThreadWord): Look {
  if (word === ABANDONED) return DEAD;
  const n = findName(memory, word);
  if (n === -1) return NO_SUCH_THREAD;
  const name = loadName(memory, n);
  return nameWord(name) === word ? lookAtEntry(memory, n, name) : NO_SUCH_THREAD;
}

/**
 * Looks at the thread whose word is in the lock word `index`. NO_SUCH_THREAD: the word was there
 * while no entry of the table had it (I4). A thread that has just left, and may have come again,
 * counts as alive.
 */
export function lookAtHolder(memory: HeapMemory, word: ThreadWord, index: number): Look {
  const comings = loadComings(memory);
  const look = lookAtThread(memory, word);
  if (look !== NO_SUCH_THREAD) return look;
  // If the word is still there, its thread came before this look, so that its name was in the table
  // throughout; or it has come meanwhile, and was counted.
  const isThere = (atomics.load(memory.i32, index) & ~WAITERS) === word;
  return isThere && loadComings(memory) === comings ? look : ALIVE;
}

function lookAtEntry(memory: HeapMemory, n: number, name: bigint): Look {
  if (isReported(name)) return DEAD;
  return lookAt({ id: nameId(name), start: loadStart(memory, n, nameWord(name)) });
}

/** The index of the entry with this word; -1 = none. */
function findName(memory: HeapMemory, word: ThreadWord): number {
  const count = nameCount(memory.geometry.threads);
  for (let n = 0; n < count; n++) if (peekNameWord(memory, n) === word) return n;
  return -1;
}
