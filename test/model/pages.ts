/**
 * The page heap: takes, releases and resizes runs. Needs the page lock. As pages/page-heap.ts.
 *
 * I1  Runs cover the heap: each head's length leads to the next head.
 * I2  A change is one store of a head; new heads inside the run and all new tails are written
 *     before it, other derived words after it.
 * I3  No two FREE runs are adjacent, the bins hold exactly them, and the tail of a run is its
 *     length if it is FREE, else 0: all once the lock is released.
 * I4  A page once taken from UNTOUCHED is never UNTOUCHED again.
 */

import { findLongestRun, findRun, linkRun, searchRun, unlinkRun } from './bins.js';
import { growFrontier, takeAtFrontier } from './frontiers.js';
import type { Step } from './points.js';
import type { Thread } from './thread.js';
import {
  BRK_STEP,
  FREE,
  KIND_NAMES,
  kindOf,
  LARGE,
  pagesOf,
  RESERVED,
  runWord,
  UNTOUCHED,
} from './words.js';
import type { World } from './world.js';

/** The place a run is taken from: the bottom, the top, or where it can grow again. */
export type Placement = 'bottom' | 'top' | 'roomy';

export interface Taken {
  readonly page: number;
  /** True if it was never touched before, so that it reads as zero. */
  readonly fresh: boolean;
}

// ---- Taking runs

/** Takes a run, RESERVED by the thread's slot; null = there is none. */
export function* takeRun(
  w: World,
  t: Thread,
  pages: number,
  alignPages: number,
  placement: Placement,
): Step<Taken | null> {
  // With this many pages an aligned run fits into any free run.
  const room = pages + alignPages - 1;
  let found = placement === 'roomy' ? findLongestRun(w, room) : 0;
  if (found === 0) found = findRun(w, room);
  if (found === 0 && placement === 'top') {
    const page = yield* takeFromTop(w, t, pages, alignPages);
    if (page !== 0) {
      yield* addMapped(w, pages, 1);
      return { page, fresh: true };
    }
  }
  if (found === 0 && (yield* grow(w, room))) found = findRun(w, room);
  if (found === 0) found = searchRun(w, pages, alignPages);
  if (found === 0) return null;
  const page = yield* cutRun(w, t, found, pages, alignPages, placement === 'top');
  yield* addMapped(w, pages, 1);
  return { page, fresh: false };
}

/** Cuts a run out of a free one, at its bottom or its top. */
function* cutRun(
  w: World,
  t: Thread,
  page: number,
  pages: number,
  alignPages: number,
  atTop: boolean,
): Step<number> {
  const length = pagesOf(w.run[page]);
  yield* unlinkRun(w, page);
  const at = atTop
    ? Math.floor((page + length - pages) / alignPages) * alignPages
    : Math.ceil(page / alignPages) * alignPages;
  const lead = at - page;
  const rest = length - lead - pages;
  if (rest > 0) {
    yield 'cut.rest';
    w.run[at + pages] = runWord(FREE, 0, rest);
    yield 'cut.restTail';
    w.tail[at + pages + rest - 1] = rest;
  }
  yield 'cut.tail';
  w.tail[at + pages - 1] = 0;
  // Without a lead this is the commit; else the walk does not see the run yet.
  yield 'cut.run';
  w.run[at] = runWord(RESERVED, t.slot, pages);
  if (lead > 0) {
    yield 'cut.leadTail';
    w.tail[at - 1] = lead;
    yield 'cut.commit';
    w.run[page] = runWord(FREE, 0, lead);
    yield* linkRun(w, page);
  }
  if (rest > 0) yield* linkRun(w, at + pages);
  return at;
}

/** Cuts a run from the top of the reserve; 0 = the reserve is too short. */
function* takeFromTop(w: World, t: Thread, pages: number, alignPages: number): Step<number> {
  if (!w.rules.reserveIsRun) return yield* takeAtFrontier(w, t, pages, alignPages);
  const head = w.untouched;
  if (head === 0) return 0;
  const length = untouchedPages(w);
  const at = Math.floor((head + length - pages) / alignPages) * alignPages;
  if (at < head) return 0;
  const rest = head + length - at - pages;
  if (rest > 0) {
    yield 'top.rest';
    w.run[at + pages] = runWord(FREE, 0, rest);
    yield 'top.restTail';
    w.tail[at + pages + rest - 1] = rest;
  }
  yield 'top.tail';
  w.tail[at + pages - 1] = 0;
  // This is the commit if all of the reserve is taken.
  yield 'top.run';
  w.run[at] = runWord(RESERVED, t.slot, pages);
  if (at > head) {
    if (w.rules.reserveTail) {
      yield 'top.reserveTail';
      w.tail[at - 1] = 0;
    }
    yield 'top.commit';
    w.run[head] = runWord(UNTOUCHED, 0, at - head);
  } else {
    yield 'top.index';
    w.untouched = 0;
  }
  if (rest > 0) {
    if (w.rules.mergeTopRest) yield* mergeRun(w, at + pages);
    else yield* linkRun(w, at + pages);
  }
  return at;
}

