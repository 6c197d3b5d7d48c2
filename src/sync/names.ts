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
import { atomics, type HeapMemory, type LockIndex } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as Names from '../layout/names.js';
import * as Registry from '../layout/registry.js';
import { ALIVE, DEAD, type Look, lookAt, ownSystemThread } from './system-thread.js';
import { ABANDONED, type ThreadWord, WAITERS } from './thread-word.js';

/** The result for a word of no thread, dead or alive. */
export const NO_SUCH_THREAD: Look = { isAlive: undefined, why: 'no thread has this name' };

// ---- Entering and leaving

/** Enters the calling thread in the table; returns false if the table is full of living threads. */
export function enterName(memory: HeapMemory, me: ThreadWord): boolean {
  const own = ownSystemThread();
  const name = Names.pack(me, own.id);
  // A second attachment of this thread finds its name, and so does one after a cut attachment.
  let n = findName(memory, me);
  if (n === -1) n = claimEntry(memory, name);
  if (n === -1 && dropDeadNames(memory) > 0) n = claimEntry(memory, name);
  if (n === -1) return false;
  // point: name.start
  Names.storeStart(memory, n, me, own.start);
  // point: name.count
  Names.addComing(memory);
  return true;
}

/** Removes the calling thread's name, unless it has another slot. The thread owns no lock. */
export function leaveName(memory: HeapMemory, me: ThreadWord): void {
  if (hasSlot(memory, me)) return;
  const n = findName(memory, me);
  // point: name.leave
  if (n !== -1) Names.cas(memory, n, Names.load(memory, n), Names.NONE);
}

function claimEntry(memory: HeapMemory, name: bigint): number {
  const count = Names.count(memory.geometry.threads);
  for (let n = 0; n < count; n++) {
    if (Names.peek(memory, n) !== 0) continue;
    // point: name.enter
    // On failure another thread was faster: try the next entry.
    if (Names.cas(memory, n, Names.NONE, name) === Names.NONE) return n;
  }
  return -1;
}

/** Removes the names of dead threads whose words are nowhere else; returns their number. */
function dropDeadNames(memory: HeapMemory): number {
  const count = Names.count(memory.geometry.threads);
  let dropped = 0;
  for (let n = 0; n < count; n++) {
    const name = Names.load(memory, n);
    if (name === Names.NONE) continue;
    const word = Names.wordAt(name) as ThreadWord;
    // The look for death comes first: after it the word can only vanish from where it is.
    if (lookAtEntry(memory, n, name).isAlive !== false || standsSomewhere(memory, word)) continue;
    // point: name.drop
    // On failure another thread has removed the name, or reported its end. No ABA: names never come
    // back.
    if (Names.cas(memory, n, name, Names.NONE) === name) dropped++;
  }
  return dropped;
}

function standsSomewhere(memory: HeapMemory, word: ThreadWord): boolean {
  const { i32, geometry } = memory;
  if (hasSlot(memory, word)) return true;
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    if ((LockTable.peek(i32, LockTable.at(geometry.locks, lock)) & ~WAITERS) === word) return true;
  }
  return false;
}

/** True if this thread owns a slot. Other threads may claim and free slots meanwhile. */
export function hasSlot({ i32, geometry }: HeapMemory, word: ThreadWord): boolean {
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    if (Registry.loadOwner(i32, geometry.registry, slot) === word) return true;
  }
  return false;
}

// ---- Dead or alive

/** Reports a thread's end to all. A thread without a name owns nothing, so no report is needed. */
export function reportDeath(memory: HeapMemory, word: ThreadWord): void {
  for (let n = findName(memory, word); n !== -1; n = findName(memory, word)) {
    const name = Names.load(memory, n);
    if (Names.wordAt(name) !== word) continue;
    // On failure another thread has just reported the end, or removed the name.
    // point: name.report
    if (Names.isReported(name) || Names.cas(memory, n, name, Names.asReported(name)) === name)
      return;
  }
}

/** True if the thread with this word still runs; undefined if that is not known. */
export const isThreadAlive = (memory: HeapMemory, word: ThreadWord): boolean | undefined =>
  lookAtThread(memory, word).isAlive;

export function lookAtThread(memory: HeapMemory, word: ThreadWord): Look {
  if (word === ABANDONED) return DEAD;
  const n = findName(memory, word);
  if (n === -1) return NO_SUCH_THREAD;
  const name = Names.load(memory, n);
  return Names.wordAt(name) === word ? lookAtEntry(memory, n, name) : NO_SUCH_THREAD;
}

/**
 * Looks at the thread whose word is in the lock word `index`. NO_SUCH_THREAD: the word was there
 * while no entry of the table had it (I4). A thread that has just left, and may have come again,
 * counts as alive.
 */
export function lookAtHolder(memory: HeapMemory, word: ThreadWord, index: number): Look {
  const comings = Names.loadComings(memory);
  const look = lookAtThread(memory, word);
  if (look !== NO_SUCH_THREAD) return look;
  // If the word is still there, its thread came before this look, so that its name was in the table
  // throughout; or it has come meanwhile, and was counted.
  const isThere = (atomics.load(memory.i32, index) & ~WAITERS) === word;
  return isThere && Names.loadComings(memory) === comings ? look : ALIVE;
}

function lookAtEntry(memory: HeapMemory, n: number, name: bigint): Look {
  if (Names.isReported(name)) return DEAD;
  return lookAt({ id: Names.idOf(name), start: Names.loadStart(memory, n, Names.wordAt(name)) });
}

/** The index of the entry with this word; -1 = none. */
function findName(memory: HeapMemory, word: ThreadWord): number {
  const count = Names.count(memory.geometry.threads);
  for (let n = 0; n < count; n++) if (Names.peek(memory, n) === word) return n;
  return -1;
}
