/**
 * Recovery of slots whose threads are dead; attach and detach.
 *
 * Run by any thread, with a slot or without one, while it owns no lock.
 *
 * I1  A slot's owner is read, then whether it lives, then the owner again: in between it may have
 *     detached, and another thread may have claimed the slot.
 * I2  Each class lock is acquired in turn, also if nothing is cached: this repairs the class if a
 *     dead thread owned its lock, and the slot is not freed before.
 * I3  The slot's intent is resolved before its magazines are given back. Orphans and objects come
 *     between the magazines and the RESERVED runs: the magazines must be empty, and large blocks
 *     become such runs.
 * I4  Freeing the slot is the last store. Every step can be repeated, since a rescuer may die, too.
 */

import { cachedBlocks, flushAll, resetMagazines } from './cache.js';
import { clearInFlightHeader, endContexts } from './context-recovery.js';
import { repairIfCut } from './cuts.js';
import { acquire, release } from './locks.js';
import { giveRun } from './pages.js';
import type { Step } from './points.js';
import { freeOrphans } from './reclaim-instrumented.js';
import { flushDead, resolveIntent } from './resolve-intent.js';
import type { Rules } from './rules.js';
import { freeReserved, section } from './section.js';
import { type Thread, waitUntil } from './thread.js';
import { CLASS_COUNT, kindOf, LARGE, PAGE_GRANULES, PAGE_LOCK, RECOVERY_LOCK } from './words.js';
import { type Shape, World } from './world.js';

/** A heap whose takeovers follow the rules. */
export function createWorld(rules: Rules, shape?: Shape): World {
  const w = new World(rules, shape);
  if (!rules.recoverLater) {
    w.recoverNow = function* recoverNow(t, owner) {
      for (let s = 0; s < w.shape.slots; s++) {
        if (w.claim[s] === owner) yield* recoverSlot(w, t, s);
      }
    };
  }
  return w;
}

// ---- Recovery

/** Recovers every slot of a dead thread. In a section, no lock owned. */
export function* recover(w: World, t: Thread): Step<void> {
  do {
    t.due = false;
    try {
      yield* recoverOnce(w, t);
    } catch (error) {
      t.due = true;
      throw error;
    }
    // A thread that died meanwhile may own a slot that the loop has passed.
  } while (t.due);
}

/** Does the recovery that a takeover made due, once no lock is owned. */
export function* recoverIfDue(w: World, t: Thread): Step<void> {
  if (t.due && t.held.length === 0) yield* recover(w, t);
}

function* recoverOnce(w: World, t: Thread): Step<void> {
  const { rules } = w;
  if (rules.recoveryLock) yield* acquire(w, t, RECOVERY_LOCK);
  for (let s = 0; s < w.shape.slots; s++) {
    yield 'recover.look';
    const owner = w.claim[s];
    if (owner === 0 || s === t.slot) continue;
    yield 'look.alive';
    if (w.exists(owner)) continue;
    if (rules.lookAgain) {
      yield 'look.again';
      if (w.claim[s] !== owner) continue;
    }
    yield* recoverSlot(w, t, s);
    w.stats.recovered++;
  }
  if (rules.recoveryLock) yield* release(w, t, RECOVERY_LOCK);
}

function* recoverSlot(w: World, t: Thread, s: number): Step<void> {
  const { rules } = w;
  const slot = w.slots[s];
  if (!rules.slotLast) yield* freeSlot(w, s);
  if (!rules.sweepAfterFlush) yield* freeOrphans(w, t, s);
  if (rules.resolveFirst) yield* resolveIntent(w, t, s);
  for (let c = 1; c <= CLASS_COUNT; c++) {
    if (!rules.allClasses && cachedBlocks(slot, c) <= 0) continue;
    yield* flushDead(w, t, s, c);
  }
  if (!rules.resolveFirst) yield* resolveIntent(w, t, s);
  if (rules.sweepAfterFlush) yield* freeOrphans(w, t, s);
  yield* endObjects(w, t, s);
  yield* acquire(w, t, PAGE_LOCK);
  yield* freeReserved(w, s);
  if (rules.largeFree !== 'reserved') yield* rollNoteForward(w, s);
  yield* release(w, t, PAGE_LOCK);
  if (rules.slotLast) yield* freeSlot(w, s);
}

/** Ends the slot's contexts, and the vector in its in-flight header. */
function* endObjects(w: World, t: Thread, s: number): Step<void> {
  yield* endContexts(w, t, s);
  yield* clearInFlightHeader(w, t, s);
  if (!w.rules.flushObjects) return;
  for (let c = 1; c <= CLASS_COUNT; c++) {
    if (cachedBlocks(w.slots[s], c) > 0) yield* flushDead(w, t, s, c);
  }
}

function* freeSlot(w: World, s: number): Step<void> {
  yield 'recover.slot';
  w.claim[s] = 0;
}

/** The mutants in which a large free leaves a note: finishes the free that the note names. */
function* rollNoteForward(w: World, s: number): Step<void> {
  const address = w.note[s];
  if (address === 0) return;
  const page = address / PAGE_GRANULES;
  const { largeFree } = w.rules;
  const isHead = largeFree === 'note' || w.walk().includes(page);
  const isUntagged = largeFree !== 'note+walk+tag' || w.tags[address] === 0;
  if (kindOf(w.run[page]) === LARGE && isHead && isUntagged) {
    yield 'note.tag';
    w.tags[address] = 0;
    yield* giveRun(w, page);
  }
  yield 'note.clear';
  w.note[s] = 0;
}

// ---- Attach and detach

/** Claims a slot, after recovery or a wait if necessary, and prepares it. */
export function* attach(w: World, t: Thread): Step<void> {
  // An attach of this thread was cut.
  yield* repairIfCut(w, t, false);
  while (t.slot < 0) {
    yield* claimSlot(w, t);
    if (t.slot >= 0) break;
    // A lock word names the thread, so recovery needs no slot.
    const named = w.rules.owner === 'thread';
    if (named) yield* section(w, t, () => recover(w, t));
    const mayClaim = (): boolean =>
      w.claim.some((word) => word === 0 || (named && !w.isRunning(word)));
    if (!w.hasFreeSlot()) yield* waitUntil(t, 'attach.wait', mayClaim);
  }
  yield* resetMagazines(w, w.slots[t.slot]);
  t.attached = true;
}

function* claimSlot(w: World, t: Thread): Step<void> {
  for (let s = 0; s < w.shape.slots; s++) {
    if (w.claim[s] !== 0) continue;
    yield 'attach.claim';
    // On failure another thread was faster.
    if (w.claim[s] !== 0) continue;
    w.claim[s] = t.own;
    t.slot = s;
    if (w.rules.owner === 'slot') t.word = s + 1;
    if (w.rules.owner === 'slot+generation') {
      yield 'attach.generation';
      w.generation[s] = (w.generation[s] + 1) & 0x3fff;
      t.word = (s + 1) | (w.generation[s] << 8);
    }
    return;
  }
}

/**
 * Flushes the thread's caches, then frees its slot. After an error the thread is still attached.
 */
export function* detach(w: World, t: Thread): Step<void> {
  yield* section(w, t, function* giveCachesBack() {
    yield* flushAll(w, t);
    yield* recoverIfDue(w, t);
  });
  yield 'detach.slot';
  w.claim[t.slot] = 0;
  t.slot = -1;
  t.attached = false;
}
