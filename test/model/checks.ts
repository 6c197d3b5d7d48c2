/**
 * Checks of the whole heap, with the books of an observer who knows every block.
 *
 * checkLocked holds at any time under all locks, while threads use their caches; checkQuiet holds
 * when no thread is in a call and all dead slots are recovered. Both only read, and throw a
 * Violation.
 */

import { listRuns } from './bins.js';
import { findUnbounded } from './blocks.js';
import { cachedBlocks, topOf } from './cache.js';
import { checkContexts, checkNoObjects, listPublished } from './object-checks.js';
import { addressOf, isFree, isSpanOf, listSpans, spanOf } from './partial-list.js';
import {
  BOTTOM,
  CLASS_COUNT,
  CLASSES,
  countBits,
  FREE,
  FREED_BLOCK,
  KIND_NAMES,
  kindOf,
  LARGE,
  LARGE_TAG,
  LIVE_BLOCK,
  OWNED_LARGE_TAG,
  OWNED_TAG,
  PAGE_GRANULES,
  pagesOf,
  RESERVED,
  stateKind,
  stateSlot,
  UNTOUCHED,
  WAITERS,
} from './words.js';
import type { World } from './world.js';

// ---- Under all locks

export function checkLocked(w: World): void {
  const heads = w.walk();
  checkPages(w, heads);
  for (let c = 1; c <= CLASS_COUNT; c++) {
    checkLists(w, heads, c);
    for (const span of heads.filter((head) => isSpanOf(w, head, c))) {
      for (let index = 0; index < CLASSES[c].blocks; index++) {
        const address = addressOf(span, index, c);
        if (isFree(w, span, index) && w.tags[address] !== 0) {
          w.fail(`block ${address} is free in its bitmap and has a tag`);
        }
      }
    }
  }
}

/** Checks runs, tails, bins and the page heap's counters. */
function checkPages(w: World, heads: readonly number[]): void {
  const bins = new Set(listRuns(w));
  let mappedPages = 0;
  let mappedRuns = 0;
  let last = 0;
  for (const head of heads) {
    const kind = kindOf(w.run[head]);
    const pages = pagesOf(w.run[head]);
    const name = `the run at page ${head} (${KIND_NAMES[kind]}, ${pages} pages)`;
    if ((kind === FREE) !== bins.has(head)) w.fail(`${name}: the bins say otherwise`);
    const tail = w.tail[head + pages - 1];
    if (tail !== (kind === FREE ? pages : 0)) w.fail(`${name}: its tail says ${tail}`);
    const beside = last !== 0 && last + pagesOf(w.run[last]) === head;
    const apart = !w.rules.reserveIsRun && head === w.map;
    if (beside && kind === FREE && kindOf(w.run[last]) === FREE && !apart) {
      w.fail(`${name}: the run below is free too`);
    }
    if (kind >= RESERVED) {
      mappedPages += pages;
      mappedRuns++;
    }
    last = head;
  }
  if (bins.size !== heads.filter((head) => kindOf(w.run[head]) === FREE).length) {
    w.fail('the bins hold what is no run');
  }
  if (w.mappedPages !== mappedPages || w.mappedRuns !== mappedRuns) {
    w.fail(
      `${w.mappedPages} pages in ${w.mappedRuns} runs are counted as mapped, ` +
        `${mappedPages} in ${mappedRuns} are`,
    );
  }
  if (w.rules.reserveIsRun) checkReserve(w, heads);
}

function checkReserve(w: World, heads: readonly number[]): void {
  const reserves = heads.filter((head) => kindOf(w.run[head]) === UNTOUCHED);
  if (reserves.length > 1) w.fail('there are two reserves');
  const reserve = reserves.length === 0 ? 0 : reserves[0];
  if (w.untouched !== reserve) w.fail(`the reserve is at ${reserve}, not at ${w.untouched}`);
  if (reserve !== 0 && w.brk !== reserve) w.fail(`the brk is ${w.brk}, the reserve at ${reserve}`);
  if (w.brk < 1 || w.brk > w.lastPage + 1) w.fail(`the brk is ${w.brk}`);
}

