/**
 * Blocks: the straight stores of the fast paths, and changes of a block's content. As the fast
 * paths of heap/slow-path.ts. Owner thread only; no lock.
 *
 * I1  pop commits a block by its last store, push frees one by its first two.
 * I2  No call stands between the stores of either: no error can strike there.
 */

import type { Step } from './points.js';
import type { Thread } from './thread.js';
import { CLASSES, LARGE_TAG, PAGE_GRANULES, pagesOf, SENTINEL } from './words.js';
import type { Slot, World } from './world.js';

export const slotOf = (w: World, t: Thread): Slot => w.slots[t.slot];

/** Commits the newest block of a magazine: straight stores, the pop last. */
export function* pop(w: World, t: Thread, c: number): Step<number> {
  const slot = slotOf(w, t);
  const top = slot.top[c] - 1;
  const address = slot.magazines[c][top];
  yield 'pop.tag';
  w.tags[address] = c;
  if (w.rules.countFirst) {
    yield 'pop.count';
    slot.mallocs[c]++;
  }
  yield 'pop.top';
  slot.top[c] = top;
  if (!w.rules.countFirst) {
    yield 'pop.count';
    slot.mallocs[c]++;
  }
  return address;
}

/** Pushes a block: straight stores, the tag last; over the sentinel if the magazine is full. */
export function* push(w: World, t: Thread, address: number, c: number): Step<void> {
  const slot = slotOf(w, t);
  const top = slot.top[c];
  const magazine = slot.magazines[c];
  if (magazine.subarray(1, top).includes(address)) w.fail(`block ${address} is pushed twice`);
  if (top >= magazine.length) w.fail(`a push leaves the magazine of class ${c}`);
  yield 'push.entry';
  magazine[top] = address;
  yield 'push.top';
  slot.top[c] = top + 1;
  t.freed = true;
  yield 'push.untag';
  w.tags[address] = 0;
}

export function* clear(w: World, address: number, granules: number): Step<void> {
  for (let at = address; at < address + granules; at += PAGE_GRANULES) {
    yield 'clear';
    w.data.fill(0, at, Math.min(at + PAGE_GRANULES, address + granules));
  }
}

export function* copy(w: World, to: number, from: number, have: number, want: number): Step<void> {
  yield 'copy';
  w.data.copyWithin(to, from, from + Math.min(have, want));
}

/** Granules of a live block. */
export function sizeOf(w: World, address: number): number {
  const c = w.tags[address];
  if (c !== LARGE_TAG) return CLASSES[c].granules;
  return pagesOf(w.run[address / PAGE_GRANULES]) * PAGE_GRANULES;
}

/** The first class whose magazine has no sentinel above its top, 0 = none. For checks. */
export function findUnbounded(slot: Slot): number {
  for (let c = 1; c < slot.magazines.length; c++) {
    if (!slot.magazines[c].subarray(slot.top[c]).includes(SENTINEL)) return c;
  }
  return 0;
}
