/**
 * Locks: acquire, release, and takeover from dead threads, with the repair of a class.
 *
 * A lock word is 0 or its owner's thread word, with a bit that says that others wait; that bit
 * alone is a lock that was handed over to a thread that has waited. A thread that finds the owner
 * dead swaps the word for its own, repairs what the lock guards, and goes on.
 *
 * I1  A thread knows which locks it owns (`held`); after an error it owns none.
 * I2  A takeover whose repair throws leaves the lock ABANDONED, the word of a thread that is always
 *     dead, and also a page lock that the repair had acquired: the next waiter repeats all of it.
 * I3  Slots are recovered only when no lock is owned: `due` says that one is to be recovered.
 */

import { closeTransit, topOf } from './cache.js';
import { repairPages } from './page-repair.js';
import { giveRun } from './pages.js';
import { indexIn, isSpanOf, linkSpan, spanOf, unlinkSpan } from './partial-list.js';
import type { Step } from './points.js';
import type { Thread } from './thread.js';
import {
  ABANDONED,
  CLASS_COUNT,
  CLASSES,
  countBits,
  PAGE_LOCK,
  RECOVERY_LOCK,
  WAITERS,
} from './words.js';
import { INTERRUPT, type World } from './world.js';

export function* acquire(w: World, t: Thread, lock: number): Step<void> {
  let waited = 0;
  for (;;) {
    yield 'lock.take';
    let word = w.lock[lock];
    if (word === 0) {
      // A thread that has waited keeps the bit: others may still sleep.
      w.lock[lock] = t.word | waited;
      noteTaken(w, t, lock, false);
      t.held.push(lock);
      return;
    }
    if (word === WAITERS && waited !== 0) {
      yield 'lock.accept';
      if (w.lock[lock] !== word) continue;
      w.lock[lock] = t.word | WAITERS;
      noteTaken(w, t, lock, false);
      t.held.push(lock);
      return;
    }
    if ((word & ~WAITERS) === t.word) w.fail(`lock ${lock}: thread ${t.own} waits for itself`);
    if ((word & WAITERS) === 0) {
      yield 'lock.mark';
      if (w.lock[lock] !== word) continue;
      word |= WAITERS;
      w.lock[lock] = word;
    }
    waited = WAITERS;
    t.wait = { lock, word };
    yield 'lock.wait';
    t.wait = null;
    if (w.lock[lock] !== word) continue;
    const owner = yield* findOwner(w, word);
    if (owner === 0) continue;
    yield 'look.alive';
    if (w.exists(owner)) continue;
    yield 'lock.takeover';
    if (w.lock[lock] !== word) continue;
    w.lock[lock] = t.word | WAITERS;
    noteTaken(w, t, lock, true);
    w.stats.takeovers++;
    yield* repairTaken(w, t, lock, owner);
    t.held.push(lock);
    if (w.recoverNow !== null) yield* w.recoverNow(t, owner);
    else t.due = true;
    return;
  }
}

/**
 * The owner of a lock word: the word itself, except in the mutants that write slot numbers into
 * locks.
 */
function* findOwner(w: World, word: number): Step<number> {
  const { rules } = w;
  if (rules.owner === 'thread' || word === WAITERS || (word & ~WAITERS) === ABANDONED) {
    return word & ~WAITERS;
  }
  yield 'look.slot';
  const slot = (word & 0xff) - 1;
  const generation = (word & ~WAITERS) >> 8;
  if (rules.owner === 'slot+generation' && w.generation[slot] !== generation) return 0;
  return w.claim[slot];
}

/** Ghost: mutual exclusion. */
function noteTaken(w: World, t: Thread, lock: number, takeover: boolean): void {
  const before = w.lockOwner[lock];
  if (before !== 0 && w.isRunning(before)) {
    w.fail(`lock ${lock} of living thread ${before} ${takeover ? 'taken over' : 'taken'}`);
  }
  if (before !== 0 && !takeover) w.fail(`lock ${lock} of a dead thread taken without takeover`);
  w.lockOwner[lock] = t.own;
}

export function* release(w: World, t: Thread, lock: number): Step<void> {
  const handsOver = (w.lock[lock] & WAITERS) !== 0;
  yield 'lock.release';
  if ((w.lock[lock] & ~WAITERS) !== t.word) {
    w.fail(`thread ${t.own} releases lock ${lock}, which it does not have`);
  }
  w.lock[lock] = handsOver ? WAITERS : 0;
  w.lockOwner[lock] = 0;
  t.held.splice(t.held.indexOf(lock), 1);
  yield 'lock.notify';
  if (!handsOver) return;
  // Also if a thread was woken: the lock is free for the first that comes. (lock.pml models
  // sleepers.)
  yield 'lock.open';
  if (w.lock[lock] === WAITERS) w.lock[lock] = 0;
}

// ---- Takeover

