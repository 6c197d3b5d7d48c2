/**
 * Rounds: each contestant runs once in a round, so that a slow minute of the machine affects all.
 */

import { ProcessFailure } from './processes.js';
import type { Timing } from './section.js';
import { median } from './statistics.js';

/** The result that every run has. */
export interface Run {
  /** Nanoseconds an operation. */
  readonly ns: number;
  readonly footprintBytes?: number;
}

/** An allocator in a setting: one of those that take turns. */
export interface Contestant<Result extends Run = Run> {
  readonly allocator: string;
  run(): Result;
  /** Whether it may fail, or exceed its limit. The table says so then, and the run continues. */
  readonly mayFail?: boolean;
}

/** Maximum milliseconds of a run that may fail, to be repeated: a slower one runs once only. */
const PATIENCE_MS = 2000;

export type Measured<Result> = Pick<Timing, 'allocator' | 'ns' | 'absent' | 'footprintBytes'> & {
  readonly results: readonly Result[];
};

export function takeTurns<Result extends Run>(
  rounds: number,
  contestants: readonly Contestant<Result>[],
): Measured<Result>[] {
  const results = contestants.map((): Result[] => []);
  const absent = new Map<number, string>();
  const slow = new Set<number>();
  for (let round = 0; round < rounds; round++) {
    contestants.forEach(({ run, mayFail = false }, n) => {
      if (absent.has(n) || slow.has(n)) return;
      const started = performance.now();
      try {
        results[n]?.push(run());
      } catch (error) {
        if (!mayFail || !(error instanceof ProcessFailure)) throw error;
        absent.set(n, error.short);
      }
      if (mayFail && performance.now() - started > PATIENCE_MS) slow.add(n);
    });
  }
  return contestants.map(({ allocator }, n) => {
    const found = results[n] as Result[];
    const footprints = found.flatMap(({ footprintBytes }) => footprintBytes ?? []);
    const why = found.length === 0 ? absent.get(n) : undefined;
    return {
      allocator,
      ns: found.map(({ ns }) => ns),
      results: found,
      ...(why !== undefined && { absent: why }),
      ...(footprints.length > 0 && { footprintBytes: median(footprints) }),
    };
  });
}
