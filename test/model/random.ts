/**
 * Chance: the random numbers of a seed, and the options of its run.
 *
 * I1  The same seed gives the same run everywhere.
 */

/** A small random generator, so that a seed means the same run everywhere. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed, 2654435761) + 12345) >>> 0;
    for (let n = 0; n < 4; n++) this.word();
  }

  word(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  below(bound: number): number {
    return this.word() % bound;
  }

  chance(probability: number): boolean {
    return this.word() < probability * 2 ** 32;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }
}

/** The options of a run; an option that is left out is drawn from the seed. */
export interface Options {
  readonly pages?: number;
  readonly slots?: number;
  readonly workers?: number;
  /** Number of calls of each worker, and of the main thread at first. */
  readonly calls?: number;
  readonly mainCalls?: number;
  readonly kills?: number;
  /** Probability that an error strikes at a place where one can. */
  readonly throws?: number;
  /** True if errors strike anywhere in a section, not only at the stack probe. */
  readonly anywhere?: boolean;
  /** Probability that a call is cut at a point where one can be. */
  readonly cuts?: number;
  /** True if new threads always get the OS thread id of a dead one. */
  readonly reuseIds?: boolean;
  /** True if the main thread attaches after a while, or after another thread has ended. */
  readonly lateMain?: boolean;
  /** True if half of all calls are recoveries, checks, or detach and attach. */
  readonly churn?: boolean;
  readonly limitStart?: number;
  readonly limitMax?: number;
  /** Freed blocks that each thread holds back, in an instrumented heap; -1 = a plain heap. */
  readonly quarantine?: number;
  /** True if programs also use contexts and vectors. */
  readonly objects?: boolean;
}

/** Options with all values set: drawn from the seed, and sometimes of a special kind. */
export function complete(random: Random, options: Options): Required<Options> {
  const kind = random.below(20);
  // With few slots, attach has to recover or wait before it gets one.
  const crowded = kind < 2;
  return {
    pages: 8 + 2 * random.below(3),
    slots: crowded ? 2 : 4,
    workers: 2 + random.below(2),
    calls: 2 + random.below(8),
    mainCalls: 2,
    kills: random.below(4),
    throws: 0,
    anywhere: false,
    cuts: 0,
    reuseIds: kind === 3,
    lateMain: kind === 2,
    churn: kind === 4,
    limitStart: random.chance(0.7) ? 1 : 2,
    limitMax: random.pick([2, 2, 2, 4, 8]),
    quarantine: -1,
    objects: false,
    ...options,
  };
}
