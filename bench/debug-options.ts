/**
 * The cost of each debug option: micro scenarios on a heap with only that option.
 *
 * Options are set by environment variables, as a user would; the program is the same. Models the
 * calls alone: a whole program loses less, in proportion to its work between calls. Does not show
 * memory: see docs/debugging.md.
 */

import type { MicroResult } from './bodies.js';
import type { Part, Setting } from './part.js';
import { runNode } from './processes.js';
import type { Section } from './section.js';
import { median, ratios, spread } from './statistics.js';
import { short, within } from './tables.js';

const MICRO = new URL('./micro.js', import.meta.url);

/** Number of warm-up bodies: 2,000 rounds each, which take 70 milliseconds with call stacks. */
const WARM_UP_BODIES = { smoke: '2', full: '20' };

/** The measured options, by the variables that are set. */
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

type Cost = readonly [option: string, pair: readonly number[], replace: readonly number[]];

const FULL_MS = 250;
const SMOKE_MS = 10;
/** Maximum rounds: costs of several times the base need no more. */
const ROUNDS_MAX = 3;

export const options: Part = {
  name: 'options',
  about: 'what each debug option costs',
  measure,
};

function measure({ smoke, rounds, tell }: Setting): Section[] {
  tell('debug options');
  const costs = measureOptions(
    Math.min(rounds, ROUNDS_MAX),
    smoke ? SMOKE_MS : FULL_MS,
    WARM_UP_BODIES[smoke ? 'smoke' : 'full'],
  );
  const [none] = costs;
  const times = (of: readonly number[], plain: readonly number[] | undefined) =>
    `${short(median(ratios(of, plain ?? [])))} times`;
  return [
    {
      title: 'debug options, ns a round, and times the round without any',
      columns: ['option', 'pair 64 B', '', 'replace', ''],
      rows: costs.map(([option, pair, replace]) => [
        option,
        within(median(pair), spread(pair)),
        times(pair, none?.[1]),
        within(median(replace), spread(replace)),
        times(replace, none?.[2]),
      ]),
      notes: [],
    },
  ];
}

/** Times by round; options take turns. */
function measureOptions(rounds: number, milliseconds: number, warmUp: string): Cost[] {
  const all = Object.entries(CASES);
  const costs = all.map(([option]): [string, number[], number[]] => [option, [], []]);
  for (let round = 0; round < rounds; round++) {
    all.forEach(([, variables], n) => {
      const ns = (scenario: string, size: number): number =>
        runNode<MicroResult>(
          MICRO,
          [scenario, String(size), String(milliseconds), warmUp],
          variables,
        ).ns;
      costs[n]?.[1].push(ns('pair', 64));
      costs[n]?.[2].push(ns('replace', 0));
    });
  }
  return costs;
}
