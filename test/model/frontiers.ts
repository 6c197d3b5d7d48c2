/**
 * Frontiers as the source: the mutant in which two words, brk and map, say where the reserve begins
 * and ends, and the walk stops there. Used only if reserveIsRun is off; needs the page lock.
 *
 * A brk that grows lengthens the free run below it, so that no single store covers both changes.
 */

import { linkRun, unlinkRun } from './bins.js';
import type { Step } from './points.js';
import type { Thread } from './thread.js';
import { BRK_STEP, FREE, RESERVED, runWord } from './words.js';
import type { World } from './world.js';

export function* takeAtFrontier(
  w: World,
  t: Thread,
  pages: number,
  alignPages: number,
): Step<number> {
  const at = w.map - pages;
  if (at < w.brk || at % alignPages !== 0) return 0;
  yield 'frontier.run';
  w.run[at] = runWord(RESERVED, t.slot, pages);
  yield 'frontier.tail';
  w.tail[at + pages - 1] = 0;
  yield 'frontier.commit';
  w.map = at;
  return at;
}

export function* growFrontier(w: World, pages: number): Step<boolean> {
  const head = w.brk;
  const below = head > 1 ? w.tail[head - 1] : 0;
  const missing = pages - below;
  if (missing <= 0 || missing > w.map - head) return false;
  const step = Math.min(Math.ceil(missing / BRK_STEP) * BRK_STEP, w.map - head);
  const start = head - below;
  if (below > 0) yield* unlinkRun(w, start);
  yield 'frontier.tail';
  w.tail[head + step - 1] = below + step;
  yield 'frontier.run';
  w.run[start] = runWord(FREE, 0, below + step);
  yield 'frontier.commit';
  w.brk = head + step;
  yield* linkRun(w, start);
  return true;
}
