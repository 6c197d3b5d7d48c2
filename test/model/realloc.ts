/**
 * realloc: in place if possible, else by a move. As heap/slow-path.ts and heap/large.ts.
 *
 * I1  A move copies into a block that is not committed, frees the old one, then commits the new
 *     one.
 * I2  An error before the old block is freed is thrown; a later one is not, and does not touch the
 *     new block (`keep`).
 * I3  A resize in place has happened once its commit is stored: a later error is not thrown.
 */

import { copy, pop, push, sizeOf, slotOf } from './blocks.js';
import { flush, isFull, newest } from './cache.js';
import { commitLarge, fill, free, freeLarge, give, malloc, mallocLarge, reserve } from './calls.js';
import { acquire, release } from './locks.js';
import { finishResize, resizeRun } from './pages.js';
import type { Step } from './points.js';
import { recoverIfDue } from './recovery.js';
import { afterCommit, section } from './section.js';
import type { Thread } from './thread.js';
import { CLASSES, LARGE_TAG, PAGE_GRANULES, PAGE_LOCK, pagesOf } from './words.js';
import type { World } from './world.js';

/** The size that realloc is asked for: a class, or pages. */
export type Wanted = { readonly c: number } | { readonly pages: number };

/** Gives a block another size; returns its new address, 0 = the heap is full. */
export function* realloc(w: World, t: Thread, address: number, wanted: Wanted): Step<number> {
  const slot = slotOf(w, t);
  const c = w.tags[address];
  if ('c' in wanted) {
    const target = wanted.c;
    if (target === c) return address;
    if (!w.rules.reallocLast) return yield* moveCommitted(w, t, address, wanted);
    const quick = c !== LARGE_TAG && newest(slot, target) !== 0 && !isFull(slot, c);
    if (!quick && !(yield* section(w, t, () => prepareSmall(w, t, address, c, target)))) return 0;
    if (c !== LARGE_TAG) {
      // Between two magazines of this thread no lock is needed, and no other thread interferes.
      yield* copy(w, newest(slot, target), address, sizeOf(w, address), CLASSES[target].granules);
      yield* push(w, t, address, c);
    }
    return yield* pop(w, t, target);
  }
  const { pages } = wanted;
  if (c === LARGE_TAG && pagesOf(w.run[address / PAGE_GRANULES]) === pages) return address;
  if (c === LARGE_TAG && (yield* section(w, t, () => resize(w, t, address, pages)))) return address;
  if (!w.rules.reallocLast) return yield* moveCommitted(w, t, address, wanted);
  const page = yield* section(w, t, () => prepareLarge(w, t, address, c, pages));
  if (page === 0) return 0;
  yield* commitLarge(w, t, page);
  t.keep = 0;
  return page * PAGE_GRANULES;
}

/** Runs a move to a small block until only the pop is left, or straight stores before it. */
function* prepareSmall(
  w: World,
  t: Thread,
  address: number,
  c: number,
  target: number,
): Step<boolean> {
  const slot = slotOf(w, t);
  if (!(yield* fill(w, t, target))) return false;
  if (c !== LARGE_TAG) {
    if (isFull(slot, c)) yield* flush(w, t, c);
    yield* recoverIfDue(w, t);
    return true;
  }
  yield* copy(w, newest(slot, target), address, sizeOf(w, address), CLASSES[target].granules);
  yield* freeLarge(w, t, address);
  return true;
}

/** Runs a move to a large block up to its commit; returns the head of its run, or 0. */
function* prepareLarge(
  w: World,
  t: Thread,
  address: number,
  c: number,
  pages: number,
): Step<number> {
  const taken = yield* reserve(w, t, pages, 1, 'roomy');
  if (taken === null) return 0;
  const size = pages * PAGE_GRANULES;
  yield* copy(w, taken.page * PAGE_GRANULES, address, sizeOf(w, address), size);
  // Once the old block is free, the new one must survive any error.
  t.keep = taken.page;
  yield* give(w, t, address, c);
  return taken.page;
}

/** Grows or shrinks a large block in place; returns false if it cannot. */
function* resize(w: World, t: Thread, address: number, pages: number): Step<boolean> {
  yield* acquire(w, t, PAGE_LOCK);
  const resized = yield* resizeRun(w, address / PAGE_GRANULES, pages);
  if (resized === null) {
    yield* release(w, t, PAGE_LOCK);
    return false;
  }
  // The block has its new size: an error must not make it look as if it had the old one.
  yield* afterCommit(w, t, function* finish() {
    yield* finishResize(w, resized);
    yield* release(w, t, PAGE_LOCK);
    yield* recoverIfDue(w, t);
  });
  return true;
}

/** The mutant in which realloc commits the new block, then frees the old one. */
function* moveCommitted(w: World, t: Thread, address: number, wanted: Wanted): Step<number> {
  const target =
    'c' in wanted ? yield* malloc(w, t, wanted.c) : yield* mallocLarge(w, t, wanted.pages);
  if (target === 0) return 0;
  const size = 'c' in wanted ? CLASSES[wanted.c].granules : wanted.pages * PAGE_GRANULES;
  yield* copy(w, target, address, sizeOf(w, address), size);
  yield* free(w, t, address);
  return target;
}
