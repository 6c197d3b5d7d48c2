/**
 * Rules: everything that the crash safety of the heap depends on, each with a switch.
 *
 * Used by all files of the model. With RULES_ON no schedule may break anything; mutants.ts switches
 * each rule off alone and shows that the model finds the hole. The comment of a rule says what it
 * demands, and after "Off:" what a heap without it does.
 */

import { OBJECT_RULES_ON, type ObjectRules } from './object-rules.js';

export interface Rules extends ObjectRules {
  // ---- Identity of threads

  /**
   * A lock word and a slot's claim name the thread: OS thread id and start time.
   * Off: the slot's number ('slot'), or that and a generation ('slot+generation').
   */
  owner: 'thread' | 'slot' | 'slot+generation';
  /** A thread lives if its id and its start time exist. Off: ids alone, which are used again. */
  startTime: boolean;
  /** A rescuer reads the slot's owner again after it saw it dead. Off: it trusts the first look. */
  lookAgain: boolean;

  // ---- One-store commits, source and derived

  /** Tails are derived: page repair writes them anew. Off: it trusts them. */
  tailsRebuilt: boolean;
  /** A run cut short gets its new tail before the commit, the reserve too. Off: not the reserve. */
  reserveTail: boolean;
  /** Page repair joins neighbouring free runs. Off: they stay apart. */
  joinFree: boolean;
  /** The rest that a run cut from the top leaves merges with a free run above. Off: it does not. */
  mergeTopRest: boolean;
  /** The untouched reserve is a run. Off: two frontier words are the source. */
  reserveIsRun: boolean;
  /** Page repair counts mapped pages and runs anew. Off: the counters stay as they were left. */
  recountMapped: boolean;
  /** Class repair counts the class's spans anew. Off: the counter stays as it was left. */
  recountSpans: boolean;
  /** Bitmap and back links are there before SPAN is committed. Off: after. */
  bitmapFirst: boolean;

  // ---- Transit

  /** Closing a transit, and giving back a dead cache, clear tags. Off: stale tags stay. */
  clearTags: boolean;
  /** Held blocks are recounted when a transit is closed. Off: added after it, never recounted. */
  heldRecount: boolean;
  /** No span is released while a transit is open. Off: as soon as its last bit is set. */
  releaseAfterTransit: boolean;
  /** A refill opens its transit before it clears bits. Off: after. */
  transitFirst: boolean;
  /** Class repair releases wholly free spans. Off: it leaves them in the list. */
  releaseInRepair: boolean;
  /** Class repair closes the transits of all slots. Off: of the dead owner's alone. */
  closeAllSlots: boolean;
  /** Class repair closes transits with the page lock. Off: before it acquires the lock. */
  closeUnderPageLock: boolean;
  /**
   * The bits of open transits are set with the page lock held. Off: before it, while the transit
   * itself is closed after. Harmless (setting them again is), so no mutant to be found.
   */
  bitsUnderPageLock: boolean;

  // ---- Commit last, free first

  /** LARGE is committed after the page lock is released. Off: under it. */
  largeCommitLast: boolean;
  /** calloc clears a block that is not committed yet. Off: after the pop. */
  clearFirst: boolean;
  /** realloc copies, frees the old block, commits the new one. Off: new committed, old freed. */
  reallocLast: boolean;
  /** The malloc count goes up before the pop. Off: after. */
  countFirst: boolean;
  /** A free pushes, over the sentinel if need be, then flushes. Off: flushes first. */
  pushFirst: boolean;
  /**
   * A large free begins with LARGE -> RESERVED. Off: with a note in the slot that recovery rolls
   * forward: from any record ('note'), from heads of runs ('note+walk'), and only where the tag is
   * gone ('note+walk+tag').
   */
  largeFree: 'reserved' | 'note' | 'note+walk' | 'note+walk+tag';
  /**
   * A large free commits with the page lock, so that a thread that cannot acquire the lock has
   * freed nothing. Off: before it acquires the lock. Both are safe, so no mutant can be found.
   */
  reserveUnderLock: boolean;
  /** Recovery that is due after a takeover comes before the block's commit. Off: after it. */
  dueBeforeCommit: boolean;
  /** malloc recovers what dead threads hold before it returns 0. Off: it returns 0. */
  recoverBeforeFull: boolean;

  // ---- Sentinels

  /**
   * A limit grows: new sentinel, then limit, then the old sentinel goes. Off: limit, then new
   * sentinel.
   */
  sentinelFirst: boolean;
  /** A second sentinel word stands above the first. Off: only one. */
  secondSentinel: boolean;
  /** A magazine already over its limit is flushed before the next push. Off: pushed over again. */
  flushWhenOver: boolean;
  /** A flush keeps at most half of the blocks. Off: half of the limit, even if that is more. */
  keepHalf: boolean;
  /** Attach writes zero words, sentinels and tops anew. Off: only tops and limits. */
  resetSentinels: boolean;

  // ---- Recovery

  /** Slots are recovered by one thread at a time, under a lock. Off: by any number. */
  recoveryLock: boolean;
  /** Takeover repairs the lock's domain only. Off: recovers the slot at once, locks held. */
  recoverLater: boolean;
  /** A slot is freed by the last store of its recovery. Off: by the first. */
  slotLast: boolean;
  /** Recovery of a slot takes every class lock. Off: skips classes with nothing cached. */
  allClasses: boolean;
  /** RESERVED runs are found by a walk over heads. Off: by scanning all records. */
  walkForReserved: boolean;
  /** verify takes class locks, then the page lock. Off: the other way round. */
  verifyRising: boolean;

  // ---- Instrumented heaps

