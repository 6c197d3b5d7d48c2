/**
 * The calls malloc, calloc and free, for small and large blocks; realloc.ts has the fourth call. As
 * heap/slow-path.ts and heap/large.ts.
 *
 * A call returns after its last point: a block that is committed there is in the program's hands at
 * once.
 *
 * I1  Commit last: the block that a call returns is committed by the call's last store.
 * I2  Free first: a free is committed by its first stores, and does not throw after that.
 * I3  Recovery comes before a call returns 0, and before its commit if a takeover made recovery
 *     due.
 */

import { clear, pop, push, slotOf } from './blocks.js';
import { flush, flushAll, isFull, isOver, newest, refill } from './cache.js';
import { acquire, release } from './locks.js';
import { giveRun, type Placement, type Taken, takeRun } from './pages.js';
import type { Step } from './points.js';
import { recover, recoverIfDue } from './recovery.js';
import { afterCommit, section } from './section.js';
import type { Thread } from './thread.js';
import {
  CLASSES,
  LARGE,
  LARGE_TAG,
  PAGE_GRANULES,
  PAGE_LOCK,
  pagesOf,
  RESERVED,
  runWord,
} from './words.js';
import type { World } from './world.js';

export interface LargeOptions {
  readonly place?: Placement;
  readonly align?: number;
  readonly zero?: boolean;
}

// ---- Small blocks

export function* malloc(w: World, t: Thread, c: number, zero = false): Step<number> {
  const slot = slotOf(w, t);
  if (newest(slot, c) === 0 && !(yield* section(w, t, () => fill(w, t, c)))) return 0;
  const address = newest(slot, c);
  if (zero && w.rules.clearFirst) yield* clear(w, address, CLASSES[c].granules);
  yield* pop(w, t, c);
  if (zero && !w.rules.clearFirst) yield* clear(w, address, CLASSES[c].granules);
  if (!w.rules.dueBeforeCommit) yield* section(w, t, () => recoverIfDue(w, t));
  return address;
}

/** Makes sure that a magazine has a block; returns false if the heap is full. In a section. */
export function* fill(w: World, t: Thread, c: number): Step<boolean> {
  const slot = slotOf(w, t);
  let filled = newest(slot, c) !== 0 || (yield* refill(w, t, c));
  if (!filled && (yield* flushAll(w, t)) > 0) filled = yield* refill(w, t, c);
  if (!filled && w.rules.recoverBeforeFull) {
    yield* recover(w, t);
    filled = yield* refill(w, t, c);
  }
  if (w.rules.dueBeforeCommit) yield* recoverIfDue(w, t);
  return filled;
}

// ---- Free

export function* free(w: World, t: Thread, address: number): Step<void> {
  const c = w.tags[address];
  if (c === 0) w.fail(`a free of live block ${address}: its tag is 0`);
  const slow = c === LARGE_TAG || isFull(slotOf(w, t), c);
  if (slow) yield* section(w, t, () => give(w, t, address, c));
  else yield* push(w, t, address, c);
}

/** Frees a block. In a section. */
export function* give(w: World, t: Thread, address: number, c: number): Step<void> {
  if (c === LARGE_TAG) {
    yield* freeLarge(w, t, address);
    return;
  }
  const slot = slotOf(w, t);
  const flushFirst = w.rules.pushFirst ? w.rules.flushWhenOver && isOver(slot, c) : isFull(slot, c);
  if (flushFirst) {
    yield* flush(w, t, c);
    yield* recoverIfDue(w, t);
  }
  const full = isFull(slot, c);
  yield* push(w, t, address, c);
  if (!full) return;
  yield* afterCommit(w, t, function* flushHalf() {
    yield* flush(w, t, c);
    yield* recoverIfDue(w, t);
  });
}

export function* freeLarge(w: World, t: Thread, address: number): Step<void> {
  if (w.rules.largeFree !== 'reserved') {
    yield* freeWithNote(w, t, address);
    return;
  }
  const page = address / PAGE_GRANULES;
  const lockFirst = w.rules.reserveUnderLock;
  if (lockFirst) yield* acquire(w, t, PAGE_LOCK);
  yield 'large.reserve';
  w.run[page] = runWord(RESERVED, t.slot, pagesOf(w.run[page]));
  t.freed = true;
  yield* afterCommit(w, t, function* giveBack() {
    yield 'large.untag';
    w.tags[address] = 0;
    if (!lockFirst) yield* acquire(w, t, PAGE_LOCK);
    yield* giveRun(w, page);
    yield* release(w, t, PAGE_LOCK);
    yield* recoverIfDue(w, t);
  });
}

/**
 * Frees in the mutants in which a note in the slot, not the run word, marks a block being freed.
 */
function* freeWithNote(w: World, t: Thread, address: number): Step<void> {
  yield* acquire(w, t, PAGE_LOCK);
  yield 'note.set';
  w.note[t.slot] = address;
  yield 'large.untag';
  w.tags[address] = 0;
  yield* giveRun(w, address / PAGE_GRANULES);
  yield 'note.clear';
  w.note[t.slot] = 0;
  yield* release(w, t, PAGE_LOCK);
  yield* recoverIfDue(w, t);
}

// ---- Large blocks

export function* mallocLarge(
  w: World,
  t: Thread,
  pages: number,
  { place = 'bottom', align = 1, zero = false }: LargeOptions = {},
): Step<number> {
  const taken = yield* section(w, t, () => reserve(w, t, pages, align, place));
  if (taken === null) return 0;
  yield* finishLarge(w, t, taken, zero);
  const address = taken.page * PAGE_GRANULES;
  if (!w.rules.dueBeforeCommit) yield* section(w, t, () => recoverIfDue(w, t));
  return address;
}

/** Turns a reserved run into a large block: cleared on request, the commit last. */
function* finishLarge(w: World, t: Thread, { page, fresh }: Taken, zero: boolean): Step<void> {
  const address = page * PAGE_GRANULES;
  if (zero && !fresh) yield* clear(w, address, pagesOf(w.run[page]) * PAGE_GRANULES);
  if (w.rules.largeCommitLast) yield* commitLarge(w, t, page);
}

/** Reserves a run; null = the heap is full. In a section. */
export function* reserve(
  w: World,
  t: Thread,
  pages: number,
  align: number,
  place: Placement,
): Step<Taken | null> {
  const take = (): Step<Taken | null> => takeReserved(w, t, pages, align, place);
  let taken = yield* take();
  if (taken === null && (yield* flushAll(w, t)) > 0) taken = yield* take();
  if (taken === null && w.rules.recoverBeforeFull) {
    yield* recover(w, t);
    taken = yield* take();
  }
  if (w.rules.dueBeforeCommit) yield* recoverIfDue(w, t);
  return taken;
}

function* takeReserved(
  w: World,
  t: Thread,
  pages: number,
  align: number,
  place: Placement,
): Step<Taken | null> {
  yield* acquire(w, t, PAGE_LOCK);
  const taken = yield* takeRun(w, t, pages, align, place);
  t.marks.run = taken !== null;
  if (taken !== null && !w.rules.largeCommitLast) yield* commitLarge(w, t, taken.page);
  yield* release(w, t, PAGE_LOCK);
  return taken;
}

export function* commitLarge(w: World, t: Thread, page: number): Step<void> {
  yield 'large.count';
  w.largeMallocs[t.slot]++;
  yield 'large.tag';
  w.tags[page * PAGE_GRANULES] = LARGE_TAG;
  yield 'large.commit';
  w.run[page] = runWord(LARGE, 0, pagesOf(w.run[page]));
  t.marks.run = false;
}