/** Moves the brk up until the free run below it has `pages` pages; returns false if it cannot. */
function* grow(w: World, pages: number): Step<boolean> {
  if (!w.rules.reserveIsRun) return yield* growFrontier(w, pages);
  const head = w.untouched;
  if (head === 0) return false;
  const length = untouchedPages(w);
  const missing = pages - freePagesBelow(w, head);
  if (missing <= 0) return false;
  // Free pages above join the run if all of the reserve is taken.
  if (missing > length + freePagesAt(w, head + length)) return false;
  const step = Math.min(Math.ceil(missing / BRK_STEP) * BRK_STEP, length);
  if (length > step) {
    yield 'brk.rest';
    w.run[head + step] = runWord(UNTOUCHED, 0, length - step);
  }
  yield 'brk.tail';
  w.tail[head + step - 1] = step;
  yield 'brk.commit';
  w.run[head] = runWord(FREE, 0, step);
  yield 'brk.index';
  w.untouched = length > step ? head + step : 0;
  yield 'brk.brk';
  w.brk = head + step;
  yield* mergeRun(w, head);
  return true;
}

function untouchedPages(w: World): number {
  const word = w.run[w.untouched];
  if (kindOf(word) !== UNTOUCHED) w.fail(`the reserve is not at page ${w.untouched}`);
  return pagesOf(word);
}

// ---- Releasing runs

export function* giveRun(w: World, page: number): Step<void> {
  yield* addMapped(w, -pagesOf(w.run[page]), -1);
  yield* mergeRun(w, page);
}

/** Turns a run that is in no bin into a FREE one, joined with its free neighbours. */
export function* mergeRun(w: World, page: number): Step<void> {
  const pages = pagesOf(w.run[page]);
  let head = page;
  let total = pages;
  const below = freePagesBelow(w, page);
  if (below > 0) {
    head = page - below;
    const word = w.run[head];
    if (word !== runWord(FREE, 0, below)) {
      const found = `${KIND_NAMES[kindOf(word)]} of ${pagesOf(word)}`;
      w.fail(`the tail below page ${page} says ${below} free pages, the head at ${head} ${found}`);
    }
    yield* unlinkRun(w, head);
    total += below;
  }
  const above = freePagesAt(w, page + pages);
  if (above > 0) {
    yield* unlinkRun(w, page + pages);
    total += above;
  }
  yield 'merge.tail';
  w.tail[head + total - 1] = total;
  yield 'merge.commit';
  w.run[head] = runWord(FREE, 0, total);
  yield* linkRun(w, head);
}

// ---- Resizing

/** The steps of a resize after its commit. */
export interface Resized {
  /** Head of the free rest, 0 = none. */
  readonly rest: number;
  readonly morePages: number;
}

/** Resizes a LARGE run up to its commit; null = no room (nothing changed but the brk). */
export function* resizeRun(w: World, page: number, pages: number): Step<Resized | null> {
  const have = pagesOf(w.run[page]);
  const above = page + have;
  let free = freePagesAt(w, above);
  // If only the reserve follows, moving the brk makes room.
  const last = w.rules.reserveIsRun && above + free === w.untouched;
  if (have + free < pages && last && (yield* grow(w, pages - have))) free = freePagesAt(w, above);
  const rest = have + free - pages;
  if (rest < 0) return null;
  if (free > 0) yield* unlinkRun(w, above);
  if (rest > 0) {
    yield 'resize.rest';
    w.run[page + pages] = runWord(FREE, 0, rest);
    yield 'resize.restTail';
    w.tail[page + pages + rest - 1] = rest;
  }
  yield 'resize.tail';
  w.tail[page + pages - 1] = 0;
  yield 'resize.commit';
  w.run[page] = runWord(LARGE, 0, pages);
  return { rest: rest > 0 ? page + pages : 0, morePages: pages - have };
}

/** The part of a resize that writes derived words. */
export function* finishResize(w: World, { rest, morePages }: Resized): Step<void> {
  if (rest !== 0) yield* linkRun(w, rest);
  yield* addMapped(w, morePages, 0);
}

// ---- Neighbours and counters

/** Pages of the free run that ends below a page; 0 = none. */
function freePagesBelow(w: World, page: number): number {
  if (page <= 1 || (!w.rules.reserveIsRun && page === w.map)) return 0;
  return w.tail[page - 1];
}

/** Pages of the free run that begins at a page; 0 = none. */
function freePagesAt(w: World, page: number): number {
  if (page > w.lastPage || (!w.rules.reserveIsRun && page === w.brk)) return 0;
  return kindOf(w.run[page]) === FREE ? pagesOf(w.run[page]) : 0;
}

function* addMapped(w: World, pages: number, runs: number): Step<void> {
  yield 'pages.mapped';
  w.mappedPages += pages;
  yield 'pages.mapped';
  w.mappedRuns += runs;
}
