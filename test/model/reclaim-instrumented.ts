/**
 * Orphans: blocks of an instrumented heap that a dead thread had in its quarantine or in the middle
 * of a call. Found by their records, given back. As recovery/reclaim-instrumented.ts.
 *
 * Run by recovery.ts, under the recovery lock. A rescuer may die at any step of it.
 *
 * I1  A block with a tag is in no magazine of the dead slot, since those were emptied before.
 * I2  At every step an orphan has a tag and its record, or is in the dead slot's magazine, or
 *     RESERVED by that slot: the next rescuer finds it.
 */

import { cachedBlocks, giveBackLocked } from './cache.js';
import { acquire, release } from './locks.js';
import { addressOf } from './partial-list.js';
import type { Step } from './points.js';
import type { Thread } from './thread.js';
import {
  CLASSES,
  FREED_BLOCK,
  isOwned,
  kindOf,
  LARGE,
  LARGE_TAG,
  ownerOf,
  PAGE_GRANULES,
  PAGE_LOCK,
  PENDING_BLOCK,
  pagesOf,
  RESERVED,
  runWord,
  SPAN,
  stateKind,
  stateSlot,
} from './words.js';
import type { Slot, World } from './world.js';

/** Gives all orphans of a dead slot back. Owns no lock except that of recovery. */
export function* freeOrphans(
  w: World,
  t: Thread,
  s: number,
  kept: ReadonlySet<number> = new Set(),
): Step<void> {
  if (!w.isInstrumented) return;
  const orphans = yield* findOrphans(w, t, s, kept);
  for (const [c, blocks] of orphans) {
    if (c === LARGE_TAG) yield* reserveOrphans(w, t, blocks, s);
    else yield* giveOrphans(w, t, c, blocks, s);
  }
}

/** The orphans by class; those of LARGE_TAG are runs of their own. */
function* findOrphans(
  w: World,
  t: Thread,
  s: number,
  kept: ReadonlySet<number>,
): Step<Map<number, number[]>> {
  const found = new Map<number, number[]>();
  yield* acquire(w, t, PAGE_LOCK);
  for (const head of w.walk()) {
    const kind = kindOf(w.run[head]);
    const c = kind === LARGE ? LARGE_TAG : ownerOf(w.run[head]);
    const blocks = kind === LARGE ? 1 : kind === SPAN ? CLASSES[c].blocks : 0;
    for (let index = 0; index < blocks; index++) {
      const address = kind === LARGE ? head * PAGE_GRANULES : addressOf(head, index, c);
      if (w.tags[address] !== 0) yield 'orphan.look';
      if (isOrphan(w, address, s) && !kept.has(address))
        found.set(c, [...(found.get(c) ?? []), address]);
    }
  }
  yield* release(w, t, PAGE_LOCK);
  return found;
}

function isOrphan(w: World, address: number, s: number): boolean {
  const kind = stateKind(w.state[address]);
  if (w.tags[address] === 0 && w.rules.sweepTagged) return false;
  if (isOwned(w.tags[address]) && w.rules.sweepPrograms) return false;
  if (kind !== FREED_BLOCK && !(kind === PENDING_BLOCK && w.rules.sweepPending)) return false;
  return !w.rules.sweepOwn || stateSlot(w.state[address]) === s;
}

/** Gives small orphans back through the dead slot's own magazine. */
function* giveOrphans(
  w: World,
  t: Thread,
  c: number,
  blocks: readonly number[],
  s: number,
): Step<void> {
  const slot = w.slots[s];
  yield* acquire(w, t, c);
  for (const address of blocks) {
    if (cachedBlocks(slot, c) === slot.limit[c] && w.rules.flushOnTheWay) {
      yield* giveBackLocked(w, t, slot, c, 0, true);
    }
    yield* pushOrphan(w, slot, c, address);
  }
  if (cachedBlocks(slot, c) > 0) yield* giveBackLocked(w, t, slot, c, 0, true);
  yield* release(w, t, c);
}

/** Needs the class lock. */
function* pushOrphan(w: World, slot: Slot, c: number, address: number): Step<void> {
  if (!w.rules.untagLast) yield* untag(w, address);
  const top = slot.top[c];
  if (top >= slot.magazines[c].length) w.fail(`orphans leave the magazine of class ${c}`);
  yield 'orphan.entry';
  slot.magazines[c][top] = address;
  yield 'orphan.top';
  slot.top[c] = top + 1;
  if (w.rules.untagLast) yield* untag(w, address);
}

function* untag(w: World, address: number): Step<void> {
  yield 'orphan.untag';
  w.tags[address] = 0;
}

/** Makes large orphans RESERVED by the dead slot; such runs are freed after. */
function* reserveOrphans(w: World, t: Thread, blocks: readonly number[], s: number): Step<void> {
  yield* acquire(w, t, PAGE_LOCK);
  for (const address of blocks) {
    const page = address / PAGE_GRANULES;
    if (!w.rules.orphanReserved) yield* untagLarge(w, address);
    yield* reserveOrphan(w, s, page);
    if (w.rules.orphanReserved) yield* untagLarge(w, address);
  }
  yield* release(w, t, PAGE_LOCK);
}

/** Needs the page lock. */
export function* reserveOrphan(w: World, s: number, page: number): Step<void> {
  yield 'orphan.reserve';
  w.run[page] = runWord(RESERVED, s, pagesOf(w.run[page]));
}

function* untagLarge(w: World, address: number): Step<void> {
  yield 'orphan.large';
  w.tags[address] = 0;
}
