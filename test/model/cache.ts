/**
 * Caches: a thread's magazines of free blocks, their sentinels, refill and flush. As
 * pages/thread-cache.ts.
 *
 * Owner thread only; giveBack also by recovery, for a slot whose thread is dead.
 *
 * I1  A transit is open only under the class lock. Entries in [from, transit) belong to their
 *     spans. The magazine is parked, empty and full at once, from the beginning of a transit to its
 *     end.
 * I2  Above the top of a magazine there is always a sentinel, so that no push leaves the magazine.
 * I3  A magazine holds one entry more than its limit at most, and no more while it is over it.
 */

import { acquire, release } from './locks.js';
import type { Step } from './points.js';
import { findBlocks, putBlocksBack, releaseSpans, takeBlocks } from './spans.js';
import type { Thread } from './thread.js';
import { BOTTOM, CLASS_COUNT, NO_ENTRY, PARKED, SENTINEL } from './words.js';
import type { Slot, World } from './world.js';

export const newest = (slot: Slot, c: number): number =>
  slot.top[c] === PARKED ? 0 : slot.magazines[c][slot.top[c] - 1];

export const isFull = (slot: Slot, c: number): boolean =>
  slot.top[c] === PARKED || slot.magazines[c][slot.top[c]] === SENTINEL;

/** The top of a magazine, also while it is parked for a transit. */
export const topOf = (slot: Slot, c: number): number =>
  slot.top[c] === PARKED && slot.transit[c] !== 0 ? slot.from[c] : slot.top[c];

/**
 * Number of cached blocks; negative if a thread died before it wrote its tops for the first time.
 */
export const cachedBlocks = (slot: Slot, c: number): number => topOf(slot, c) - BOTTOM;

/** True if a flush failed, and left the entry that was pushed over the sentinel. */
export const isOver = (slot: Slot, c: number): boolean => cachedBlocks(slot, c) > slot.limit[c];

// ---- Refill and flush

/** Fills an empty magazine up to its limit; returns false if the heap has no block. */
export function* refill(w: World, t: Thread, c: number): Step<boolean> {
  const slot = w.slots[t.slot];
  const magazine = slot.magazines[c];
  yield* acquire(w, t, c);
  const blocks = yield* findBlocks(w, t, c, slot.limit[c]);
  if (blocks.length === 0) {
    yield* release(w, t, c);
    return false;
  }
  const end = BOTTOM + blocks.length;
  let entry = end;
  for (const { address } of blocks) {
    yield 'refill.entry';
    magazine[--entry] = address;
  }
  if (w.rules.transitFirst) yield* openRefill(w, slot, c, end);
  yield* takeBlocks(w, c, blocks);
  if (!w.rules.transitFirst) yield* openRefill(w, slot, c, end);
  if (w.rules.heldRecount) yield* addRefilled(slot, c, blocks.length);
  yield 'refill.top';
  yield* closeTransit(slot, c, end);
  if (!w.rules.heldRecount) yield* addRefilled(slot, c, blocks.length);
  yield* release(w, t, c);
  yield* growLimit(w, slot, c);
  return true;
}

function* openRefill(w: World, slot: Slot, c: number, end: number): Step<void> {
  yield 'refill.transit';
  yield* openTransit(w, slot, c, BOTTOM, end);
}

function* openTransit(w: World, slot: Slot, c: number, from: number, end: number): Step<void> {
  slot.from[c] = from;
  yield 'transit.end';
  slot.transit[c] = end;
  yield 'transit.park';
  if (w.rules.parkTransit) slot.top[c] = PARKED;
}

/** Ends a transit; `top` becomes the magazine's top. */
export function* closeTransit(slot: Slot, c: number, top: number): Step<void> {
  slot.top[c] = top;
  yield 'transit.close';
  slot.transit[c] = 0;
}

function* addRefilled(slot: Slot, c: number, blocks: number): Step<void> {
  yield 'refill.held';
  slot.held[c] += blocks;
}

/** Flushes the newest half of a full magazine, with the entry over the sentinel. */
export function* flush(w: World, t: Thread, c: number): Step<void> {
  const slot = w.slots[t.slot];
  const half = (slot.limit[c] + 1) >>> 1;
  // A sentinel that an error left behind makes a magazine look full too early.
  const keep = w.rules.keepHalf ? Math.min(half, cachedBlocks(slot, c) >>> 1) : half;
  yield* giveBack(w, t, slot, c, keep);
  yield* growLimit(w, slot, c);
}

