/**
 * What each debug option costs: micro scenarios on a heap with that option alone.
 *
 * Part of main.ts. Options are given by environment variables, as a user would; the program is the
 * same. Models the calls alone: what a whole program loses is less, by as much as it does between
 * them. Does not show memory: see docs/debugging.md.
 */

import type { MicroResult } from './bodies.js';
import { runNode } from './native.js';

const MICRO = new URL('./micro.js', import.meta.url);

/** A body is 2,000 rounds, which with call stacks take 70 milliseconds. */
const WARM_UP_BODIES = '20';

/** What is measured, by the variables that are set. */
const CASES: Readonly<Record<string, Record<string, string>>> = {
  none: {},
  leaks: { SHMALLOC_LEAKS: '1' },
  onError: { SHMALLOC_ON_ERROR: 'warn' },
  strict: { SHMALLOC_STRICT: '1' },
  scribble: { SHMALLOC_SCRIBBLE: '1' },
  preScribble: { SHMALLOC_PRESCRIBBLE: '1' },
  guard: { SHMALLOC_GUARD: '16' },
  quarantine: { SHMALLOC_QUARANTINE: '1MiB' },
  'quarantine, scribble': { SHMALLOC_QUARANTINE: '1MiB', SHMALLOC_SCRIBBLE: '1' },
  history: { SHMALLOC_HISTORY: '1000' },
  'stacks, every call': { SHMALLOC_HISTORY: '1000', SHMALLOC_STACKS: '8' },
  'stacks, every 100th': { SHMALLOC_HISTORY: '1000', SHMALLOC_STACKS: '8,100' },
  direct: { SHMALLOC_DIRECT: '1' },
  'check each 1,000': { SHMALLOC_CHECK_EACH: '1000' },
};

/** Nanoseconds of a round of each scenario, by option. */
export interface OptionCost {
  readonly option: string;
  readonly pair: number;
  readonly replace: number;
}

/** Best of the rounds' medians; options take turns. */
export function measureOptions(rounds: number, milliseconds: number): OptionCost[] {
  const least = new Map<string, OptionCost>();
  for (let round = 0; round < rounds; round++) {
    for (const [option, variables] of Object.entries(CASES)) {
      const ns = (scenario: string, size: number): number =>
        runNode<MicroResult>(
          MICRO,
          [scenario, String(size), String(milliseconds), WARM_UP_BODIES],
          variables,
        ).ns;
      const before = least.get(option);
      least.set(option, {
        option,
        pair: Math.min(before?.pair ?? Number.POSITIVE_INFINITY, ns('pair', 64)),
        replace: Math.min(before?.replace ?? Number.POSITIVE_INFINITY, ns('replace', 0)),
      });
    }
  }
  return [...least.values()];
}
