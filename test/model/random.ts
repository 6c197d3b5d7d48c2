/**
 * Chance: the numbers that a seed gives, and what it makes of a random run.
 *
 * I1  The same seed gives the same run everywhere.
 */

/** A small generator of its own, so that seeds mean the same everywhere. */
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

/** What a run is like; what is left out is drawn from the seed. */
export interface Options {
  readonly pages?: number;
  readonly slots?: number;
  readonly workers?: number;
  /** Calls of each worker, and of the main thread at first. */
  readonly calls?: number;
  readonly mainCalls?: number;
  readonly kills?: number;
  /** Probability that an error strikes where one can. */
  readonly throws?: number;
  /** Errors strike anywhere in a section, not only at the stack probe. */
  readonly anywhere?: boolean;
  /** Probability that a call is cut at a point where one can be. */
  readonly cuts?: number;
  /** New threads always get the OS thread id of one that ended. */
  readonly reuseIds?: boolean;
  /** The main thread attaches after a while, or after another has ended. */
  readonly lateMain?: boolean;
  /** Half of all calls are recoveries, checks, or detach and attach. */
  readonly churn?: boolean;
  readonly limitStart?: number;
  readonly limitMax?: number;
  /** The heap is instrumented, and holds so many freed blocks of a thread back; -1 = it is not. */
  readonly quarantine?: number;
  /** Programs use contexts and vectors, too. */
  readonly objects?: boolean;
}

/** Options with nothing left open: drawn from the seed, and now and then of a special kind. */
export function complete(random: Random, options: Options): Required<Options> {
  const kind = random.below(20);
  // Few slots: attach has to recover, or to wait, before it gets one.
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