function* repairTaken(w: World, t: Thread, lock: number, owner: number): Step<void> {
  try {
    if (lock === PAGE_LOCK) yield* repairPages(w);
    else if (lock !== RECOVERY_LOCK) yield* repairClass(w, t, lock, owner);
  } catch (error) {
    if (error !== INTERRUPT || !w.rules.failedTakeoverReturns) throw error;
    t.handling++;
    if (t.held.includes(PAGE_LOCK)) {
      // The class's repair has acquired it, and may have left its domain half changed.
      if (w.rules.pageLockReturns) {
        t.held.splice(t.held.indexOf(PAGE_LOCK), 1);
        yield* giveBackToDead(w, PAGE_LOCK, owner);
      } else {
        yield* release(w, t, PAGE_LOCK);
      }
    }
    yield* giveBackToDead(w, lock, owner);
    t.handling--;
    throw error;
  }
}

/** Mutant: restores the dead owner's word, which could then come back where it was gone. */
function* giveBackToDead(w: World, lock: number, owner: number): Step<void> {
  yield 'lock.giveBack';
  w.lock[lock] = ABANDONED | WAITERS;
  w.lockOwner[lock] = owner;
}

// ---- Repair of a class, with its lock

/**
 * Closes the open transits of a class and rebuilds its list, counts and counter. In a takeover
 * `owner` is the dead owner; 0 = a thread repairs its own class.
 */
export function* repairClass(w: World, t: Thread, c: number, owner = 0): Step<void> {
  const { rules } = w;
  const open = findOpen(w, c, owner);
  if (open.length > 1) w.fail(`two open transits in class ${c}`);
  if (!rules.closeUnderPageLock || !rules.bitsUnderPageLock) yield* putOpenBack(w, c, open);
  if (!rules.closeUnderPageLock) yield* closeTransits(w, c, open);
  yield* acquire(w, t, PAGE_LOCK);
  if (rules.closeUnderPageLock && rules.bitsUnderPageLock) yield* putOpenBack(w, c, open);
  const { taken, empties } = yield* rebuildClass(w, c);
  if (rules.heldRecount) yield* recountHeld(w, c, open, taken);
  if (rules.closeUnderPageLock) yield* closeTransits(w, c, open);
  if (rules.releaseInRepair) {
    for (const span of empties) {
      yield* unlinkSpan(w, c, span);
      yield* giveRun(w, span);
      yield 'release.spans';
      w.spans[c]--;
    }
  }
  yield* release(w, t, PAGE_LOCK);
}

function findOpen(w: World, c: number, owner: number): number[] {
  const open: number[] = [];
  w.slots.forEach((slot, s) => {
    if (slot.transit[c] === 0) return;
    if (!w.rules.closeAllSlots && owner !== 0 && w.claim[s] !== owner) return;
    open.push(s);
  });
  return open;
}

/** Sets the bits of the blocks in transit, which belong to their spans in either direction. */
function* putOpenBack(w: World, c: number, open: readonly number[]): Step<void> {
  for (const s of open) {
    const slot = w.slots[s];
    for (let entry = topOf(slot, c); entry < slot.transit[c]; entry++) {
      const address = slot.magazines[c][entry];
      if (w.rules.clearTags) {
        yield 'close.tag';
        w.tags[address] = 0;
      }
      const span = spanOf(w, address, c);
      yield 'close.bit';
      w.bitmap[span] |= 1 << indexIn(span, address, c);
    }
  }
}

function* closeTransits(w: World, c: number, open: readonly number[]): Step<void> {
  for (const s of open) {
    yield 'close.transit';
    yield* closeTransit(w.slots[s], c, topOf(w.slots[s], c));
  }
}

/**
 * Recounts: blocks taken from the spans minus what all others hold; only while the transit is open.
 */
function* recountHeld(w: World, c: number, open: readonly number[], taken: number): Step<void> {
  for (const s of open) {
    const others = w.slots.reduce((sum, slot, n) => (n === s ? sum : sum + slot.held[c]), 0);
    yield 'close.held';
    w.slots[s].held[c] = taken - others;
  }
}

interface Recount {
  /** Number of blocks that are not in their spans. */
  readonly taken: number;
  /** Spans that are wholly free. */
  readonly empties: readonly number[];
}

function* rebuildClass(w: World, c: number): Step<Recount> {
  const { blocks } = CLASSES[c];
  const empties: number[] = [];
  let taken = 0;
  let spans = 0;
  yield 'class.partial';
  w.partial[c] = 0;
  for (const head of w.walk()) {
    if (!isSpanOf(w, head, c)) continue;
    const free = countBits(w.bitmap[head]);
    spans++;
    taken += blocks - free;
    yield 'class.count';
    w.freeCount[head] = free;
    if (free === blocks) empties.push(head);
    if (free > 0) yield* linkSpan(w, c, head);
  }
  if (w.rules.recountSpans) {
    yield 'class.spans';
    w.spans[c] = spans;
  }
  return { taken, empties };
}

/**
 * Repairs and releases the locks that a thread still owns after an error: page heap first, then
 * classes.
 */
export function* repairHeld(w: World, t: Thread): Step<void> {
  if (t.held.includes(PAGE_LOCK)) {
    yield* repairPages(w);
    yield* release(w, t, PAGE_LOCK);
  }
  for (let c = 1; c <= CLASS_COUNT; c++) {
    if (!t.held.includes(c)) continue;
    yield* repairClass(w, t, c);
    yield* release(w, t, c);
  }
}
