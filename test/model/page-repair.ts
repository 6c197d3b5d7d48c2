/**
 * Page repair: rebuilds the derived words of the page heap from the heads of the runs. Needs the
 * page lock.
 *
 * Called in a takeover of the page lock, and by a thread that threw while it owned the lock.
 *
 * I1  It reads heads only, and can be interrupted and begun again at any point.
 */

import { linkRun } from './bins.js';
import type { Step } from './points.js';
import { FREE, kindOf, pagesOf, RESERVED, runWord, UNTOUCHED } from './words.js';
import type { World } from './world.js';

export function* repairPages(w: World): Step<void> {
  yield 'pages.bins';
  w.bin = 0;
  if (w.rules.joinFree) yield* joinFreeRuns(w);
  const heads = w.walk();
  const reserve = heads.find((head) => kindOf(w.run[head]) === UNTOUCHED) ?? 0;
  yield 'pages.index';
  w.untouched = reserve;
  if (reserve !== 0) {
    // Without a reserve no code needs the brk any more: it keeps its value.
    yield 'pages.index';
    w.brk = reserve;
  }
  for (const head of heads) {
    const pages = pagesOf(w.run[head]);
    const free = kindOf(w.run[head]) === FREE;
    if (w.rules.tailsRebuilt) {
      yield 'pages.tail';
      w.tail[head + pages - 1] = free ? pages : 0;
    }
    if (free) yield* linkRun(w, head);
  }
  if (w.rules.recountMapped) yield* recountMapped(w, heads);
}

/** Joins adjacent FREE runs by one store each: a merge or a split may have been interrupted. */
function* joinFreeRuns(w: World): Step<void> {
  let last = 0;
  for (const head of w.walk()) {
    const free = kindOf(w.run[head]) === FREE;
    const touches = last !== 0 && last + pagesOf(w.run[last]) === head;
    if (free && touches) {
      yield 'pages.join';
      w.run[last] = runWord(FREE, 0, pagesOf(w.run[last]) + pagesOf(w.run[head]));
    } else {
      last = free ? head : 0;
    }
  }
}

function* recountMapped(w: World, heads: readonly number[]): Step<void> {
  const mapped = heads.filter((head) => kindOf(w.run[head]) >= RESERVED);
  yield 'pages.mapped';
  w.mappedPages = mapped.reduce((sum, head) => sum + pagesOf(w.run[head]), 0);
  yield 'pages.mapped';
  w.mappedRuns = mapped.length;
}
