/**
 * Rules of placement, and of contexts and vectors, which rest on it. See rules.ts.
 */

export interface ObjectRules {
  // ---- Placement

  /** The intent is stored before the new block leaves its magazine. Off: after. */
  intentFirst: boolean;
  /** The word gets the new block while the intent is open. Off: after it is closed. */
  publishInIntent: boolean;
  /** The new block is committed before the word gets it. Off: after. */
  publishLast: boolean;
  /**
   * The magazine has room for the old block before the intent. Off: it is flushed during the
   * intent.
   */
  roomFirst: boolean;
  /** An old run is RESERVED, the intent closed, then the pages freed. Off: freed, then closed. */
  retractFirst: boolean;
  /**
   * The tag says OWNED before the block leaves its magazine. Off: its class, and OWNED after that.
   */
  ownedAtOnce: boolean;
  /** Recovery's sweep by records skips OWNED blocks. Off: it reads their outdated records. */
  sweepPrograms: boolean;
  /** Before a step that can fail, the intent forgets word and new block. Off: it keeps them. */
  detachIntent: boolean;
  /** An error after the publish is not thrown. Off: it is. */
  quietPlacement: boolean;
  /**
   * Self-repair closes an intent before it frees the run that the intent names. Off: it does not.
   */
  forgetRetracted: boolean;

  // ---- Recovery

  /** A dead slot's intent is resolved before its magazines are given back. Off: after. */
  resolveFirst: boolean;
  /** Blocks of ended objects in the dead magazines are given back. Off: they stay there. */
  flushObjects: boolean;

  // ---- Contexts

  /** A chunk record is taken before its block is placed. Off: after. */
  chunkFirst: boolean;
  /** A chunk record is freed after its block is given back. Off: before. */
  chunkLast: boolean;
  /** Recovery gives chunks back, then the record of their context. Off: the record first. */
  chunksFirst: boolean;
  /** Recovery ends the deepest contexts first. Off: roots first. */
  childrenFirst: boolean;
  /** A context belongs to the slot in its root's state. Off: to the slot in its own state. */
  ownerByRoot: boolean;
  /** A context that ends becomes UNRESOLVED, then loses its parent. Off: the other way round. */
  dyingFirst: boolean;
  /** A child that becomes a root gets its slot, then loses its parent. Off: the other way round. */
  parentLast: boolean;
  /** Recovery reads a record's parent, then its state. Off: the other way round. */
  parentThenState: boolean;
  /** adopt is one compare-and-swap. Off: a look, then a store. */
  adoptSwaps: boolean;
  /** The state that adopt compares has a generation. Off: adopt compares the phase alone. */
  generationInState: boolean;

  // ---- Vectors

  /** A new vector leaves the in-flight header after it has its storage. Off: before. */
  inFlightHeaderLast: boolean;
  /**
   * A vector's storage is given back before its header. Off: recovery gives back the header alone.
   */
  storageFirst: boolean;
  /** A vector's lock is taken over after the dead owner's slot is recovered. Off: at once. */
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
  inFlightHeaderLast: true,
  storageFirst: true,
  recoverBeforeTakeover: true,
};
