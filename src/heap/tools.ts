/**
 * Tools: what a thread works with on what all threads share. It needs no slot for that.
 *
 * Made by thread-heap.ts as a part of the thread's heap, and by attach.ts for a thread without a slot.
 * Owner thread only.
 */

import { probeStack, RESCUE_FRAMES, type SlotIndex } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as PageOwners from '../layout/page-owners.js';
import * as Slot from '../layout/slot.js';
import { Cache, isLookDue, PageHeap, RetiredSpans, Spans } from '../pages/index.js';
import {
  createIntentResolver,
  createSelfRepair,
  freeReserved,
  type Recovered,
  Repairs,
  type Rescue,
  recoverDead,
  type SelfRepair,
} from '../recovery/index.js';
import {
  type Claim,
  Locks,
  numberedWord,
  type ThreadWord,
  throwIfPoisoned,
} from '../sync/index.js';
import { EventQueue, type HeapListener } from './event-queue.js';

/** In place of a slot's index. Recovery belongs to no slot: it gives runs back and reserves none. */
export const NO_SLOT = -1;

/** What a thread is to the heap that it attaches to. */
export interface ThreadIdentity {
  /** Its number in worker_threads. */
  readonly threadId: number;
  /** It waits no longer than this for a lock whose owner cannot be looked for. */
  readonly lockTimeoutMs: number;
  /** Told what happens to the heap in this thread, at the end of the call in which it does. */
  readonly listener?: HeapListener;
  /** The same for all attempts of a thread until it is attached: what a cut one left is found by it. */
  readonly claim?: Claim;
}

export class Tools {
  readonly memory: HeapMemory;
  readonly slotIndex: SlotIndex | typeof NO_SLOT;
  readonly me: ThreadWord;
  readonly lockTimeoutMs: number;
  /** How page owners name the slot; UNOWNED without one. */
  readonly owner: number;
  readonly locks: Locks;
  readonly pageHeap: PageHeap;
  readonly retired: RetiredSpans;
  readonly spans: Spans;
  readonly repairs: Repairs;
  readonly selfRepair: SelfRepair;
  /** What is to be told; nothing is before it is started, when attaching is done. */
  readonly events: EventQueue;

  constructor(
    memory: HeapMemory,
    slotIndex: SlotIndex | typeof NO_SLOT,
    by: ThreadIdentity,
    events: EventQueue = new EventQueue(memory, by.listener),
  ) {
    this.memory = memory;
    this.slotIndex = slotIndex;
    this.me = numberedWord(by.threadId);
    this.lockTimeoutMs = by.lockTimeoutMs;
    this.owner = slotIndex === NO_SLOT ? PageOwners.UNOWNED : PageOwners.codeOf(slotIndex);
    // The locks know of repair, and repair of the locks.
    this.locks = new Locks(memory, this.me, by.lockTimeoutMs, (lock) =>
      this.repairs.lockLocked(lock),
    );
    this.pageHeap = new PageHeap(memory, slotIndex);
    this.retired = new RetiredSpans(memory, this.locks, this.pageHeap, this.owner);
    this.spans = new Spans(this);
    this.repairs = new Repairs(memory, this.locks, this.pageHeap);
    this.selfRepair = createSelfRepair(this, () => resolveOwn(this));
    this.events = events;
  }
}

/** Ends what was left half done of a placement. In a section. */
export function resolveOwn(tools: Tools): void {
  const { memory, slotIndex } = tools;
  if (slotIndex === NO_SLOT) return;
  const slot = Slot.at(memory.geometry.slots, slotIndex);
  // Mostly so: what follows is made only where it is needed.
  if (Slot.getIntentWord(memory.u32, slot) === 0) return;
  const resolver = createIntentResolver(tools, new Cache(tools, slot), slotIndex);
  if (resolver.resolve()) freeReserved(tools, slotIndex);
}

/** Recovery that leaves nothing half done, whatever happens in it. */
export function recover(tools: Tools, rescue?: Rescue): Recovered {
  throwIfPoisoned(tools.memory);
  probeStack(RESCUE_FRAMES);
  try {
    const found = recoverDead(tools, rescue);
    tools.events.addRecovered(found);
    return found;
  } catch (error) {
    // Only its locks: a call on whose way this is may have a run reserved.
    tools.selfRepair.locks(error);
    throw error;
  }
}

/** Recovers the dead where a look is due; false where it is not. On the way to an answer of 0. */
export function recoverIfDue(tools: Tools): boolean {
  if (!isLookDue(tools.memory)) return false;
  recover(tools, { isOnlyIfDue: true });
  return true;
}