/** Checks a class's list, free counts and span counter. */
function checkLists(w: World, heads: readonly number[], c: number): void {
  const listed = new Set(listSpans(w, c));
  const spans = heads.filter((head) => isSpanOf(w, head, c));
  for (const span of spans) {
    const free = countBits(w.bitmap[span]);
    if (w.freeCount[span] !== free) w.fail(`span ${span}: ${w.freeCount[span]} free, not ${free}`);
    if (free > 0 !== listed.has(span)) w.fail(`the list of class ${c} is wrong at span ${span}`);
  }
  if (w.spans[c] !== spans.length)
    w.fail(`class ${c} counts ${w.spans[c]} of ${spans.length} spans`);
}

/** Checks an attached thread's magazines: a sentinel above each top, the zero word below. */
export function checkMagazines(w: World, s: number): void {
  const slot = w.slots[s];
  const c = findUnbounded(slot);
  if (c !== 0) w.fail(`no sentinel above the magazine of class ${c} in slot ${s}`);
  for (let n = 1; n <= CLASS_COUNT; n++) {
    if (slot.magazines[n][BOTTOM - 1] !== 0)
      w.fail(`no zero word below the magazine of class ${n}`);
  }
}

// ---- With all threads quiet

export function checkQuiet(w: World): void {
  w.lock.forEach((word, lock) => {
    // The waiters bit alone stays if a thread died in a handover before it saw that no thread
    // waits.
    if ((word & ~WAITERS) !== 0) w.fail(`lock ${lock} is still held by ${w.lockOwner[lock]}`);
  });
  checkLocked(w);
  const heads = w.walk();
  checkContexts(w);
  const published = listPublished(w);
  const tagged = new Set<number>();
  for (const head of heads) checkRun(w, head, tagged, published);
  const cached = listCached(w);
  for (let c = 1; c <= CLASS_COUNT; c++) checkBlocks(w, heads, c, { cached, tagged, published });
  w.tags.forEach((tag, address) => {
    if (tag !== 0 && !tagged.has(address)) w.fail(`a stale tag at ${address}`);
  });
  w.liveOwner.forEach((owner, address) => {
    if (owner !== 0 && !tagged.has(address)) w.fail(`block ${address} is not live in the heap`);
  });
}

/** Checks a tagged block: a program has it, or a living thread holds it back. */
function checkHands(w: World, address: number, name: string): void {
  const kind = stateKind(w.state[address]);
  const waiting = w.waiting[address];
  if (!w.isInstrumented || (kind === LIVE_BLOCK && waiting === 0)) {
    if (!isInHands(w, address)) w.fail(`LOST: ${name} ${address}, which no program has`);
    return;
  }
  if (w.liveOwner[address] !== 0) w.fail(`live ${name} ${address}: its record says ${kind}`);
  const slot = stateSlot(w.state[address]);
  if (kind === FREED_BLOCK && waiting !== 0 && w.claim[slot] === waiting) {
    if (w.isRunning(waiting)) return;
  }
  w.fail(`LOST: ${name} ${address}, of kind ${kind} by slot ${slot}, in no quarantine`);
}

function checkOwned(w: World, address: number, published: ReadonlySet<number>): void {
  if (!published.has(address)) w.fail(`LOST: owned block ${address}, which no word holds`);
  if (w.liveOwner[address] !== 0) w.fail(`owned block ${address} is live`);
}

const isInHands = (w: World, address: number): boolean =>
  w.liveOwner[address] !== 0 || w.limboOwner[address] !== 0;

function checkRun(
  w: World,
  head: number,
  tagged: Set<number>,
  published: ReadonlySet<number>,
): void {
  const kind = kindOf(w.run[head]);
  const address = head * PAGE_GRANULES;
  if (kind === RESERVED) w.fail(`the run at page ${head} is still RESERVED`);
  if (kind !== LARGE) return;
  tagged.add(address);
  if (w.tags[address] === OWNED_LARGE_TAG) checkOwned(w, address, published);
  else if (w.tags[address] !== LARGE_TAG) w.fail(`the large block ${address} has no tag`);
  else checkHands(w, address, 'large block');
}

