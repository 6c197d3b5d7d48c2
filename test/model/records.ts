/**
 * Records: the calls of an instrumented heap, where every block has a record that names its owner.
 * As debug/debug-calls.ts and debug/quarantine.ts; reclaim-instrumented.ts has the recovery of
 * records.
 *
 * I1  A block with a tag has a record of its own: PENDING before the commit, LIVE by the last store
 *     of the call that returns it.
 * I2  A free claims its block first: FREED by its thread. From then on the block comes back, by the
 *     thread or by recovery.
 * I3  A block that a thread holds back is in its queue, or given up. A queue that cannot be emptied
 *     now is emptied later: no error after a claim is thrown.
 * I4  A thread detaches with an empty queue.
 */

import { clear, copy, pop, sizeOf, slotOf } from './blocks.js';
import { newest } from './cache.js';
import { commitLarge, fill, free, type LargeOptions, reserve } from './calls.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import { detach } from './recovery.js';
import { section } from './section.js';
import type { Thread } from './thread.js';
import {
  blockState,
  CLASSES,
  FREED_BLOCK,
  LIVE_BLOCK,
  PAGE_GRANULES,
  PENDING_BLOCK,
  stateKind,
  stateSlot,
} from './words.js';
import { INTERRUPT, type World } from './world.js';

// ---- Allocation

export function* debugMalloc(
  w: World,
  t: Thread,
  wanted: Wanted,
  options: LargeOptions,
): Step<number> {
  yield* begin(w);
  const address = yield* make(w, t, wanted, options);
  if (address === 0) return 0;
  if (options.zero === true) yield* clear(w, address, granulesOf(wanted));
  yield* publish(w, address);
  return address;
}

/** A stack overflow can strike here. */
function* begin(w: World): Step<void> {
  if (w.rules.headroom) yield 'probe';
}

const granulesOf = (wanted: Wanted): number =>
  'c' in wanted ? CLASSES[wanted.c].granules : wanted.pages * PAGE_GRANULES;

/** A new block, PENDING; 0 = the heap is full. */
function* make(w: World, t: Thread, wanted: Wanted, options: LargeOptions): Step<number> {
  let address = yield* reserveBlock(w, t, wanted, options);
  if (address === 0 && t.quarantine.length > 0) {
    yield* drain(w, t);
    address = yield* reserveBlock(w, t, wanted, options);
  }
  if (address === 0) return 0;
  if (w.rules.recordFirst) yield* writeRecord(w, t, address);
  if ('c' in wanted) yield* pop(w, t, wanted.c);
  else if (w.rules.largeCommitLast) yield* commitLarge(w, t, address / PAGE_GRANULES);
  if (!w.rules.recordFirst) yield* writeRecord(w, t, address);
  return address;
}

/** A block that is still in the thread's magazine, or a run that is RESERVED; 0 = there is none. */
function* reserveBlock(
  w: World,
  t: Thread,
  wanted: Wanted,
  { align = 1, place = 'bottom' }: LargeOptions,
): Step<number> {
  if ('c' in wanted) {
    const slot = slotOf(w, t);
    const { c } = wanted;
    if (newest(slot, c) === 0 && !(yield* section(w, t, () => fill(w, t, c)))) return 0;
    return newest(slot, c);
  }
  const taken = yield* section(w, t, () => reserve(w, t, wanted.pages, align, place));
  return taken === null ? 0 : taken.page * PAGE_GRANULES;
}

function* writeRecord(w: World, t: Thread, address: number): Step<void> {
  if (w.rules.noneFirst) {
    yield 'debug.none';
    w.state[address] = 0;
  }
  yield 'debug.pending';
  w.state[address] = blockState(PENDING_BLOCK, t.slot);
}

function* publish(w: World, address: number): Step<void> {
  yield 'debug.live';
  w.state[address] = blockState(LIVE_BLOCK, stateSlot(w.state[address]));
}

// ---- Free

/** False if the block is not LIVE: it was freed already, or another thread was faster. */
export function* debugFree(w: World, t: Thread, address: number): Step<boolean> {
  yield* begin(w);
  if (w.rules.claimFirst) {
    if (!(yield* claim(w, t, address))) return false;
    yield* retire(w, t, address);
    return true;
  }
  yield* retire(w, t, address);
  return yield* claim(w, t, address);
}

/** Marks a LIVE block as FREED by the thread. */
function* claim(w: World, t: Thread, address: number): Step<boolean> {
  const state = w.state[address];
  if (stateKind(state) !== LIVE_BLOCK) return false;
  yield 'debug.claim';
  // On failure another thread has claimed it at this moment.
  if (w.rules.strictClaim && w.state[address] !== state) return false;
  w.state[address] = blockState(FREED_BLOCK, t.slot);
  t.freed = true;
  return true;
}

/** Puts a claimed block in the queue, and gives back the oldest one. */
function* retire(w: World, t: Thread, address: number): Step<void> {
  const { quarantine = 0 } = w.shape;
  t.quarantine.push(address);
  w.waiting[address] = t.own;
  try {
    while (t.quarantine.length > quarantine) yield* release(w, t);
  } catch (error) {
    if (error !== INTERRUPT) throw error;
    if (!w.rules.queueFirst && quarantine === 0) forgetAll(w, t);
    if (!w.rules.quietRelease) throw error;
  }
}

/** Gives the oldest block of the queue back to the heap. After an error it stays in the queue. */
function* release(w: World, t: Thread): Step<void> {
  const [address] = t.quarantine;
  const { freed } = t;
  w.waiting[address] = 0;
  try {
    // Without a tag another thread has freed it, too: the heap refuses it.
    if (w.tags[address] !== 0) yield* free(w, t, address);
  } catch (error) {
    w.waiting[address] = t.own;
    throw error;
  } finally {
    t.freed = freed;
  }
  t.quarantine.shift();
}

function* drain(w: World, t: Thread): Step<void> {
  while (t.quarantine.length > 0) yield* release(w, t);
}

/** The blocks that are lost if a thread loses its queue. */
function forgetAll(w: World, t: Thread): void {
  for (const address of t.quarantine) w.waiting[address] = 0;
  t.quarantine = [];
}

// ---- Realloc

/** Reallocates, always by a move. */
export function* debugRealloc(w: World, t: Thread, address: number, wanted: Wanted): Step<number> {
  yield* begin(w);
  const moved = yield* make(w, t, wanted, {});
  if (moved === 0) return 0;
  yield* copy(w, moved, address, sizeOf(w, address), granulesOf(wanted));
  if (!w.rules.liveLast) yield* publish(w, moved);
  if (!(yield* claim(w, t, address))) w.fail(`the realloc of ${address} was refused`);
  yield* retire(w, t, address);
  if (w.rules.liveLast) yield* publish(w, moved);
  return moved;
}

// ---- Detach

/**
 * Detaches from an instrumented heap with an empty queue. After an error the thread is still
 * attached.
 */
export function* leave(w: World, t: Thread): Step<void> {
  try {
    yield* drain(w, t);
  } catch (error) {
    if (error !== INTERRUPT || w.rules.drainFirst) throw error;
    forgetAll(w, t);
  }
  yield* detach(w, t);
}
