/**
 * A thread of the model: a program that stops before every store, and what the thread knows.
 *
 * I1  A dead thread takes no further step; only its words in the world are left of it.
 * I2  An error is thrown into a thread only where one can arise: see canThrow.
 */

import { isStraight, type PointName, type Step } from './points.js';
import { WAITERS } from './words.js';
import { CUT, INTERRUPT, type World } from './world.js';

/** Either a lock word to change, or a condition that some other thread brings about. */
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

/** What a thread is in the middle of: plain fields of its own, as heap/marks.ts. */
export interface Marks {
  /** A section is open. */
  section: boolean;
  /** A run is RESERVED, for the commit that follows its section. */
  run: boolean;
  /** The lock of an object that it has, or is about to have. */
  lock: { readonly words: Int32Array; readonly at: number } | null;
  /** Contexts or chunks are being changed. */
  tables: boolean;
  /** A call of an instrumented heap is under way. */
  open: boolean;
}

/** What of a thread outlives a copy of the world, while it is in no section. */
export interface Identity {
  readonly own: number;
  readonly word: number;
  readonly slot: number;
  readonly attached: boolean;
  readonly quarantine: readonly number[];
}

export class Thread {
  readonly world: World;
  /** OS thread id and start time: unlike any other thread's, ever. */
  readonly own: number;
  /** What it writes into lock words. */
  word: number;
  slot = -1;
  attached = false;
  /** Locks it knows to hold, in the order in which it took them. */
  held: number[] = [];
  /** It took a lock from a dead thread: slots are to be recovered. */
  due = false;
  /** How many sections it is in. */
  sections = 0;
  /** In code that must not be thrown into: self repair, giving a lock word back. */
  handling = 0;
  /** Head of a run that it will commit, whatever else fails; 0 = none. */
  keep = 0;
  /** Blocks that it has freed and holds back, oldest first. Lost when it dies. */
  quarantine: number[] = [];
  readonly marks: Marks = { section: false, run: false, lock: null, tables: false, open: false };
  /** Ghost: its calls are such that they can be cut, and it is in one of them. */
  mayBeCut = false;
  isCalling = false;
  /** Ghost: has it left a dead slot for another recovery? */
  postponed = false;
  /** Ghost: the vector that it is growing, 0 = none. */
  using = 0;
  /** Ghost: has the free that it is in been committed? */
  freed = false;
  wait: Wait | null = null;
  dead = false;
  done = false;
  /** The point before which it stands. */
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

  /** Could it go on? One that waits with a time limit does so when there is something to see. */
  get enabled(): boolean {
    if (this.over) return false;
    const { wait, world } = this;
    if (wait === null) return true;
    if ('until' in wait) return wait.until();
    if (world.lock[wait.lock] !== wait.word) return true;
    // Of one that was handed over nobody is looked for: who has waited takes it.
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

  /** Its call ends here, and its program goes on with the next one. */
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

  /** May an error strike where it stands? `anywhere` in a section, or only at the stack probe. */
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