/** All cached blocks, by address. */
function listCached(w: World): Set<number> {
  const cached = new Set<number>();
  w.slots.forEach((slot, s) => {
    for (let c = 1; c <= CLASS_COUNT; c++) {
      if (slot.transit[c] !== 0) w.fail(`a transit of class ${c} is open in slot ${s}`);
      if (cachedBlocks(slot, c) < 0) continue;
      if (w.claim[s] === 0 && cachedBlocks(slot, c) > 0) w.fail(`free slot ${s} caches blocks`);
      for (const address of slot.magazines[c].subarray(BOTTOM, topOf(slot, c))) {
        if (cached.has(address)) w.fail(`block ${address} is in two caches`);
        spanOf(w, address, c);
        cached.add(address);
      }
    }
  });
  return cached;
}

interface Places {
  readonly cached: ReadonlySet<number>;
  readonly tagged: Set<number>;
  readonly published: ReadonlySet<number>;
}

/**
 * Checks that every block of a class is free, cached, owned or live, exactly one of these; and
 * counters.
 */
function checkBlocks(
  w: World,
  heads: readonly number[],
  c: number,
  { cached, tagged, published }: Places,
): void {
  const { blocks } = CLASSES[c];
  let inUse = 0;
  for (const span of heads.filter((head) => isSpanOf(w, head, c))) {
    if (w.freeCount[span] === blocks && w.rules.releaseInRepair) {
      w.fail(`span ${span} is wholly free and not given back`);
    }
    for (let index = 0; index < blocks; index++) {
      const address = addressOf(span, index, c);
      const free = isFree(w, span, index);
      const tag = w.tags[address];
      if (free && cached.has(address)) w.fail(`block ${address} is free and cached`);
      if (free || cached.has(address)) {
        if (w.liveOwner[address] !== 0) w.fail(`live block ${address} is free or cached too`);
        if (tag !== 0) w.fail(`block ${address} is free or cached and has tag ${tag}`);
        continue;
      }
      tagged.add(address);
      inUse++;
      if (tag === OWNED_TAG) {
        checkOwned(w, address, published);
        continue;
      }
      checkHands(w, address, 'block');
      if (tag !== c) w.fail(`live block ${address} has tag ${tag}`);
    }
  }
  checkCounters(w, c, inUse);
}

/**
 * Checks that in use = held - cached over all slots, and that frees = mallocs - in use is never
 * below 0.
 */
function checkCounters(w: World, c: number, inUse: number): void {
  let counted = 0;
  let mallocs = 0;
  for (const slot of w.slots) {
    counted += slot.held[c] - Math.max(0, cachedBlocks(slot, c));
    mallocs += slot.mallocs[c];
  }
  if (counted !== inUse)
    w.fail(`class ${c}: ${counted} blocks in use by counters, ${inUse} by walk`);
  if (mallocs < inUse) w.fail(`class ${c}: ${mallocs} mallocs, ${inUse} blocks in use`);
}

/**
 * Checks the heap after every block was freed: the untouched reserve, and one free run beside it.
 */
export function checkEmptied(w: World): void {
  checkQuiet(w);
  checkNoObjects(w);
  const kinds = w.walk().map((head) => KIND_NAMES[kindOf(w.run[head])]);
  if (w.rules.reserveIsRun && !/^(FREE ?)?(UNTOUCHED ?)?(FREE)?$/.test(kinds.join(' '))) {
    w.fail(`the emptied heap is ${kinds.join(' ')}`);
  }
}

/** The heap in one line, for reports. */
export function describe(w: World): string {
  const runs: string[] = [];
  for (let head = 1; head <= w.lastPage && pagesOf(w.run[head]) > 0; head += pagesOf(w.run[head])) {
    runs.push(`${head}:${KIND_NAMES[kindOf(w.run[head])]}x${pagesOf(w.run[head])}`);
  }
  const locks = Array.from(w.lock, (word, lock) => (word === 0 ? '-' : `${w.lockOwner[lock]}`));
  const slots = w.slots.map((slot, s) => {
    const tops = slot.top.slice(1).map((_, n) => topOf(slot, n + 1) - BOTTOM);
    return `slot ${s} of ${w.claim[s]}: cached ${tops}, transit ${slot.transit.slice(1)}`;
  });
  return `${runs.join(' ')} | locks ${locks.join(' ')} | ${slots.join('; ')}`;
}
