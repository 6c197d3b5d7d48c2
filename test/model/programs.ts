/**
 * Programs: the calls that a program makes, with books of its blocks.
 *
 * Every block is filled with a different number; a block that is handed out twice, overwritten, not
 * cleared or lost shows here or in checks.ts.
 *
 * I1  A block leaves the books when its free or realloc is called; until the call returns it is in
 *     limbo: an observer cannot tell whether it is freed.
 * I2  A call that throws has changed nothing that its caller can see: its block is in the books
 *     again.
 */

import { sizeOf } from './blocks.js';
import { free, type LargeOptions, malloc, mallocLarge } from './calls.js';
import { checkEmptied, checkLocked, checkMagazines, checkQuiet } from './checks.js';
import { acquire, release } from './locks.js';
import { emptyObjects, leaveAll } from './object-programs.js';
import type { Step } from './points.js';
import { realloc, type Wanted } from './realloc.js';
import { debugFree, debugMalloc, debugRealloc } from './records.js';
import { section } from './section.js';
import type { Thread } from './thread.js';
import {
  CLASS_COUNT,
  CLASSES,
  LARGE_TAG,
  LIVE_BLOCK,
  PAGE_GRANULES,
  PAGE_LOCK,
  pagesOf,
  stateKind,
} from './words.js';
import { INTERRUPT, type World } from './world.js';

/** Owner of blocks that one program has left for another to take. */
export const NOBODY = -1;

interface Block {
  readonly owner: number;
  readonly size: number;
  readonly content: number;
}

// ---- Books

export function blocksOf(w: World, owner: number): number[] {
  const blocks: number[] = [];
  w.liveOwner.forEach((of, address) => {
    if (of === owner) blocks.push(address);
  });
  return blocks;
}

function enter(w: World, address: number, { owner, size, content }: Block): void {
  w.liveOwner[address] = owner;
  w.liveSize[address] = size;
  w.liveContent[address] = content;
}

/** Notes a block that was handed out: no other block may overlap it. */
function receive(w: World, t: Thread, address: number, size: number): void {
  w.liveOwner.forEach((owner, start) => {
    if (owner === 0 || start >= address + size || start + w.liveSize[start] <= address) return;
    w.fail(`block ${address} is handed out, inside block ${start} of thread ${owner}`);
  });
  w.waiting.forEach((owner, start) => {
    if (owner === 0 || start < address || start >= address + size) return;
    if (w.isRunning(owner)) w.fail(`block ${start} is handed out, which ${owner} holds back`);
    w.waiting[start] = 0;
  });
  w.limboOwner.fill(0, address, address + size);
  const content = w.nextContent();
  enter(w, address, { owner: t.own, size, content });
  w.data.fill(content, address, address + size);
}

/** Notes that a program calls free or realloc: the block leaves the books for limbo. */
function surrender(w: World, address: number): Block {
  const block: Block = {
    owner: w.liveOwner[address],
    size: w.liveSize[address],
    content: w.liveContent[address],
  };
  checkContent(w, address, block.size, block.content);
  w.liveOwner[address] = 0;
  w.limboOwner[address] = block.owner;
  w.limboSize[address] = block.size;
  w.limboContent[address] = block.content;
  return block;
}

/** Notes that the call has returned, whatever its outcome. */
function account(w: World, address: number, block: Block): void {
  if (w.limboContent[address] === block.content) w.limboOwner[address] = 0;
}

function checkContent(w: World, address: number, size: number, content: number): void {
  if (w.data.subarray(address, address + size).every((word) => word === content)) return;
  w.fail(`the content of block ${address} is not what was written there`);
}

function checkZero(w: World, address: number, size: number): void {
  if (w.data.subarray(address, address + size).some((word) => word !== 0)) {
    w.fail(`calloc's block ${address} is not zero`);
  }
}

/** Notes that a call threw: the caller must still have the whole block, unchanged. */
function takeBack(w: World, t: Thread, address: number, block: Block): void {
  account(w, address, block);
  if (t.freed) w.fail(`the call for block ${address} threw after it had freed the block`);
  if (w.tags[address] === 0 || w.liveOwner[address] !== 0) {
    w.fail(`the call for block ${address} threw, and the block is gone`);
  }
  if (sizeOf(w, address) !== block.size) w.fail(`a realloc that threw resized block ${address}`);
  enter(w, address, block);
  checkMagazines(w, t.slot);
}

/** Slots of dead threads, which a call that returns 0 must have recovered. */
function deadClaims(w: World): number[] {
  return Array.from(w.claim, (word) => (word !== 0 && !w.isRunning(word) ? word : 0));
}

function checkNothingLeft(w: World, dead: readonly number[]): void {
  dead.forEach((word, s) => {
    if (word === 0 || w.claim[s] !== word) return;
    w.fail(`a malloc answers 0 while dead thread ${word} has slot ${s}`);
  });
}

// ---- Calls

export function* doMalloc(w: World, t: Thread, c: number, zero = false): Step<number> {
  const dead = deadClaims(w);
  const address = w.isInstrumented
    ? yield* debugMalloc(w, t, { c }, { zero })
    : yield* malloc(w, t, c, zero);
  return accept(w, t, dead, address, CLASSES[c].granules, zero);
}

