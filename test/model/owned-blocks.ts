/**
 * Placement: a block goes from the heap into a shared word, or back, and a death in between loses
 * nothing. As heap/owned-blocks.ts. Owner thread only; recovery removes blocks for a dead slot.
 *
 * THE RULE: while a slot's intent is open, a block of it that the word holds is published. A block
 * in the slot's magazine, or a run RESERVED by the slot, is on its way back. Any other block of the
 * intent is an orphan, and the thread that resolves the intent gives it back.
 *
 * I1  One intent at a time; while it is open, no magazine is flushed and no RESERVED run is freed.
 * I2  Other rules say which thread may change a word (owner of a context, lock of a vector): no
 *     other thread changes the word while the intent names it.
 * I3  Nothing is thrown from the intent to the publish, nor after the publish.
 * I4  An intent that stays open after an error names no word that another thread may change: see
 *     detachIntent.
 */

import { copy, slotOf } from './blocks.js';
import { flush, isFull, newest } from './cache.js';
import { fill, reserve } from './calls.js';
import { resolveOwn } from './cuts.js';
import { acquire, release } from './locks.js';
import { giveRun } from './pages.js';
import { classAt } from './partial-list.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import { recoverIfDue } from './recovery.js';
import { section } from './section.js';
import type { Thread } from './thread.js';
import {
  CLASSES,
  kindOf,
  LARGE,
  NOWHERE,
  OWNED_LARGE_TAG,
  OWNED_TAG,
  PAGE_GRANULES,
  PAGE_LOCK,
  pagesOf,
  RESERVED,
  runWord,
} from './words.js';
import { INTERRUPT, type World } from './world.js';

/**
 * Places a new block, or none, into a word, and gives the old one back; false = the heap is full.
 */
export function* replace(w: World, t: Thread, word: number, wanted: Wanted | null): Step<boolean> {
  const block = yield* section(w, t, () => prepare(w, t, word, wanted), true);
  if (block === null) return false;
  const old = w.load(word);
  if (wanted !== null) yield* fillBlock(w, block, old, wanted);
  if (w.rules.intentFirst) yield* openIntent(w, t.slot, word, block, old);
  if (w.rules.publishLast && wanted !== null) yield* commit(w, t, block, wanted);
  if (!w.rules.intentFirst) yield* openIntent(w, t.slot, word, block, old);
  if (w.rules.publishInIntent) yield* publish(w, word, block);
  if (!w.rules.publishLast && wanted !== null) yield* commit(w, t, block, wanted);
  if (w.tags[old] === OWNED_LARGE_TAG) yield* retireLarge(w, t, old);
  else yield* retireSmall(w, t, old);
  if (!w.rules.publishInIntent) yield* publish(w, word, block);
  return true;
}

/** A block without owner; 0 = none is wanted, null = the heap is full. In a section. */
function* prepare(w: World, t: Thread, word: number, wanted: Wanted | null): Step<number | null> {
  if (w.intentWord[t.slot] !== 0) {
    if (t.mayBeCut && w.rules.repairIntent) yield* resolveOwn(w, t);
    else yield* giveRetracted(w, t, w.intentOut[t.slot]);
  }
  const old = w.load(word);
  if (w.rules.roomFirst && w.tags[old] === OWNED_TAG) {
    const c = classAt(w, old);
    if (isFull(slotOf(w, t), c)) yield* flush(w, t, c);
  }
  if (wanted === null) {
    yield* recoverIfDue(w, t);
    return 0;
  }
  if ('c' in wanted) {
    if (!(yield* fill(w, t, wanted.c))) return null;
    return newest(slotOf(w, t), wanted.c);
  }
  const taken = yield* reserve(w, t, wanted.pages, 1, 'bottom');
  return taken === null ? null : taken.page * PAGE_GRANULES;
}

/** Fills the new block with zeros and the content of the old one. */
function* fillBlock(w: World, block: number, old: number, wanted: Wanted): Step<void> {
  const size = 'c' in wanted ? CLASSES[wanted.c].granules : wanted.pages * PAGE_GRANULES;
  yield 'clear';
  w.data.fill(0, block, block + size);
  if (old !== 0) yield* copy(w, block, old, ownedSize(w, old), size);
}

/** Granules of an owned block. */
export function ownedSize(w: World, address: number): number {
  if (w.tags[address] !== OWNED_LARGE_TAG) return CLASSES[classAt(w, address)].granules;
  return pagesOf(w.run[address / PAGE_GRANULES]) * PAGE_GRANULES;
}

// ---- The intent