/** Flushes everything that a thread has cached; returns the number of blocks. */
export function* flushAll(w: World, t: Thread): Step<number> {
  const slot = w.slots[t.slot];
  let blocks = 0;
  for (let c = 1; c <= CLASS_COUNT; c++) {
    const cached = cachedBlocks(slot, c);
    if (cached <= 0) continue;
    yield* giveBack(w, t, slot, c, 0);
    blocks += cached;
  }
  return blocks;
}

function* giveBack(w: World, t: Thread, slot: Slot, c: number, keep: number): Step<void> {
  yield* acquire(w, t, c);
  yield* giveBackLocked(w, t, slot, c, keep, false);
  yield* release(w, t, c);
}

/** Flushes all but the oldest `keep` blocks of a magazine. `dead`: its thread has died. */
export function* giveBackLocked(
  w: World,
  t: Thread,
  slot: Slot,
  c: number,
  keep: number,
  dead: boolean,
): Step<void> {
  const top = slot.top[c];
  const from = BOTTOM + keep;
  yield 'flush.transit';
  yield* openTransit(w, slot, c, from, top);
  const addresses = Array.from(slot.magazines[c].subarray(from, top));
  for (const address of addresses) {
    if (dead && w.rules.clearTags) {
      yield 'flush.tag';
      w.tags[address] = 0;
    }
    if (w.tags[address] !== 0 && w.rules.clearTags) {
      w.fail(`a flush of block ${address} with tag ${w.tags[address]}`);
    }
  }
  const empties = yield* putBlocksBack(w, c, addresses, (span) => releaseSpans(w, t, c, [span]));
  if (w.rules.heldRecount) yield* takeFlushed(slot, c, top - from);
  yield 'flush.top';
  yield* closeTransit(slot, c, from);
  if (!w.rules.heldRecount) yield* takeFlushed(slot, c, top - from);
  yield* releaseSpans(w, t, c, empties);
}

function* takeFlushed(slot: Slot, c: number, blocks: number): Step<void> {
  yield 'flush.held';
  slot.held[c] -= blocks;
}

// ---- Sentinels

/** Doubles a limit up to its maximum. No lock, since only its owner changes a magazine. */
function* growLimit(w: World, slot: Slot, c: number): Step<void> {
  const old = slot.limit[c];
  const limit = Math.min(old * 2, w.shape.limitMax);
  if (!w.rules.sentinelFirst) yield* setLimit(slot, c, limit);
  if (w.rules.secondSentinel) {
    yield 'sentinel.new';
    slot.magazines[c][BOTTOM + limit + 1] = SENTINEL;
  }
  // Also if the limit stays, since a push may have overwritten this sentinel.
  yield 'sentinel.new';
  slot.magazines[c][BOTTOM + limit] = SENTINEL;
  if (w.rules.sentinelFirst) yield* setLimit(slot, c, limit);
  for (const place of [old, old + 1]) {
    if (place === limit || place === limit + 1) continue;
    yield 'sentinel.old';
    slot.magazines[c][BOTTOM + place] = NO_ENTRY;
  }
}

function* setLimit(slot: Slot, c: number, limit: number): Step<void> {
  yield 'sentinel.limit';
  slot.limit[c] = limit;
}

/** Empties all magazines of a newly claimed slot: writes zero words, sentinels, tops and limits. */
export function* resetMagazines(w: World, slot: Slot): Step<void> {
  const limit = w.shape.limitStart;
  for (let c = 1; c <= CLASS_COUNT; c++) {
    const magazine = slot.magazines[c];
    if (w.rules.resetSentinels) {
      yield 'attach.reset';
      magazine[BOTTOM - 1] = 0;
      yield 'attach.reset';
      magazine[BOTTOM + limit] = SENTINEL;
      if (w.rules.secondSentinel) {
        yield 'attach.reset';
        magazine[BOTTOM + limit + 1] = SENTINEL;
      }
    }
    yield 'attach.reset';
    slot.limit[c] = limit;
    yield 'attach.reset';
    slot.transit[c] = 0;
    yield 'attach.reset';
    slot.top[c] = BOTTOM;
  }
}