export function* doLarge(
  w: World,
  t: Thread,
  pages: number,
  options: LargeOptions = {},
): Step<number> {
  const dead = deadClaims(w);
  const address = w.isInstrumented
    ? yield* debugMalloc(w, t, { pages }, options)
    : yield* mallocLarge(w, t, pages, options);
  if ((address / PAGE_GRANULES) % (options.align ?? 1) !== 0) w.fail(`${address} is not aligned`);
  return accept(w, t, dead, address, pages * PAGE_GRANULES, options.zero === true);
}

function accept(
  w: World,
  t: Thread,
  dead: readonly number[],
  address: number,
  size: number,
  zero: boolean,
): number {
  checkMagazines(w, t.slot);
  if (address === 0) {
    checkNothingLeft(w, dead);
    return 0;
  }
  if (zero) checkZero(w, address, size);
  receive(w, t, address, size);
  return address;
}

export function* doFree(w: World, t: Thread, address: number): Step<void> {
  const block = surrender(w, address);
  t.freed = false;
  try {
    if (!w.isInstrumented) yield* free(w, t, address);
    else if (!(yield* debugFree(w, t, address))) w.fail(`the free of ${address} was refused`);
  } catch (error) {
    if (error === INTERRUPT) takeBack(w, t, address, block);
    throw error;
  }
  account(w, address, block);
  checkMagazines(w, t.slot);
}

export function* doRealloc(w: World, t: Thread, address: number, wanted: Wanted): Step<number> {
  const block = surrender(w, address);
  t.freed = false;
  let moved: number;
  try {
    const call = w.isInstrumented ? debugRealloc : realloc;
    moved = yield* call(w, t, address, wanted);
  } catch (error) {
    if (error === INTERRUPT) takeBack(w, t, address, block);
    throw error;
  }
  checkMagazines(w, t.slot);
  account(w, address, block);
  if (moved === 0) {
    enter(w, address, block);
    return 0;
  }
  const size = 'c' in wanted ? CLASSES[wanted.c].granules : wanted.pages * PAGE_GRANULES;
  checkContent(w, moved, Math.min(size, block.size), block.content);
  receive(w, t, moved, size);
  return moved;
}

/** Frees a block that another program may be freeing at this moment: a mistake of both. */
export function* doFreeShared(w: World, t: Thread, address: number): Step<void> {
  const block = w.liveOwner[address] === 0 ? null : surrender(w, address);
  const freed = yield* debugFree(w, t, address);
  if (freed && block !== null) account(w, address, block);
}

/** Acquires every lock, and checks. */
export function* doVerify(w: World, t: Thread): Step<void> {
  yield* section(w, t, () => verify(w, t));
}

function* verify(w: World, t: Thread): Step<void> {
  const locks = Array.from({ length: CLASS_COUNT }, (_, n) => n + 1);
  if (w.rules.verifyRising) locks.push(PAGE_LOCK);
  else locks.unshift(PAGE_LOCK);
  for (const lock of locks) yield* acquire(w, t, lock);
  yield 'verify';
  checkLocked(w);
  for (const lock of locks.reverse()) yield* release(w, t, lock);
}

/** Runs a call; returns false if it got an error, which the program catches. */
export function* caught(call: Step<unknown>): Step<boolean> {
  try {
    yield* call;
    return true;
  } catch (error) {
    if (error !== INTERRUPT) throw error;
    return false;
  }
}

/** Detaches, again if an error strikes. */
export function* doDetach(w: World, t: Thread): Step<void> {
  while (!(yield* caught(leaveAll(w, t)))) checkMagazines(w, t.slot);
}

/**
 * Frees all blocks of all programs in the last thread, detaches it, and checks that the heap is
 * empty.
 */
export function* emptyHeap(w: World, t: Thread): Step<void> {
  checkQuiet(w);
  yield* emptyObjects(w, t);
  adoptLimbo(w);
  for (let address = 0; address < w.liveOwner.length; address++) {
    if (w.liveOwner[address] === 0) continue;
    w.liveOwner[address] = t.own;
    yield* doFree(w, t, address);
  }
  yield* leaveAll(w, t);
  checkEmptied(w);
}

/** Blocks whose free was cut before its commit: they are live, though no program has them. */
function adoptLimbo(w: World): void {
  w.limboOwner.forEach((owner, address) => {
    if (owner === 0 || w.tags[address] === 0 || w.liveOwner[address] !== 0) return;
    if (w.isInstrumented && stateKind(w.state[address]) !== LIVE_BLOCK) return;
    w.stats.unfreed++;
    const isLarge = w.tags[address] === LARGE_TAG;
    const pages = isLarge ? pagesOf(w.run[address / PAGE_GRANULES]) : 0;
    const size = isLarge
      ? Math.min(w.limboSize[address], pages * PAGE_GRANULES)
      : w.limboSize[address];
    w.limboOwner[address] = 0;
    enter(w, address, { owner, size, content: w.limboContent[address] });
  });
}