  /** A record is PENDING before its block is committed. Off: after. */
  recordFirst: boolean;
  /**
   * A record becomes NONE before PENDING. Off: not. For readers only, so no mutant can be found.
   */
  noneFirst: boolean;
  /** realloc makes the new block LIVE after the old one is given up. Off: before it is claimed. */
  liveLast: boolean;
  /** A free claims its block before it gives it up. Off: after. */
  claimFirst: boolean;
  /** A claim is one atomic operation (`strict`). Off: a look, then a store: see double frees. */
  strictClaim: boolean;
  /** A block is in the queue before it leaves it. Off: if nothing is held back, it never is. */
  queueFirst: boolean;
  /** An error when a block leaves the quarantine is not thrown. Off: it is. */
  quietRelease: boolean;
  /**
   * A thread that cannot empty its quarantine stays attached. Off: it detaches, and forgets the
   * rest.
   */
  drainFirst: boolean;
  /** Recovery looks for orphans after the dead magazines are empty. Off: before that. */
  sweepAfterFlush: boolean;
  /** Recovery takes only blocks of the dead slot. Off: all that are FREED or PENDING. */
  sweepOwn: boolean;
  /** Recovery takes only blocks with a tag. Off: those without one, too. */
  sweepTagged: boolean;
  /** Recovery takes PENDING blocks, too. Off: only FREED ones. */
  sweepPending: boolean;
  /** A small orphan is pushed, then untagged. Off: untagged, then pushed. */
  untagLast: boolean;
  /** A magazine that orphans fill is flushed on the way. Off: never before the end. */
  flushOnTheWay: boolean;
  /** A large orphan becomes RESERVED, then it is untagged. Off: the other way round. */
  orphanReserved: boolean;

  // ---- Errors

  /** Stack is probed before the first lock. Off: an overflow strikes anywhere in a section. */
  headroom: boolean;
  /** A section that throws repairs what it owns. Off: it does not. */
  selfRepair: boolean;
  /** Self-repair frees the runs that the slot has RESERVED. Off: they stay RESERVED. */
  selfFree: boolean;
  /** Self-repair keeps the run that realloc will commit next. Off: it frees that run, too. */
  keepTarget: boolean;
  // ---- Cut calls of living threads

  /**
   * A section has a mark, and a thread that finds its own mark repairs. Off: it does not repair.
   */
  repairSection: boolean;
  /** Repair has a mark of its own. Off: it only has the marks that it found. */
  markRepair: boolean;
  /** A run that is to be committed has a mark. Off: it has none. */
  repairRun: boolean;
  /** The lock of an object has a mark. Off: it has none, and stays locked. */
  repairLock: boolean;
  /** A change of contexts or chunks has a mark. Off: half-made records stay. */
  repairTables: boolean;
  /** A call of an instrumented heap has a mark. Off: its blocks stay where they are. */
  repairOpen: boolean;
  /** A thread resolves its own intent like a dead thread's. Off: the intent stays open. */
  repairIntent: boolean;
  /** Room is made to resolve it. Off: frees since the cut may have used up the room. */
  roomToRepair: boolean;
  /** A magazine is parked during a transit. Off: its owner's fast paths use it. */
  parkTransit: boolean;

  /** An error after a free's commit is repaired and not thrown. Off: thrown. */
  silentAfterCommit: boolean;
  /** A takeover whose repair throws leaves the lock word to a dead thread. Off: keeps the lock. */
  failedTakeoverReturns: boolean;
  /**
   * Such a takeover leaves a page lock of the class's repair likewise. Off: it releases that lock.
   */
  pageLockReturns: boolean;
  /** No call between the stores of the fast path. On (the mutant): an overflow strikes there. */
  fastCalls: boolean;
  /** On (a mutant): self-repair has no stack to run on, either. */
  throwInHandler: boolean;
}

export const RULES_ON: Readonly<Rules> = {
  ...OBJECT_RULES_ON,
  owner: 'thread',
  startTime: true,
  lookAgain: true,
  tailsRebuilt: true,
  reserveTail: true,
  joinFree: true,
  mergeTopRest: true,
  reserveIsRun: true,
  recountMapped: true,
  recountSpans: true,
  bitmapFirst: true,
  clearTags: true,
  heldRecount: true,
  releaseAfterTransit: true,
  transitFirst: true,
  releaseInRepair: true,
  closeAllSlots: true,
  closeUnderPageLock: true,
  bitsUnderPageLock: true,
  largeCommitLast: true,
  clearFirst: true,
  reallocLast: true,
  countFirst: true,
  pushFirst: true,
  largeFree: 'reserved',
  reserveUnderLock: true,
  dueBeforeCommit: true,
  recoverBeforeFull: true,
  sentinelFirst: true,
  secondSentinel: true,
  flushWhenOver: true,
  keepHalf: true,
  resetSentinels: true,
  recoveryLock: true,
  recoverLater: true,
  slotLast: true,
  allClasses: true,
  walkForReserved: true,
  verifyRising: true,
  recordFirst: true,
  noneFirst: true,
  liveLast: true,
  claimFirst: true,
  strictClaim: true,
  queueFirst: true,
  quietRelease: true,
  drainFirst: true,
  sweepAfterFlush: true,
  sweepOwn: true,
  sweepTagged: true,
  sweepPending: true,
  untagLast: true,
  flushOnTheWay: true,
  orphanReserved: true,
  headroom: true,
  repairSection: true,
  markRepair: true,
  repairRun: true,
  repairLock: true,
  repairTables: true,
  repairOpen: true,
  repairIntent: true,
  roomToRepair: true,
  parkTransit: true,
  selfRepair: true,
  selfFree: true,
  keepTarget: true,
  silentAfterCommit: true,
  failedTakeoverReturns: true,
  pageLockReturns: true,
  fastCalls: false,
  throwInHandler: false,
};
