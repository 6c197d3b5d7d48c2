/**
 * The core: one thread's attachment to one heap, put together from the parts of this folder.
 *
 * Called by api/. Owner thread only.
 *
 * I1  Attach claims a slot before it writes to it; detach empties the slot before it frees it.
 * I2  After detach no call of this attachment touches the slot: another thread may own it.
 */

import {
  type Address,
  HeapCorruptionError,
  HeapError,
  hex,
  probeStack,
  RESCUE_FRAMES,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import {
  createDiagnose,
  createEyes,
  type Diagnose,
  type Eyes,
  inspect,
  type Place,
} from '../blocks/index.js';
import {
  getIntentWord,
  type HeapMemory,
  homeOf,
  loadOwner,
  NOBODY,
  PAGE_LOCK,
  slotRecord,
  soloWordIndex,
  storeThreadId,
} from '../layout/index.js';
import {
  type Cache,
  copyRunsLocked,
  createCache,
  createPageHeap,
  createSamples,
  createSpans,
  createSpares,
  isLookDue,
  type Looker,
  type PageHeap,
  POST_MORTEM,
  type Spares,
} from '../pages/index.js';
import {
  createMend,
  createRepairs,
  createSettling,
  endObjects,
  freeOrphans,
  freeReserved,
  type Mend,
  nothingRecovered,
  REHEARSAL,
  type Recovered,
  type Repairs,
  recoverDead,
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
  lockTimeout,
  lookAtHolder,
  NO_SUCH_THREAD,
  numberedWord,
  type ObjectLocks,
  poison,
  reportDeath,
  type ThreadWord,
  throwIfPoisoned,
  waitForSolo,
} from '../sync/index.js';
import { type VerifyReport, verifyHeap } from '../verify/index.js';
import { type Calls, createCalls, type FreshCalls } from './allocator.js';
import { createNews, type HeapListener, type News } from './event-queue.js';
import { createFullness } from './fullness.js';
import { createLargeBlocks } from './large.js';
import { type Marks, noMarks } from './marks.js';
import { createPlacement, type Placement } from './owned-blocks.js';
import { createGates, type Gate } from './section.js';

const SOLO_WAIT_MS = 5;
/** Recovery belongs to no slot: it gives runs back and reserves none. */
const NO_SLOT = -1;

/** What a thread is to the heap that it attaches to. */
export interface Attacher {
  /** Its number in worker_threads. */
  readonly threadId: number;
  /** It waits no longer than this for a lock whose owner cannot be looked for. */
  readonly lockTimeoutMs: number;
  /** Told what happens to the heap in this thread, at the end of the call in which it does. */
  readonly listener?: HeapListener;
  /** The same for all attempts of a thread until it is attached: what a cut one left is found by it. */
  readonly claim?: Claim;
}

export interface HeapCore {
  readonly memory: HeapMemory;
  readonly slotIndex: SlotIndex;
  /** The calls for any number of threads. */
  readonly shared: Calls;
  /** The calls for a heap with one thread; made when first asked for. */
  solo(): Calls;
  /** How objects get and lose their blocks. */
  readonly placement: Placement;
  /** Locks that stand in objects. What is done under one is done in `news.telling`: event-queue I1. */
  readonly objectLocks: ObjectLocks;
  /** The error for an address that is no live block. */
  readonly diagnose: Diagnose;
  /** Takes back what threads left behind that ended without detaching. */
  recover(): Recovered;
  /** The thread with this number has ended: says so to all, and recovers it. */
  recoverThread(threadId: number): Recovered;
  verify(quiet: boolean): VerifyReport;
  /** Who sees the blocks. */
  readonly eyes: Eyes;
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
  readonly news: News;
  /** What this thread is in the middle of. */
  readonly marks: Marks;
  /** From now on `mendObjects` puts objects right after a call of this thread that was cut. */
  whenCut(mendObjects: () => void): void;
  /** Mends what a call left that was cut. While no object of this thread is being changed. */
  mendIfCut(): void;
  /**
   * Of an instrumented heap: gives back what is in this thread's name in the blocks' records, and neither
   * in the program's hands nor `kept`. After a call that was cut.
   */
  freeOrphans(kept: ReadonlySet<Address>): void;
}

/** A thread's tools for what all threads share: it needs no slot to use them. */
interface Tools {
  readonly me: ThreadWord;
  readonly locks: Locks;
  readonly repairs: Repairs;
  readonly pageHeap: PageHeap;
  readonly spares: Spares;
  readonly mend: Mend;
  /** Ends what was left half done of a placement. Behind the gate. */
  settleOwn(): void;
  cacheOf(slot: WordIndex): Cache;
  /** Recovery that leaves nothing half done, whatever happens in it. */
  recover(leftover?: number, onlyIfDue?: boolean): Recovered;
}

function createTools(
  memory: HeapMemory,
  slot: SlotIndex | typeof NO_SLOT,
  by: Attacher,
  news: News,
): Tools {
  const me = numberedWord(by.threadId);
  // The locks know of repair, and repair of the locks.
  const locks = createLocks(memory, me, by.lockTimeoutMs, (lock) => repairs.lockLocked(lock));
  const pageHeap = createPageHeap(memory, slot);
  const home = slot === NO_SLOT ? NOBODY : homeOf(slot);
  const spares = createSpares(memory, locks, pageHeap, home);
  const spans = createSpans(memory, locks, pageHeap, spares, home);
  const repairs = createRepairs(memory, locks, pageHeap);
  const cacheOf = (of: WordIndex): Cache => createCache(memory, of, locks, spans, spares);
  const settleOwn = (): void => {
    if (slot === NO_SLOT) return;
    const record = slotRecord(memory.geometry.slots, slot);
    // Mostly so: what follows is made only where it is needed.
    if (getIntentWord(memory.u32, record) === 0) return;
    const cache = cacheOf(record);
    const settling = createSettling(memory, locks, pageHeap, cache, slot);
    if (settling.settle()) freeReserved(memory, locks, pageHeap, slot);
  };
  const mend = createMend(memory, slot, locks, me, repairs, pageHeap, settleOwn);

  function recover(leftover = -1, onlyIfDue = false): Recovered {
    throwIfPoisoned(memory);
    // Who is alone has nobody to recover, and takes no lock.
    if (locks.isSolo()) return nothingRecovered();
    probeStack(RESCUE_FRAMES);
    try {
      const found = recoverDead(memory, me, locks, repairs, pageHeap, cacheOf, leftover, onlyIfDue);
      news.addRecovered(found);
      return found;
    } catch (error) {
      // Only its locks: a call on whose way this is may have a run reserved.
      mend.locks(error);
      throw error;
    }
  }

  return { me, locks, repairs, pageHeap, spares, mend, settleOwn, cacheOf, recover };
}

/**
 * Attaches the calling thread.
 * @throws HeapError ERR_SHMALLOC_NO_SLOT when all slots are taken; HeapCorruptionError
 */
export function attachCore(memory: HeapMemory, reserveIsZero: boolean, by: Attacher): HeapCore {
  const news = createNews(memory, by.listener);
  const claim = by.claim ?? { isOpen: false, slot: -1 };
  try {
    throwIfPoisoned(memory);
    // A slot that was claimed and then not used would be lost as long as this thread lives.
    probeStack(RESCUE_FRAMES);
    // Before anything of the heap is in its name. Not even that where too many wait for a slot.
    if (!enterName(memory, numberedWord(by.threadId))) throw noSlot(memory, by);
    if (claim.isOpen) endCut(memory, by, claim, news);
    claim.isOpen = true;
    const slotIndex = takeSlot(memory, by, claim, news);
    try {
      return openCore(memory, slotIndex, reserveIsZero, by, news);
    } catch (error) {
      freeSlot(memory, slotIndex);
      throw error;
    }
  } catch (error) {
    claim.isOpen = false;
    leaveName(memory, numberedWord(by.threadId));
    news.addFailure(error);
    news.start();
    throw error;
  }
}

function openCore(
  memory: HeapMemory,
  slotIndex: SlotIndex,
  reserveIsZero: boolean,
  by: Attacher,
  news: News,
): HeapCore {
  const slot = slotRecord(memory.geometry.slots, slotIndex);
  const tools = createTools(memory, slotIndex, by, news);
  const { me, locks, pageHeap, spares, mend, settleOwn, recover } = tools;
  const cache = tools.cacheOf(slot);
  const marks = noMarks();
  const large = createLargeBlocks(
    memory,
    slotIndex,
    slot,
    locks,
    pageHeap,
    spares,
    mend,
    marks,
    reserveIsZero,
  );
  const sound: Looker = { acquire: locks.acquire, release: locks.release, broken: false };
  const diagnose = createDiagnose(memory, sound);
  const gates = createGates(memory, me, slot, locks, mend, recover, news, marks, mendLock);
  const samples = createSamples(memory, slot);
  const fullness = createFullness(memory, slot);
  const recoverIfDue = (): boolean => {
    // Who is alone has nobody to recover.
    if (locks.isSolo() || !isLookDue(memory)) return false;
    recover(-1, true);
    return true;
  };
  const objectLocks = createObjectLocks(
    memory,
    me,
    by.lockTimeoutMs,
    locks,
    gates.checkObject,
    () => gates.recover(true),
    marks,
  );
  gates.shared.abandon(REHEARSAL);
  const callsBehind = (gate: Gate): FreshCalls =>
    createCalls(
      memory,
      slotIndex,
      slot,
      gate,
      cache,
      large,
      diagnose,
      mend,
      fullness,
      recoverIfDue,
      samples,
      news,
    );
  const shared = callsBehind(gates.shared);
  // point: attach.reset
  cache.reset();
  shared.rehearse();
  storeThreadId(memory.u32, slot, by.threadId);
  // Poisoned meanwhile, its tops may not be where poison would have them.
  throwIfPoisoned(memory);

  const settling = createSettling(memory, locks, pageHeap, cache, slotIndex);
  const placement = createPlacement(
    memory,
    slot,
    gates.shared,
    shared,
    cache,
    large,
    news,
    settleOwn,
  );
  // Made on demand: as long as one set exists, engines treat its functions as one of a kind.
  let solo: Calls | undefined;
  let attached = true;
  let isLeaving = false;
  let isEmptied = false;

  /** Gives back the lock of an object whose change was cut: others wait for it. The object is whole then. */
  function mendLock(): void {
    const { lock, changing } = marks;
    if (lock === 0) return;
    if (objectLocks.isMine(lock)) {
      changing?.mendLocked();
      objectLocks.release(lock);
    }
    marks.lock = 0;
    changing?.mended();
    marks.changing = null;
  }

  function detach(): void {
    if (!attached) return;
    isLeaving = true;
    // A broken heap keeps what it has: its slot is all that it gets back.
    if (!isPoisoned(memory) && !isEmptied) gates.shared.look(giveAll);
    gates.close();
    shared.close();
    solo?.close();
    // Should this be cut, the next detach goes on from here (I2); from above where a stack was still open.
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
      news.quietly(detach);
    } catch (error) {
      isLeaving = false;
      news.tell();
      throw error;
    }
  }

  /** What recovery does for the dead. */
  function giveAll(): void {
    settleOwn();
    if (endObjects(memory, settling, slotIndex).blocks > 0) {
      freeReserved(memory, locks, pageHeap, slotIndex);
    }
    cache.leave();
  }

  function recoverThread(threadId: number): Recovered {
    reportDeath(memory, numberedWord(threadId));
    return gates.recover(false);
  }

  function copyRuns(looker: Looker): Int32Array {
    looker.acquire(PAGE_LOCK);
    const runs = copyRunsLocked(memory, looker);
    looker.release(PAGE_LOCK);
    return runs;
  }

  /** Looks at what threads share; at what is left of it, where the heap is poisoned. */
  function look<T>(work: (looker: Looker) => T): T {
    gates.checkAttached();
    if (isPoisoned(memory)) return work(POST_MORTEM);
    return news.telling(() => gates.shared.look(() => work(sound)));
  }

  return {
    memory,
    slotIndex,
    shared,
    placement,
    solo() {
      if (solo === undefined) {
        solo = callsBehind(gates.solo);
        if (isEmptied) solo.close();
      }
      return solo;
    },
    objectLocks,
    diagnose: (asked, address) => look((looker) => createDiagnose(memory, looker)(asked, address)),
    recover: () => news.telling(() => gates.recover(false)),
    recoverThread: (threadId) => news.telling(() => recoverThread(threadId)),
    verify: (quiet) => look((looker) => verifyHeap(memory, looker, quiet)),
    eyes: createEyes(memory, look),
    inspect: (address) => look((looker) => inspect(memory, looker, address)),
    runs: () => look(copyRuns),
    isAttached: () => attached,
    isLeaving: () => isLeaving,
    detach: tryToDetach,
    news,
    marks,
    whenCut: gates.whenCut,
    mendIfCut: gates.mendIfCut,
    freeOrphans: (kept) =>
      gates.shared.look(() => {
        freeOrphans(memory, locks, pageHeap, cache, slotIndex, kept);
        freeReserved(memory, locks, pageHeap, slotIndex);
      }, true),
  };
}

