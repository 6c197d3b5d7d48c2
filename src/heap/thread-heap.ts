/**
 * The thread heap: one thread's attachment to one heap, put together from the parts of this folder.
 *
 * Called by api/. Owner thread only.
 *
 * I1  Attach claims a slot before it writes to it; detach empties the slot before it frees it.
 * I2  After detach no call of this attachment touches the slot: another thread may own it.
 */

import {
  type Address,
  HeapError,
  probeStack,
  RESCUE_FRAMES,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import {
  type BlockInspector,
  createBlockInspector,
  createDiagnose,
  type Diagnose,
  inspect,
  type Place,
} from '../blocks/index.js';
import {
  getIntentWord,
  type HeapMemory,
  loadOwner,
  ownerCodeOf,
  PAGE_LOCK,
  slotRecord,
  storeThreadId,
  UNOWNED,
} from '../layout/index.js';
import {
  type Cache,
  copyRunsLocked,
  createCache,
  createPageHeap,
  createRetiredSpans,
  createSamples,
  createSpans,
  type HeapAccess,
  isLookDue,
  type PageHeap,
  POST_MORTEM,
  type RetiredSpans,
} from '../pages/index.js';
import {
  createIntentResolver,
  createRepairs,
  createSelfRepair,
  freeReserved,
  REHEARSAL,
  type Recovered,
  type Repairs,
  reclaimInstrumented,
  reclaimObjects,
  recoverDead,
  type SelfRepair,
} from '../recovery/index.js';
import {
  type Claim,
  claimSlot,
  createLocks,
  createObjectLocks,
  enterName,
  freeSlot,
  isPoisoned,
  type Locks,
  leaveName,
  numberedWord,
  type ObjectLocks,
  reportDeath,
  type ThreadWord,
  throwIfPoisoned,
} from '../sync/index.js';
import { type VerifyReport, verifyHeap } from '../verify/index.js';
import { type Calls, createCalls } from './allocator.js';
import { createEventQueue, type EventQueue, type HeapListener } from './event-queue.js';
import { createFullness } from './fullness.js';
import { createLargeBlocks } from './large.js';
import { type Marks, noMarks } from './marks.js';
import { createOwnedBlocks, type OwnedBlocks } from './owned-blocks.js';
import { createSections } from './section.js';

/** Recovery belongs to no slot: it gives runs back and reserves none. */
const NO_SLOT = -1;

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

export interface ThreadHeap {
  readonly memory: HeapMemory;
  readonly slotIndex: SlotIndex;
  /** The calls, for any number of threads. */
  readonly shared: Calls;
  /** How objects get and lose their blocks. */
  readonly ownedBlocks: OwnedBlocks;
  /** Locks that stand in objects. What is done under one is done in `events.deferring`: event-queue I1. */
  readonly objectLocks: ObjectLocks;
  /** The error for an address that is no live block. */
  readonly diagnose: Diagnose;
  /** Takes back what threads left behind that ended without detaching. */
  recover(): Recovered;
  /** The thread with this number has ended: says so to all, and recovers it. */
  recoverThread(threadId: number): Recovered;
  verify(quiet: boolean): VerifyReport;
  /** Who sees the blocks. */
  readonly inspector: BlockInspector;
  /** What lies at an address of the data region. */
  inspect(address: number): Place;
  /** All runs at one moment, by address: head page and run word, in turn. */
  runs(): Int32Array;
  /** Has this thread not detached? */
  isAttached(): boolean;
  /** Was its detach cut, so that it is to be called again? It runs none of the program's code. */
  isLeaving(): boolean;
  /** Gives this thread's caches and slot back. A second call does nothing. */
  detach(): void;
  /** What is to be told; nothing is before it is started, when attaching is done. */
  readonly events: EventQueue;
  /** What this thread is in the middle of. */
  readonly marks: Marks;
  /** From now on `repairObjects` puts objects right after a call of this thread that was cut. */
  whenCut(repairObjects: () => void): void;
  /** Repairs what a call left that was cut. While no object of this thread is being changed. */
  repairIfCut(): void;
  /**
   * Of an instrumented heap: gives back what is in this thread's name in the blocks' records, and neither
   * in the program's hands nor `kept`. After a call that was cut.
   */
  reclaimInstrumented(kept: ReadonlySet<Address>): void;
}

/** A thread's tools for what all threads share: it needs no slot to use them. */
interface Tools {
  readonly me: ThreadWord;
  readonly locks: Locks;
  readonly repairs: Repairs;
  readonly pageHeap: PageHeap;
  readonly retired: RetiredSpans;
  readonly selfRepair: SelfRepair;
  /** Ends what was left half done of a placement. In a section. */
  resolveOwn(): void;
  cacheOf(slot: WordIndex): Cache;
  /** Recovery that leaves nothing half done, whatever happens in it. */
  recover(leftover?: number, onlyIfDue?: boolean): Recovered;
}

function createTools(
  memory: HeapMemory,
  slot: SlotIndex | typeof NO_SLOT,
  by: ThreadIdentity,
  events: EventQueue,
): Tools {
  const me = numberedWord(by.threadId);
  // The locks know of repair, and repair of the locks.
  const locks = createLocks(memory, me, by.lockTimeoutMs, (lock) => repairs.lockLocked(lock));
  const pageHeap = createPageHeap(memory, slot);
  const owner = slot === NO_SLOT ? UNOWNED : ownerCodeOf(slot);
  const retired = createRetiredSpans(memory, locks, pageHeap, owner);
  const spans = createSpans(memory, locks, pageHeap, retired, owner);
  const repairs = createRepairs(memory, locks, pageHeap);
  const cacheOf = (of: WordIndex): Cache => createCache(memory, of, locks, spans, retired);
  const resolveOwn = (): void => {
    if (slot === NO_SLOT) return;
    const record = slotRecord(memory.geometry.slots, slot);
    // Mostly so: what follows is made only where it is needed.
    if (getIntentWord(memory.u32, record) === 0) return;
    const cache = cacheOf(record);
    const resolver = createIntentResolver(memory, locks, pageHeap, cache, slot);
    if (resolver.resolve()) freeReserved(memory, locks, pageHeap, slot);
  };
  const selfRepair = createSelfRepair(memory, slot, locks, repairs, pageHeap, resolveOwn);

  function recover(leftover = -1, onlyIfDue = false): Recovered {
    throwIfPoisoned(memory);
    probeStack(RESCUE_FRAMES);
    try {
      const found = recoverDead(memory, me, locks, pageHeap, cacheOf, leftover, onlyIfDue);
      events.addRecovered(found);
      return found;
    } catch (error) {
      // Only its locks: a call on whose way this is may have a run reserved.
      selfRepair.locks(error);
      throw error;
    }
  }

  return { me, locks, repairs, pageHeap, retired, selfRepair, resolveOwn, cacheOf, recover };
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
  const events = createEventQueue(memory, by.listener);
  const claim = by.claim ?? { isOpen: false, slot: -1 };
  try {
    throwIfPoisoned(memory);
    // A slot that was claimed and then not used would be lost as long as this thread lives.
    probeStack(RESCUE_FRAMES);
    // Before anything of the heap is in its name. Not even that where too many wait for a slot.
    if (!enterName(memory, numberedWord(by.threadId))) throw noSlot(memory, by);
    if (claim.isOpen) endCut(memory, by, claim, events);
    claim.isOpen = true;
    const slotIndex = takeSlot(memory, by, claim, events);
    try {
      return openThreadHeap(memory, slotIndex, reserveIsZero, by, events);
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

function openThreadHeap(
  memory: HeapMemory,
  slotIndex: SlotIndex,
  reserveIsZero: boolean,
  by: ThreadIdentity,
  events: EventQueue,
): ThreadHeap {
  const slot = slotRecord(memory.geometry.slots, slotIndex);
  const tools = createTools(memory, slotIndex, by, events);
  const { me, locks, pageHeap, retired, selfRepair, resolveOwn, recover } = tools;
  const cache = tools.cacheOf(slot);
  const marks = noMarks();
  const large = createLargeBlocks(
    memory,
    slotIndex,
    slot,
    locks,
    pageHeap,
    retired,
    selfRepair,
    marks,
    reserveIsZero,
  );
  const sound: HeapAccess = { acquire: locks.acquire, release: locks.release, broken: false };
  const diagnose = createDiagnose(memory, sound);
  const sections = createSections(
    memory,
    slot,
    locks,
    selfRepair,
    recover,
    events,
    marks,
    repairLock,
  );
  const samples = createSamples(memory, slot);
  const fullness = createFullness(memory, slot);
  const recoverIfDue = (): boolean => {
    if (!isLookDue(memory)) return false;
    recover(-1, true);
    return true;
  };
  const objectLocks = createObjectLocks(
    memory,
    me,
    by.lockTimeoutMs,
    locks,
    sections.checkObject,
    () => sections.recover(true),
    marks,
  );
  sections.shared.abort(REHEARSAL);
  const shared = createCalls(
    memory,
    slotIndex,
    slot,
    sections.shared,
    cache,
    large,
    diagnose,
    selfRepair,
    fullness,
    recoverIfDue,
    samples,
    events,
  );
  // point: attach.reset
  cache.reset();
  shared.rehearse();
  storeThreadId(memory.u32, slot, by.threadId);
  // Poisoned meanwhile, its tops may not be where poison would have them.
  throwIfPoisoned(memory);

  const resolver = createIntentResolver(memory, locks, pageHeap, cache, slotIndex);
  const ownedBlocks = createOwnedBlocks(
    memory,
    slot,
    sections.shared,
    shared,
    cache,
    large,
    events,
    resolveOwn,
  );
  let attached = true;
  let isLeaving = false;
  let isEmptied = false;

  /** Gives back the lock of an object whose change was cut: others wait for it. The object is whole then. */
  function repairLock(): void {
    const { lock, changing } = marks;
    if (lock === 0) return;
    if (objectLocks.isMine(lock)) {
      changing?.repairLocked();
      objectLocks.release(lock);
    }
    marks.lock = 0;
    marks.changing = null;
  }

  function detach(): void {
    if (!attached) return;
    isLeaving = true;
    // A broken heap keeps what it has: its slot is all that it gets back.
    if (!isPoisoned(memory) && !isEmptied) sections.shared.read(releaseAll);
    sections.close();
    shared.close();
    // Should this be cut, the next detach goes on from here (I2); from above where a magazine was still open.
    isEmptied = true;
    // point: detach.slot
    if (loadOwner(memory.i32, memory.geometry.registry, slotIndex) === me) {
      freeSlot(memory, slotIndex);
    }
    leaveName(memory, me);
    attached = false;
    isLeaving = false;
  }

  /** After an error it is still attached. What is found on the way is told when it has left. */
  function tryToDetach(): void {
    try {
      events.quietly(detach);
    } catch (error) {
      isLeaving = false;
      events.flush();
      throw error;
    }
  }

  /** What recovery does for the dead. */
  function releaseAll(): void {
    resolveOwn();
    if (reclaimObjects(memory, resolver, slotIndex).blocks > 0) {
      freeReserved(memory, locks, pageHeap, slotIndex);
    }
    cache.leave();
  }

  function recoverThread(threadId: number): Recovered {
    reportDeath(memory, numberedWord(threadId));
    return sections.recover(false);
  }

  function copyRuns(access: HeapAccess): Int32Array {
    access.acquire(PAGE_LOCK);
    const runs = copyRunsLocked(memory, access);
    access.release(PAGE_LOCK);
    return runs;
  }

  /** Looks at what threads share; at what is left of it, where the heap is poisoned. */
  function look<T>(work: (access: HeapAccess) => T): T {
    sections.checkAttached();
    if (isPoisoned(memory)) return work(POST_MORTEM);
    return events.deferring(() => sections.shared.read(() => work(sound)));
  }

  return {
    memory,
    slotIndex,
    shared,
    ownedBlocks,
    objectLocks,
    diagnose: (asked, address) => look((access) => createDiagnose(memory, access)(asked, address)),
    recover: () => events.deferring(() => sections.recover(false)),
    recoverThread: (threadId) => events.deferring(() => recoverThread(threadId)),
    verify: (quiet) => look((access) => verifyHeap(memory, access, quiet)),
    inspector: createBlockInspector(memory, look),
    inspect: (address) => look((access) => inspect(memory, access, address)),
    runs: () => look(copyRuns),
    isAttached: () => attached,
    isLeaving: () => isLeaving,
    detach: tryToDetach,
    events,
    marks,
    whenCut: sections.whenCut,
    repairIfCut: sections.repairIfCut,
    reclaimInstrumented: (kept) =>
      sections.shared.read(() => {
        reclaimInstrumented(memory, locks, pageHeap, cache, slotIndex, kept);
        freeReserved(memory, locks, pageHeap, slotIndex);
      }, true),
  };
}

/** Ends what an attach of this thread left that was cut: locks, and a slot that nobody uses. */
function endCut(memory: HeapMemory, by: ThreadIdentity, claim: Claim, events: EventQueue): void {
  const tools = createTools(memory, NO_SLOT, by, events);
  tools.selfRepair.cut(undefined);
  tools.recover(claim.slot);
  claim.slot = -1;
}

function noSlot(memory: HeapMemory, by: ThreadIdentity): Error {
  return new HeapError(
    'ERR_SHMALLOC_NO_SLOT',
    `cannot attach thread ${by.threadId}: all ${memory.geometry.threads} thread slots of this ` +
      'heap are taken; make the heap with more `threads`, or detach() threads that are done',
  );
}

/** Claims a slot, from the dead if need be. */
function takeSlot(
  memory: HeapMemory,
  by: ThreadIdentity,
  claim: Claim,
  events: EventQueue,
): SlotIndex {
  const me = numberedWord(by.threadId);
  // The recovery lock guards nothing that a takeover would have to repair.
  const locks = createLocks(memory, me, by.lockTimeoutMs, () => {});
  let slot = claimSlot(memory, locks, me, claim);
  if (slot === -1) {
    // Whatever it finds: another thread may have recovered the dead meanwhile.
    createTools(memory, NO_SLOT, by, events).recover();
    slot = claimSlot(memory, locks, me, claim);
  }
  if (slot === -1) throw noSlot(memory, by);
  return slot;
}
