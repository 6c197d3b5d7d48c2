/**
 * Attach: a thread gets a slot of a heap, and its calls.
 *
 * Called by api/. Owner thread only. thread-heap I1 holds here.
 */

import {
  type Address,
  HeapError,
  probeStack,
  RESCUE_FRAMES,
  type SlotIndex,
} from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as Slot from '../layout/slot.js';
import { REHEARSAL } from '../recovery/index.js';
import {
  type Claim,
  claimSlot,
  enterName,
  freeSlot,
  leaveName,
  numberedWord,
  throwIfPoisoned,
} from '../sync/index.js';
import { EventQueue } from './event-queue.js';
import { ThreadHeap } from './thread-heap.js';
import { NO_SLOT, recover, type ThreadIdentity, Tools } from './tools.js';

/** What a function's first calls do is not noted by engines. */
const REHEARSALS = 50;

/** An attach under way. */
interface Attaching extends ThreadIdentity {
  readonly memory: HeapMemory;
  readonly reserveIsZero: boolean;
  readonly claim: Claim;
  readonly events: EventQueue;
}

/**
 * Attaches the calling thread.
 * @throws HeapError ERR_SHMALLOC_NO_SLOT when all slots are taken; HeapCorruptionError
 */
export function attachThreadHeap(
  memory: HeapMemory,
  reserveIsZero: boolean,
  by: ThreadIdentity,
): ThreadHeap {
  const events = new EventQueue(memory, by.listener);
  const claim = by.claim ?? { isOpen: false, slot: -1 };
  const attaching: Attaching = { ...by, memory, reserveIsZero, claim, events };
  try {
    throwIfPoisoned(memory);
    // A slot that was claimed and then not used would be lost as long as this thread lives.
    probeStack(RESCUE_FRAMES);
    // Before anything of the heap is in its name. Not even that where too many wait for a slot.
    if (!enterName(memory, numberedWord(by.threadId))) throw noSlot(attaching);
    if (claim.isOpen) endCut(attaching);
    claim.isOpen = true;
    const slotIndex = takeSlot(attaching);
    try {
      return open(attaching, slotIndex);
    } catch (error) {
      freeSlot(memory, slotIndex);
      throw error;
    }
  } catch (error) {
    claim.isOpen = false;
    leaveName(memory, numberedWord(by.threadId));
    events.addFailure(error);
    events.start();
    throw error;
  }
}

function open(attaching: Attaching, slotIndex: SlotIndex): ThreadHeap {
  const { memory } = attaching;
  const heap = new ThreadHeap(memory, slotIndex, attaching, attaching.events);
  heap.section.abort(REHEARSAL);
  // point: attach.reset
  heap.cache.reset();
  rehearse(heap);
  Slot.storeThreadId(memory.u32, heap.slot, attaching.threadId);
  // Poisoned meanwhile, its tops may not be where poison would have them.
  throwIfPoisoned(memory);
  return heap;
}

/**
 * Takes free's slow exit, so that engines know it when they compile free: else its code, and all code
 * that has it inlined, is thrown away at the first flush. While no magazine is open.
 */
function rehearse({ memory, calls, state }: ThreadHeap): void {
  state.isRehearsing = true;
  for (let n = 0; n < REHEARSALS; n++) calls.free(memory.geometry.dataStart as Address);
  state.isRehearsing = false;
}

/** Ends what an attach of this thread left that was cut: locks, and a slot that nobody uses. */
function endCut(attaching: Attaching): void {
  const { memory, claim, events } = attaching;
  const tools = new Tools(memory, NO_SLOT, attaching, events);
  tools.selfRepair.cut(undefined);
  recover(tools, { leftover: claim.slot });
  claim.slot = -1;
}

/** Claims a slot, from the dead if need be. */
function takeSlot(attaching: Attaching): SlotIndex {
  const { memory, threadId, claim, events } = attaching;
  const me = numberedWord(threadId);
  let slot = claimSlot(memory, me, claim);
  if (slot === -1) {
    // Whatever it finds: another thread may have recovered the dead meanwhile.
    recover(new Tools(memory, NO_SLOT, attaching, events));
    slot = claimSlot(memory, me, claim);
  }
  if (slot === -1) throw noSlot(attaching);
  return slot;
}

function noSlot({ memory, threadId }: Attaching): Error {
  return new HeapError(
    'ERR_SHMALLOC_NO_SLOT',
    `cannot attach thread ${threadId}: all ${memory.geometry.threads} thread slots of this ` +
      'heap are taken; make the heap with more `threads`, or detach() threads that are done',
  );
}
