/**
 * Detach: a thread gives its caches and its slot back.
 *
 * Called by thread-heap.ts. Owner thread only. thread-heap I1 and I2 hold here.
 */

import * as Registry from '../layout/registry.js';
import { createIntentResolver, freeReserved, reclaimObjects } from '../recovery/index.js';
import { freeSlot, isPoisoned, leaveName } from '../sync/index.js';
import type { ThreadHeap } from './thread-heap.js';
import { resolveOwn } from './tools.js';

/** After an error the thread is still attached. What is found on the way is told when it has left. */
export function detach(heap: ThreadHeap): void {
  const { events, state } = heap;
  try {
    events.quietly(() => leave(heap));
  } catch (error) {
    state.isLeaving = false;
    events.flush();
    throw error;
  }
}

function leave(heap: ThreadHeap): void {
  const { memory, slotIndex, me, section, calls, state } = heap;
  if (!state.isAttached) return;
  state.isLeaving = true;
  // A broken heap keeps what it has: its slot is all that it gets back.
  if (!isPoisoned(memory) && !state.isEmptied) section.read(() => releaseAll(heap));
  section.close();
  calls.close();
  // Should this be cut, the next detach goes on from here (thread-heap I2); from above where a magazine
  // was still open.
  state.isEmptied = true;
  // point: detach.slot
  if (Registry.loadOwner(memory.i32, memory.geometry.registry, slotIndex) === me)
    freeSlot(memory, slotIndex);
  leaveName(memory, me);
  state.isAttached = false;
  state.isLeaving = false;
}

/** What recovery does for the dead. */
function releaseAll(heap: ThreadHeap): void {
  const { memory, cache, slotIndex } = heap;
  resolveOwn(heap);
  const resolver = createIntentResolver(heap, cache, slotIndex);
  if (reclaimObjects(memory, resolver, slotIndex).blocks > 0) freeReserved(heap, slotIndex);
  cache.leave();
}