/** Ends what an attach of this thread left that was cut: locks, and a slot that nobody uses. */
function endCut(memory: HeapMemory, by: Attacher, claim: Claim, news: News): void {
  const tools = createTools(memory, NO_SLOT, by, news);
  tools.mend.cut(undefined);
  tools.recover(claim.slot);
  claim.slot = -1;
}

function noSlot(memory: HeapMemory, by: Attacher): Error {
  return new HeapError(
    'ERR_SHMALLOC_NO_SLOT',
    `cannot attach thread ${by.threadId}: all ${memory.geometry.threads} thread slots of this ` +
      'heap are taken; make the heap with more `threads`, or detach() threads that are done',
  );
}

/** Claims a slot, from the dead if need be, and waits until no unsafe call is under way. */
function takeSlot(memory: HeapMemory, by: Attacher, claim: Claim, news: News): SlotIndex {
  const me = numberedWord(by.threadId);
  // Tools of a thread without a slot are seldom needed, and not made before.
  const recover = (): Recovered => createTools(memory, NO_SLOT, by, news).recover();
  let slot = claimSlot(memory, me, claim);
  if (slot === -1) {
    // Whatever it finds: another thread may have recovered the dead meanwhile.
    recover();
    slot = claimSlot(memory, me, claim);
  }
  if (slot === -1) throw noSlot(memory, by);
  try {
    awaitSolo(memory, by, recover);
  } catch (error) {
    freeSlot(memory, slot);
    throw error;
  }
  return slot;
}

/** A thread that died in a solo section is recovered; of one that lives the end is waited for. */
function awaitSolo(memory: HeapMemory, by: Attacher, recover: () => Recovered): void {
  let waitedMs = 0;
  for (let last = 0; ; ) {
    const owner = waitForSolo(memory, SOLO_WAIT_MS);
    if (owner === 0) return;
    throwIfPoisoned(memory);
    const look = lookAtHolder(memory, owner, soloWordIndex(memory.geometry.header));
    if (look === NO_SUCH_THREAD) {
      const problem = `the solo word is in the name ${hex(owner)}, which no thread has (names I1)`;
      poison(memory, problem);
      throw new HeapCorruptionError(problem);
    }
    if (look.isAlive === false) recover();
    // By the count of waits: a program may have stopped the clock.
    if (look.isAlive === undefined && owner === last) waitedMs += SOLO_WAIT_MS;
    last = owner;
    if (waitedMs < by.lockTimeoutMs) continue;
    const what = `cannot attach thread ${by.threadId} while a call without _ts is under way`;
    throw lockTimeout(what, owner, look.why, by.lockTimeoutMs);
  }
}
