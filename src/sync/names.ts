/**
 * Names: a heap's table of who its threads are in the system, for whoever waits for one of them.
 *
 * Written when a thread attaches and detaches, and where its end is reported; read by who waits for a
 * lock, and by recovery. Any thread, no lock.
 *
 * I1  A thread's name is in the table before it stands in a lock, a slot or the exclusive word, and until
 *     it stands in none of them any more.
 * I2  A thread takes its own name out, when it has no slot left. The name of a dead one stays until
 *     the table is full and it stands nowhere else; then anybody may take it out. (It cannot come
 *     back: a takeover that fails leaves ABANDONED in the lock, not the dead owner's name.)
 * I3  A reported end stands with the name.
 * I4  So a word in a lock, and not in the table, was either there before its thread came, or is
 *     broken. `lookAtHolder` tells the two apart by the count of comings.
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
  loadExclusive,
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

/** What a look at a word shows that is no thread's, alive or dead. */
export const NO_SUCH_THREAD: Look = { isAlive: undefined, why: 'no thread has this name' };

// ---- coming and going

/** Makes the calling thread known; false where the table is full of threads that live. */
export function enterName(memory: HeapMemory, me: ThreadWord): boolean {
  const own = ownSystemThread();
  const name = packName(me, own.id);
  // A second attachment of this thread, or one that was cut, finds its name.
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

/** Takes the calling thread's name out, unless it has another slot. It holds no lock. */
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
    // Failure: another thread was quicker. Go on to the next entry.
    if (casName(memory, n, NO_NAME, name) === NO_NAME) return n;
  }
  return -1;
}

/** Takes out the names of dead threads that stand nowhere else; how many these were. */
function dropDeadNames(memory: HeapMemory): number {
  const count = nameCount(memory.geometry.threads);
  let dropped = 0;
  for (let n = 0; n < count; n++) {
    const name = loadName(memory, n);
    if (name === NO_NAME) continue;
    const word = nameWord(name) as ThreadWord;
    // Dead first: from then on it can only vanish from where it stands.
    if (lookAtEntry(memory, n, name).isAlive !== false || standsSomewhere(memory, word)) continue;
    // point: name.drop
    // Failure: another thread has done it, or reported its end. No ABA: a name never comes back.
    if (casName(memory, n, name, NO_NAME) === name) dropped++;
  }
  return dropped;
}

function standsSomewhere(memory: HeapMemory, word: ThreadWord): boolean {
  const { i32, geometry } = memory;
  if (hasSlot(memory, word) || loadExclusive(i32, geometry.header) === word) return true;
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    if ((peekLock(i32, lockLine(geometry.locks, lock)) & ~WAITERS) === word) return true;
  }
  return false;
}

/** Is a slot this thread's? Others may be claimed and freed meanwhile. */
export function hasSlot({ i32, geometry }: HeapMemory, word: ThreadWord): boolean {
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    if (loadOwner(i32, geometry.registry, slot) === word) return true;
  }
  return false;
}

// ---- dead or alive

/** Makes a thread's end known to all. One without a name holds nothing: there is nothing to tell. */
export function reportDeath(memory: HeapMemory, word: ThreadWord): void {
  for (let n = findName(memory, word); n !== -1; n = findName(memory, word)) {
    const name = loadName(memory, n);
    if (nameWord(name) !== word) continue;
    // Failure: another thread has just reported it, or taken it out.
    if (isReported(name) || casName(memory, n, name, asReported(name)) === name) return;
  }
}

/** Does the thread with this word still run? undefined where nobody can tell. */
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
 * Looks at the thread whose word stands in the word `index`. NO_SUCH_THREAD: it stood there while it
 * was in no entry of the table (I4). One that has just left, and may have come again, lives.
 */
export function lookAtHolder(memory: HeapMemory, word: ThreadWord, index: number): Look {
  const comings = loadComings(memory);
  const look = lookAtThread(memory, word);
  if (look !== NO_SUCH_THREAD) return look;
  // Who holds it now came before this look, so that its name was in the table throughout; or it has
  // come meanwhile, and was counted.
  const isThere = (atomics.load(memory.i32, index) & ~WAITERS) === word;
  return isThere && loadComings(memory) === comings ? look : ALIVE;
}

function lookAtEntry(memory: HeapMemory, n: number, name: bigint): Look {
  if (isReported(name)) return DEAD;
  return lookAt({ id: nameId(name), start: loadStart(memory, n, nameWord(name)) });
}

/** The entry that a word is in; -1 when it is in none. */
function findName(memory: HeapMemory, word: ThreadWord): number {
  const count = nameCount(memory.geometry.threads);
  for (let n = 0; n < count; n++) if (peekNameWord(memory, n) === word) return n;
  return -1;
}
