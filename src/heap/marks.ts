/**
 * Marks: what a thread is in the middle of, so that it notices when that never ended.
 *
 * One set per attachment; written by section.ts, large.ts, sync/object-locks.ts and contexts/, read by
 * section.ts. Owner thread only: these are plain fields of its own, and cost a store each.
 *
 * V8 can cut a call of a thread that lives on: `vm` with `timeout` or `breakOnSigint`, Ctrl-C at the
 * REPL. No catch runs and no finally. What is cut is left as a death would leave it, since both strike at
 * the same places: where a function begins, where a loop comes round, in Atomics.wait. Nothing in between
 * is cut, so straight stores without a call all happen or none does.
 *
 * I1  A mark is set before the first store that it stands for, and taken back after the last. None of the
 *     program's code runs in between. So who comes in and finds one set comes after a cut.
 * I2  Sections do not nest; one may lie within a change of an object (`nested`), none the other way round.
 */

export interface Marks {
  /** A section is open: this thread may hold locks, and have a transit open. */
  section: boolean;
  /** A run is RESERVED, for the commit that follows its section. */
  run: boolean;
  /** Word of the object lock that this thread has, or is about to have or to give back; 0 = none. */
  lock: number;
  /** What has that lock, where it can be made whole again. */
  changing: Changing | null;
  /** Contexts or their chunks are being changed. */
  tables: boolean;
  /** What comes now is part of a change of an object, though it takes the way of the program's calls. */
  nested: boolean;
}

/** An object that is changed under an object lock. */
export interface Changing {
  /** Its change was cut: makes it whole. The lock is still held. */
  repairLocked(): void;
}

export const noMarks = (): Marks => ({
  section: false,
  run: false,
  lock: 0,
  changing: null,
  tables: false,
  nested: false,
});
