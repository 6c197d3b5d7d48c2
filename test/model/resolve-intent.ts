/**
 * Resolves the intent of a dead slot, and gives back blocks of words for the slot. As
 * recovery/resolve-intent.ts.
 *
 * Run by recovery.ts, under the recovery lock. A rescuer may die at any step of it.
 *
 * I1  An intent is resolved before the dead magazines are flushed: after that a block that was on
 *     its way back could belong to any thread.
 * I2  At most one of the two blocks is an orphan: the new one before the publish, the old one
 *     after. Neither needs a lock, since no transit is open while an intent is.
 */

import { cachedBlocks, giveBackLocked, topOf } from './cache.js';
import { acquire, release } from './locks.js';
import { closeIntent, openIntent, publish, pushOwned, retract } from './owned-blocks.js';
import { classAt } from './partial-list.js';
import type { Step } from './points.js';
import { reserveOrphan } from './reclaim-instrumented.js';
import type { Thread } from './thread.js';
import {
  BOTTOM,
  kindOf,
  OWNED_LARGE_TAG,
  ownerOf,
  PAGE_GRANULES,
  PAGE_LOCK,
  RESERVED,
} from './words.js';
import type { World } from './world.js';

/** Resolves the placement of a dead thread, or of a rescuer that worked for its slot. */
export function* resolveIntent(w: World, t: Thread, s: number): Step<void> {
  if (w.intentWord[s] === 0) return;
  yield* resolveBlock(w, t, s, w.intentIn[s]);
  yield 'resolve.in';
  w.intentIn[s] = 0;
  yield* resolveBlock(w, t, s, w.intentOut[s]);
  yield 'resolve.out';
  w.intentOut[s] = 0;
  yield 'resolve.done';
  w.intentWord[s] = 0;
}

function* resolveBlock(w: World, t: Thread, s: number, block: number): Step<void> {
  if (block === 0 || w.load(w.intentWord[s]) === block) return;
  // A block without a tag is in the magazine, or a run that is RESERVED.
  if (w.tags[block] === 0) return;
  if (w.tags[block] === OWNED_LARGE_TAG) yield* resolveLarge(w, t, s, block);
  else yield* resolveSmall(w, s, block);
}

/**
 * Pushes the orphan. The magazine has room: the new block was popped, and room was made for the old
 * one.
 */
function* resolveSmall(w: World, s: number, block: number): Step<void> {
  const slot = w.slots[s];
  const c = classAt(w, block);
  if (!slot.magazines[c].subarray(BOTTOM, topOf(slot, c)).includes(block)) {
    yield* pushOwned(w, s, c, block);
  }
}

function* resolveLarge(w: World, t: Thread, s: number, block: number): Step<void> {
  const page = block / PAGE_GRANULES;
  yield* acquire(w, t, PAGE_LOCK);
  const word = w.run[page];
  if (kindOf(word) !== RESERVED || ownerOf(word) !== s) yield* reserveOrphan(w, s, page);
  yield* release(w, t, PAGE_LOCK);
}

// ---- For a dead slot

/**
 * Removes the block from a word. Its magazine is flushed, and its RESERVED runs are freed, later.
 */
export function* takeOut(w: World, t: Thread, s: number, word: number): Step<void> {
  const old = w.load(word);
  if (old === 0) return;
  const slot = w.slots[s];
  const large = w.tags[old] === OWNED_LARGE_TAG;
  const c = large ? 0 : classAt(w, old);
  if (!large && cachedBlocks(slot, c) >= slot.limit[c]) yield* flushDead(w, t, s, c);
  yield* openIntent(w, s, word, 0, old);
  yield* publish(w, word, 0);
  if (large) {
    yield* acquire(w, t, PAGE_LOCK);
    yield* retract(w, s, old / PAGE_GRANULES);
    yield* release(w, t, PAGE_LOCK);
  } else {
    yield* pushOwned(w, s, c, old);
  }
  yield* closeIntent(w, s);
}

/** Flushes a dead magazine, and acquires the class lock for that in any case. */
export function* flushDead(w: World, t: Thread, s: number, c: number): Step<void> {
  const slot = w.slots[s];
  yield* acquire(w, t, c);
  if (cachedBlocks(slot, c) > 0) yield* giveBackLocked(w, t, slot, c, 0, true);
  yield* release(w, t, c);
}
