/**
 * Rules of placement and of what rests on it: contexts, vectors. See rules.ts.
 */

export interface ObjectRules {
  // ---- placement

  /** The intent stands before the new block leaves its magazine. Off: after. */
  intentFirst: boolean;
  /** The word gets the new block while the intent stands. Off: when it is done. */
  publishInIntent: boolean;
  /** The new block is committed before the word gets it. Off: after. */
  publishLast: boolean;
  /** The magazine has room for the old block before the intent. Off: it is flushed while it stands. */
  roomFirst: boolean;
  /** An old run is RESERVED, the intent done, then the pages go. Off: they go, then it is done. */
  retractFirst: boolean;
  /** The tag says OWNED before the block leaves its magazine. Off: its class, and OWNED after that. */
  ownedAtOnce: boolean;
  /** Recovery's sweep by records leaves OWNED blocks. Off: it looks at their old records. */
  sweepPrograms: boolean;
  /** Before anything can fail, the intent forgets word and new block. Off: it names them still. */
  detachIntent: boolean;
  /** What fails after the publish is not thrown. Off: it is. */
  quietPlacement: boolean;
  /** Self repair closes an intent before it frees the run that it names. Off: it does not. */
  forgetRetracted: boolean;

  // ---- recovery

  /** A dead slot's intent is resolved before its magazines are given back. Off: after. */
  resolveFirst: boolean;
  /** What ended objects leave in the dead magazines is given back. Off: it stays there. */
  flushObjects: boolean;

  // ---- contexts

  /** A chunk record is taken before its block is placed. Off: after. */
  chunkFirst: boolean;
  /** A chunk record is free when its block is given back. Off: before. */
  chunkLast: boolean;
  /** Recovery gives chunks back, then the record of their context. Off: the record first. */
  chunksFirst: boolean;
  /** Recovery ends the deepest contexts first. Off: roots first. */
  childrenFirst: boolean;
  /** A context is of the slot in its root's state. Off: of that in its own. */
  ownerByRoot: boolean;
  /** A context that ends is UNRESOLVED, then it has no parent. Off: the other way round. */
  dyingFirst: boolean;
  /** A child that becomes a root gets its slot, then it has no parent. Off: the other way round. */
  parentLast: boolean;
  /** Recovery reads a record's parent, then its state. Off: the other way round. */
  parentThenState: boolean;
  /** adopt is one compare-and-swap. Off: a look, then a store. */
  adoptSwaps: boolean;
  /** ... and what it compares has a generation. Off: it looks at the phase alone. */
  generationInState: boolean;

  /** Recovery takes a shared chunk out with its lock. Off: without. */
  lockShared: boolean;
  /** ... and resolves what a dead holder of that lock was placing. Off: it takes the lock over. */
  resolveHolder: boolean;
  /** Who has waited for a shared chunk sees by its generation that it is gone. Off: not. */
  chunkGeneration: boolean;
  /** Recovery has that lock in the dead owner's name. Off: in its own. */
  lockInDeadName: boolean;

  // ---- vectors

  /** A new vector leaves the in-flight header when it has its storage. Off: before. */
  inFlightHeaderLast: boolean;
  /** A vector's storage goes before its header. Off: recovery gives back the header alone. */
  storageFirst: boolean;
  /** A vector's lock is taken from a dead owner when its slot is recovered. Off: at once. */
  recoverBeforeTakeover: boolean;
}

export const OBJECT_RULES_ON: Readonly<ObjectRules> = {
  intentFirst: true,
  publishInIntent: true,
  publishLast: true,
  roomFirst: true,
  retractFirst: true,
  ownedAtOnce: true,
  sweepPrograms: true,
  detachIntent: true,
  quietPlacement: true,
  forgetRetracted: true,
  resolveFirst: true,
  flushObjects: true,
  chunkFirst: true,
  chunkLast: true,
  chunksFirst: true,
  childrenFirst: true,
  ownerByRoot: true,
  dyingFirst: true,
  parentLast: true,
  parentThenState: true,
  adoptSwaps: true,
  generationInState: true,
  lockShared: true,
  resolveHolder: true,
  chunkGeneration: true,
  lockInDeadName: true,
  inFlightHeaderLast: true,
  storageFirst: true,
  recoverBeforeTakeover: true,
};
