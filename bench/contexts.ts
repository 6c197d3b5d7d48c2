/**
 * Memory contexts beside blocks that are allocated and freed one by one: what an object costs, what a
 * context does, and what its end takes.
 *
 * Part of main.ts. Models a request that allocates 2,000 objects of 64 bytes in a context of its own,
 * chunks included, and one that leaves 100,000 behind. Does not show what the program does with its
 * objects: those of a context lie side by side, and their memory is another one each time until it
 * comes back from the heap; nor other threads, or contexts with children and callbacks.
 */

import type { MicroResult } from './bodies.js';
import type { ContextScenario } from './context-calls.js';
import { runNode } from './native.js';

const CALLS = new URL('./context-calls.js', import.meta.url);
const OBJECT_BYTES = '64';

/** A body with this many objects takes milliseconds. */
const BODIES_OF_MANY = '20';

/** What is measured; what it is compared with; how it should be to that. */
const CASES: readonly [
  name: string,
  scenario: ContextScenario,
  peer: ContextScenario | null,
  ratioMax: number | null,
][] = [
  ['malloc_ts', 'malloc', null, null],
  ['bump malloc', 'malloc-bump', 'malloc', 0.5],
  ['bump malloc after a reset', 'malloc-again', 'malloc', 0.5],
  ['set malloc', 'malloc-set', 'malloc', null],
  ['create + end', 'create-end', null, null],
  ['create + one object + end', 'create-use-end', null, null],
  ['one object + reset', 'use-reset', null, null],
  ['100,000 frees', 'free-many', null, null],
  ['end of 100,000 objects, bump', 'end-bump', 'free-many', 1 / 50],
  ['end of 100,000 objects, set', 'end-set', 'free-many', null],
];

export interface ContextCost {
  readonly name: string;
  /** Nanoseconds: of an object, a context, or of all that ends. */
  readonly ns: number;
  /** Times what it is compared with; null = nothing. */
  readonly ratio: number | null;
  readonly ratioMax: number | null;
}

/** Best of the rounds' medians; scenarios take turns. */
export function measureContexts(rounds: number, milliseconds: number): ContextCost[] {
  const least = new Map<ContextScenario, number>();
  for (let round = 0; round < rounds; round++) {
    for (const [, scenario] of CASES) {
      const { ns } = runNode<MicroResult>(CALLS, [
        scenario,
        OBJECT_BYTES,
        String(milliseconds),
        BODIES_OF_MANY,
      ]);
      least.set(scenario, Math.min(least.get(scenario) ?? Number.POSITIVE_INFINITY, ns));
    }
  }
  const nsOf = (scenario: ContextScenario): number => least.get(scenario) ?? Number.NaN;
  return CASES.map(([name, scenario, peer, ratioMax]) => ({
    name,
    ns: nsOf(scenario),
    ratio: peer === null ? null : nsOf(scenario) / nsOf(peer),
    ratioMax,
  }));
}
