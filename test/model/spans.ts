/**
 * Spans: runs cut into blocks of one class, and the bitmaps of their free blocks. Needs the class
 * lock; the page lock is acquired inside. As pages/spans.ts.
 *
 * I1  A bit set = that block is free, and its tag is 0.
 * I2  A run becomes a span by one store, after its bitmap and back links.
 * I3  A span's free count is the number of its bits; a wholly free span is released to the page
 *     heap once no transit of its class is open.
 */

import { acquire, release } from './locks.js';
import { giveRun, takeRun } from './pages.js';
import {
  addressOf,
  indexIn,
  isFree,
  linkSpan,
  listSpans,
  spanOf,
  unlinkSpan,
} from './partial-list.js';
import type { Step } from './points.js';
import type { Thread } from './thread.js';
import { CLASSES, PAGE_LOCK, runWord, SPAN } from './words.js';
import type { World } from './world.js';

export interface FreeBlock {
  readonly span: number;
  readonly index: number;
  readonly address: number;
}

/** Up to `wanted` free blocks, lowest of the first span first; of a new span if no span has one. */
export function* findBlocks(w: World, t: Thread, c: number, wanted: number): Step<FreeBlock[]> {
  if (w.partial[c] === 0 && !(yield* makeSpan(w, t, c))) return [];
  const found: FreeBlock[] = [];
  for (const span of listSpans(w, c)) {
    for (let index = 0; index < CLASSES[c].blocks && found.length < wanted; index++) {
      if (!isFree(w, span, index)) continue;
      found.push({ span, index, address: addressOf(span, index, c) });
    }
  }
  return found;
}

function* makeSpan(w: World, t: Thread, c: number): Step<boolean> {
  const { pages, blocks } = CLASSES[c];
  yield* acquire(w, t, PAGE_LOCK);
  const taken = yield* takeRun(w, t, pages, 1, 'bottom');
  yield* release(w, t, PAGE_LOCK);
  if (taken === null) return false;
  const span = taken.page;
  if (!w.rules.bitmapFirst) yield* commitSpan(w, span, c);
  for (let page = span; page < span + pages; page++) {
    yield 'span.head';
    w.spanHead[page] = span;
  }
  yield 'span.bitmap';
  w.bitmap[span] = (1 << blocks) - 1;
  if (w.rules.bitmapFirst) yield* commitSpan(w, span, c);
  yield 'span.count';
  w.freeCount[span] = blocks;
  yield* linkSpan(w, c, span);
  yield 'span.spans';
  w.spans[c]++;
  return true;
}

function* commitSpan(w: World, span: number, c: number): Step<void> {
  yield 'span.commit';
  w.run[span] = runWord(SPAN, c, CLASSES[c].pages);
}

/** Clears the bits of blocks that findBlocks found. */
export function* takeBlocks(w: World, c: number, blocks: readonly FreeBlock[]): Step<void> {
  for (const span of new Set(blocks.map((block) => block.span))) {
    const ofSpan = blocks.filter((block) => block.span === span);
    for (const { index, address } of ofSpan) {
      if (!isFree(w, span, index)) w.fail(`a refill takes block ${address}, which is not free`);
      yield 'refill.bit';
      w.bitmap[span] &= ~(1 << index);
    }
    yield 'refill.count';
    w.freeCount[span] -= ofSpan.length;
    if (w.freeCount[span] === 0) yield* unlinkSpan(w, c, span);
  }
}

/**
 * Sets the bits of blocks, and returns the spans that became wholly free. `early` is called at each
 * such span (for the mutant that releases them while the transit is open).
 */
export function* putBlocksBack(
  w: World,
  c: number,
  addresses: readonly number[],
  early: (span: number) => Step<void>,
): Step<number[]> {
  const empties: number[] = [];
  for (let n = 0; n < addresses.length; ) {
    // Neighbours in a magazine that lie in one span: its count and lists are updated once.
    const span = spanOf(w, addresses[n], c);
    const before = w.freeCount[span];
    let free = before;
    for (; n < addresses.length && spanOf(w, addresses[n], c) === span; n++, free++) {
      const index = indexIn(span, addresses[n], c);
      if (isFree(w, span, index)) w.fail(`block ${addresses[n]} is in a cache and in its bitmap`);
      yield 'flush.bit';
      w.bitmap[span] |= 1 << index;
    }
    yield 'flush.count';
    w.freeCount[span] = free;
    if (before === 0) yield* linkSpan(w, c, span);
    if (free !== CLASSES[c].blocks) continue;
    if (w.rules.releaseAfterTransit) empties.push(span);
    else yield* early(span);
  }
  return empties;
}

/** Releases wholly free spans to the page heap. No transit of the class may be open. */
export function* releaseSpans(
  w: World,
  t: Thread,
  c: number,
  empties: readonly number[],
): Step<void> {
  if (empties.length === 0) return;
  yield* acquire(w, t, PAGE_LOCK);
  for (const span of empties) {
    yield* unlinkSpan(w, c, span);
    yield* giveRun(w, span);
  }
  yield* release(w, t, PAGE_LOCK);
  yield 'release.spans';
  w.spans[c] -= empties.length;
}