/** Opens an intent of slot `s`, which is a dead slot in recovery. */
export function* openIntent(
  w: World,
  s: number,
  word: number,
  block: number,
  old: number,
): Step<void> {
  yield 'place.in';
  w.intentIn[s] = block;
  yield 'place.out';
  w.intentOut[s] = old;
  yield 'place.intent';
  w.intentWord[s] = word;
}

export function* closeIntent(w: World, s: number): Step<void> {
  yield 'place.done';
  w.intentWord[s] = 0;
}

/**
 * Called after the publish, when a step may fail: from here on other threads may change the word,
 * and give back the new block. So the intent keeps only the old block.
 */
function* detachIntent(w: World, s: number): Step<void> {
  if (!w.rules.detachIntent) return;
  yield 'place.resolved';
  w.intentIn[s] = 0;
  yield 'place.nowhere';
  w.intentWord[s] = NOWHERE;
}

// ---- The new block

/** Straight stores: the tag is OWNED before the block can look like a program's. */
function* commit(w: World, t: Thread, block: number, wanted: Wanted): Step<void> {
  if (!('c' in wanted)) {
    const page = block / PAGE_GRANULES;
    yield 'large.count';
    w.largeMallocs[t.slot]++;
    yield 'place.own';
    w.tags[block] = OWNED_LARGE_TAG;
    yield 'large.commit';
    w.run[page] = runWord(LARGE, 0, pagesOf(w.run[page]));
    t.marks.run = false;
    return;
  }
  const { c } = wanted;
  const slot = slotOf(w, t);
  yield 'place.own';
  w.tags[block] = w.rules.ownedAtOnce ? OWNED_TAG : c;
  yield 'pop.count';
  slot.mallocs[c]++;
  yield 'pop.top';
  slot.top[c]--;
  if (w.rules.ownedAtOnce) return;
  yield 'place.own';
  w.tags[block] = OWNED_TAG;
}

export function* publish(w: World, word: number, block: number): Step<void> {
  yield 'place.publish';
  w.store(word, block);
}

// ---- The old block

function* retireSmall(w: World, t: Thread, old: number): Step<void> {
  if (old !== 0) {
    const c = classAt(w, old);
    const full = isFull(slotOf(w, t), c);
    yield* pushOwned(w, t.slot, c, old);
    if (full) yield* section(w, t, () => flush(w, t, c), true);
  }
  yield* closeIntent(w, t.slot);
}

/** Straight stores: the magazine has room, so nothing is flushed while the intent is open. */
export function* pushOwned(w: World, s: number, c: number, old: number): Step<void> {
  const slot = w.slots[s];
  const top = slot.top[c];
  if (slot.magazines[c].subarray(1, top).includes(old)) w.fail(`block ${old} is pushed twice`);
  if (top >= slot.magazines[c].length) w.fail(`a placement leaves the magazine of class ${c}`);
  yield 'place.entry';
  slot.magazines[c][top] = old;
  yield 'place.top';
  slot.top[c] = top + 1;
  yield 'place.untag';
  w.tags[old] = 0;
}

/** Gives a run back. An error leaves the intent open: the next placement finishes it. */
function* retireLarge(w: World, t: Thread, old: number): Step<void> {
  yield* detachIntent(w, t.slot);
  try {
    yield* section(w, t, () => giveRetracted(w, t, old), true);
  } catch (error) {
    if (error !== INTERRUPT || !w.rules.quietPlacement) throw error;
  }
}

/** Finishes an intent whose word is resolved. In a section. */
function* giveRetracted(w: World, t: Thread, old: number): Step<void> {
  const page = old / PAGE_GRANULES;
  yield* acquire(w, t, PAGE_LOCK);
  if (w.rules.retractFirst) yield* retract(w, t.slot, page);
  if (w.rules.retractFirst) yield* closeIntent(w, t.slot);
  yield 'place.untag';
  w.tags[old] = 0;
  yield* giveRun(w, page);
  if (!w.rules.retractFirst) yield* closeIntent(w, t.slot);
  yield* release(w, t, PAGE_LOCK);
  yield* recoverIfDue(w, t);
}

/** Needs the page lock. */
export function* retract(w: World, s: number, page: number): Step<void> {
  if (kindOf(w.run[page]) !== LARGE) w.fail(`a placement retracts page ${page}, no large block`);
  yield 'place.retract';
  w.run[page] = runWord(RESERVED, s, pagesOf(w.run[page]));
}

/** Resolves a thread's intents before it detaches. */
export function* finishIntent(w: World, t: Thread): Step<void> {
  if (w.intentWord[t.slot] === 0) return;
  if (t.mayBeCut && w.rules.repairIntent) {
    yield* section(w, t, () => resolveOwn(w, t), true);
    return;
  }
  yield* section(w, t, () => giveRetracted(w, t, w.intentOut[t.slot]), true);
}
