/**
 * The core: one thread's attachment to one heap, put together from the parts of this folder.
 *
 * Called by face/. Owner thread only.
 *
 * I1  Attach claims a slot before it writes to it; detach empties the slot before it frees it.
 * I2  After detach no call of this attachment touches the slot: another thread may own it.
 */

import { HeapError, type SlotIndex } from '../base/index.js';
import { type HeapMemory, setThreadId, slotRecord } from '../layout/index.js';
import { claimSlot, createLocks, currentThreadWord, freeSlot } from '../sync/index.js';
import { type Calls, createCalls } from './allocator.js';
import { createCache } from './cache.js';
import { createDiagnose, type Diagnose } from './diagnose.js';
import { createGates } from './gate.js';
import { createLargeBlocks } from './large.js';
import { createPageHeap } from './page-heap.js';
import { type Recovered, recoverSlots } from './recover.js';
import { createSpans } from './spans.js';

export interface HeapCore {
  readonly memory: HeapMemory;
  readonly slotIndex: SlotIndex;
  /** The calls for any number of threads. */
  readonly shared: Calls;
  /** The calls for a heap with one thread; made when first asked for. */
  solo(): Calls;
  readonly diagnose: Diagnose;
  /** Takes back the slots of threads that ended without detaching. */
  recover(): Recovered;
  /** Gives this thread's caches and slot back. A second call does nothing. */
  detach(): void;
}

/**
 * Attaches the calling thread.
 * @throws HeapError ERR_SHMALLOC_NO_SLOT when all slots are taken
 */
export function attachCore(memory: HeapMemory, reserveIsZero: boolean, threadId: number): HeapCore {
  const { geometry } = memory;
  const me = currentThreadWord(memory.i32, geometry.header);
  const locks = createLocks(memory, me);
  const recover = (): Recovered => {
    const pageHeap = createPageHeap(memory, 0);
    const spans = createSpans(memory, locks, pageHeap);
    return recoverSlots(memory, locks, pageHeap, (slot) => createCache(memory, slot, locks, spans));
  };
  let claimed = claimSlot(memory, me);
  if (claimed === -1 && recover().slots > 0) claimed = claimSlot(memory, me);
  if (claimed === -1) {
    throw new HeapError(
      'ERR_SHMALLOC_NO_SLOT',
      `cannot attach thread ${threadId}: all ${geometry.threads} thread slots of this heap are ` +
        'taken; make the heap with more `threads`, or detach() threads that are done',
    );
  }
  const slotIndex = claimed;
  const slot = slotRecord(geometry.slots, slotIndex);
  const pageHeap = createPageHeap(memory, slotIndex);
  const spans = createSpans(memory, locks, pageHeap);
  const cache = createCache(memory, slot, locks, spans);
  const large = createLargeBlocks(memory, slotIndex, slot, locks, pageHeap, reserveIsZero);
  const diagnose = createDiagnose(memory, locks, pageHeap);
  const gates = createGates(memory, me, locks);
  cache.reset();
  setThreadId(memory.u32, slot, threadId);

  const callsBehind = (gate: typeof gates.shared): Calls =>
    createCalls(memory, slot, gate, cache, large, diagnose);
  const shared = callsBehind(gates.shared);
  // Made on demand: as long as one set exists, engines treat its functions as one of a kind.
  let solo: Calls | undefined;
  let attached = true;

  function detach(): void {
    if (!attached) return;
    gates.shared.enter();
    attached = false;
    cache.flushAll();
    gates.close();
    shared.close();
    solo?.close();
    freeSlot(memory, slotIndex);
  }

  return {
    memory,
    slotIndex,
    shared,
    solo() {
      if (solo === undefined) {
        solo = callsBehind(gates.solo);
        if (!attached) solo.close();
      }
      return solo;
    },
    diagnose,
    recover,
    detach,
  };
}
