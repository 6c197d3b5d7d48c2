/**
 * Places of blocks in spans, and lists of spans that have free blocks. Needs the class lock.
 *
 * I1  A class's list holds exactly its spans with a free block, once the class lock is released.
 */

import { LIST_MAX } from './bins.js';
import type { Step } from './points.js';
import { CLASSES, KIND_NAMES, kindOf, ownerOf, PAGE_GRANULES, SPAN } from './words.js';
import type { World } from './world.js';

/** A block's address: its first granule. */
export const addressOf = (span: number, index: number, c: number): number =>
  span * PAGE_GRANULES + index * CLASSES[c].granules;

/** A block's place in its span. */
export const indexIn = (span: number, address: number, c: number): number =>
  (address - span * PAGE_GRANULES) / CLASSES[c].granules;

export const isSpanOf = (w: World, page: number, c: number): boolean =>
  kindOf(w.run[page]) === SPAN && ownerOf(w.run[page]) === c;

/** The span that a block of a class lies in. */
export function spanOf(w: World, address: number, c: number): number {
  const page = Math.floor(address / PAGE_GRANULES);
  const span = w.spanHead[page];
  if (span < 1 || span > w.lastPage || !isSpanOf(w, span, c)) {
    w.fail(`block ${address} of class ${c}: page ${page} is in no span of that class`);
  }
  return span;
}

/** The class of a block with a tag; such a block is in a span whose links and kind do not change. */
export function classAt(w: World, address: number): number {
  const head = w.spanHead[Math.floor(address / PAGE_GRANULES)];
  if (head < 1 || head > w.lastPage || kindOf(w.run[head]) !== SPAN) {
    w.fail(`block ${address} is in no span`);
  }
  return ownerOf(w.run[head]);
}

export const isFree = (w: World, span: number, index: number): boolean =>
  ((w.bitmap[span] >> index) & 1) !== 0;

export function* linkSpan(w: World, c: number, span: number): Step<void> {
  const first = w.partial[c];
  yield 'partial.next';
  w.next[span] = first;
  yield 'partial.prev';
  w.prev[span] = 0;
  if (first !== 0) {
    yield 'partial.first';
    w.prev[first] = span;
  }
  yield 'partial.head';
  w.partial[c] = span;
}

export function* unlinkSpan(w: World, c: number, span: number): Step<void> {
  const next = w.next[span];
  const prev = w.prev[span];
  yield 'partial.skip';
  if (prev !== 0) w.next[prev] = next;
  else w.partial[c] = next;
  if (next !== 0) {
    yield 'partial.back';
    w.prev[next] = prev;
  }
}

/** The spans in a class's list. */
export function listSpans(w: World, c: number): number[] {
  const spans: number[] = [];
  for (let span = w.partial[c]; span !== 0; span = w.next[span]) {
    if (spans.push(span) > LIST_MAX) w.fail(`the partial list of class ${c} is a cycle`);
    if (!isSpanOf(w, span, c)) {
      w.fail(`the list of class ${c} holds page ${span}: ${KIND_NAMES[kindOf(w.run[span])]}`);
    }
  }
  return spans;
}
