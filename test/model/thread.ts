/**
 * A thread of the model: a program that stops before every store, and the thread's own state.
 *
 * I1  A dead thread takes no further step; only its words in the world are left of it.
 * I2  An error is thrown into a thread only where one can arise: see canThrow.
 */

import { isStraight, type PointName, type Step } from './points.js';
import { WAITERS } from './words.js';
import { CUT, INTERRUPT, type World } from './world.js';

/** A lock word that must change, or a condition that another thread makes true. */
export type Wait =
  | { readonly lock: number; readonly word: number }
  | { readonly until: () => boolean };

export type Program = (thread: Thread) => Step<void>;

/** Fast paths: straight stores with no call between them, so nothing throws there. */
const STRAIGHT: ReadonlySet<PointName> = new Set<PointName>([
  'pop.tag',
  'pop.count',
  'pop.top',
  'push.entry',
  'push.top',
  'push.untag',
]);

/** The thread's marks of what it is in the middle of: plain fields of its own, as heap/marks.ts. */
export interface Marks {
  /** True while a section is open. */
  section: boolean;
  /** The run that is RESERVED for the commit after its section. */
  run: boolean;
  /** Where in the data the lock is of the vector that the thread changes; 0 = none. */
  lock: number;
  /** True while contexts or chunks are being changed. */
  tables: boolean;
  /** True during a call of an instrumented heap. */
  open: boolean;
}

/** The state of a thread that a copy of the world keeps, while the thread is in no section. */
export interface Identity {
  readonly own: number;
  readonly word: number;
  readonly slot: number;
  readonly attached: boolean;
  readonly quarantine: readonly number[];
}

export class Thread {
  readonly world: World;
  /** OS thread id and start time: different for every thread. */
  readonly own: number;
  /** The thread word that it writes into lock words. */
  word: number;
  slot = -1;
  attached = false;
  /** The locks that it owns, in the order in which it acquired them. */
  held: number[] = [];
  /** True after a takeover from a dead thread: slots are to be recovered. */
  due = false;
  /** Number of sections that it is in. */
  sections = 0;
  /** True in code that must get no error: self-repair, restoring a lock word. */
  handling = 0;
  /** Head of a run that it will commit even after an error; 0 = none. */
  keep = 0;
  /** Freed blocks that it holds back, oldest first. Lost if it dies. */
  quarantine: number[] = [];
  readonly marks: Marks = { section: false, run: false, lock: 0, tables: false, open: false };
  /** Ghost: true while it is in a call that can be cut. */
  mayBeCut = false;
  isCalling = false;
  /** Ghost: the vector that it is growing, 0 = none. */
  using = 0;
  /** Ghost: true if its current free has been committed. */
  freed = false;
  wait: Wait | null = null;
  dead = false;
  done = false;
  /** The point before its next store. */
  last: PointName = 'start';
  private readonly steps: Step<void>;

  constructor(world: World, born: number | Identity, program: Program) {
    this.world = world;
    if (typeof born === 'number') {
      this.own = world.bear(born);
      this.word = this.own;
    } else {
      this.own = born.own;
      this.word = born.word;
      this.slot = born.slot;
      this.attached = born.attached;
      this.quarantine = [...born.quarantine];
    }
    this.steps = program(this);
  }

  get identity(): Identity {
    const { own, word, slot, attached, quarantine } = this;
    return { own, word, slot, attached, quarantine: [...quarantine] };
  }

  get over(): boolean {
    return this.dead || this.done;
  }

  /** True if it can go on. A wait with a time limit goes on once there is something to see. */
  get enabled(): boolean {
    if (this.over) return false;
    const { wait, world } = this;
    if (wait === null) return true;
    if ('until' in wait) return wait.until();
    if (world.lock[wait.lock] !== wait.word) return true;
    // A lock that was handed over has no owner to look for: a thread that has waited takes it.
    if (wait.word === WAITERS) return true;
    return !world.exists(world.lockOwner[wait.lock]);
  }

  step(): void {
    this.after(this.steps.next());
  }

  throwInto(): void {
    this.world.stats.throws++;
    this.wait = null;
    this.after(this.steps.throw(INTERRUPT));
  }

  /** Cuts its call; its program goes on with the next call. */
  cut(): void {
    this.world.stats.cuts++;
    this.wait = null;
    this.sections = 0;
    this.handling = 0;
    this.keep = 0;
    this.using = 0;
    this.after(this.steps.throw(CUT));
  }

  get canCut(): boolean {
    return this.isCalling && !isStraight(this.last);
  }

  kill(): void {
    this.dead = true;
    this.world.end(this.own);
    this.world.stats.kills++;
  }

  /** True if an error may strike at its point: `anywhere` in a section, or only at the stack probe. */
  canThrow(anywhere: boolean): boolean {
    const { rules } = this.world;
    if (this.handling > 0) return rules.throwInHandler;
    if (this.last === 'probe') return true;
    if (STRAIGHT.has(this.last)) return rules.fastCalls;
    return this.sections > 0 && (anywhere || !rules.headroom);
  }

  private after(result: IteratorResult<PointName, void>): void {
    if (result.done === true) {
      this.done = true;
      this.world.end(this.own);
    } else {
      this.last = result.value;
      this.world.coverage?.add(result.value);
    }
  }
}

/** Waits until a condition holds: a step of programs and of attach, not of the heap. */
export function* waitUntil(thread: Thread, point: PointName, until: () => boolean): Step<void> {
  thread.wait = { until };
  yield point;
  thread.wait = null;
}
