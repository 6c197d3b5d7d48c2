/**
 * Bins: the free runs, in one list that stands for all bins. Every function needs the page lock.
 *
 * I1  The list holds exactly the heads of FREE runs, once the page lock is released.
 */

import type { Step } from './points.js';
import { FREE, KIND_NAMES, kindOf, pagesOf } from './words.js';
import type { World } from './world.js';

/** Maximum length of a list in the model; a longer one is a cycle. */
export const LIST_MAX = 50;

export function* linkRun(w: World, page: number): Step<void> {
  yield 'bin.next';
  w.next[page] = w.bin;
  yield 'bin.prev';
  w.prev[page] = 0;
  if (w.bin !== 0) {
    yield 'bin.first';
    w.prev[w.bin] = page;
  }
  yield 'bin.head';
  w.bin = page;
}

export function* unlinkRun(w: World, page: number): Step<void> {
  const next = w.next[page];
  const prev = w.prev[page];
  yield 'bin.skip';
  if (prev !== 0) w.next[prev] = next;
  else w.bin = next;
  if (next !== 0) {
    yield 'bin.back';
    w.prev[next] = prev;
  }
}

/** The shortest free run of at least `pages` pages; 0 = none. */
export function findRun(w: World, pages: number): number {
  return choose(w, (length, best) => length >= pages && (best === 0 || length < best));
}

/** The longest free run, if it has `pages` pages; 0 = none. */
export function findLongestRun(w: World, pages: number): number {
  return choose(w, (length, best) => length >= pages && length > best);
}

/** Any free run in which an aligned run fits, if the others are too short for every start. */
export function searchRun(w: World, pages: number, alignPages: number): number {
  for (const page of listRuns(w)) {
    const at = Math.ceil(page / alignPages) * alignPages;
    if (at + pages <= page + pagesOf(w.run[page])) return page;
  }
  return 0;
}

function choose(w: World, better: (length: number, best: number) => boolean): number {
  let found = 0;
  let best = 0;
  for (const page of listRuns(w)) {
    const length = pagesOf(w.run[page]);
    if (!better(length, best)) continue;
    found = page;
    best = length;
  }
  return found;
}

/** The runs in the bins; any other entry is a violation. */
export function listRuns(w: World): number[] {
  const runs: number[] = [];
  for (let page = w.bin; page !== 0; page = w.next[page]) {
    if (runs.push(page) > LIST_MAX) w.fail('the bins are a cycle');
    const kind = kindOf(w.run[page]);
    if (kind !== FREE) w.fail(`the bins hold page ${page}, which is ${KIND_NAMES[kind]}`);
  }
  return runs;
}
