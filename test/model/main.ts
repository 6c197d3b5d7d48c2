/**
 * Command line of the model: runs it in one of several ways, and prints the findings.
 *
 * Exit code 1 after any violation, a mutant that is not found, or arguments that it does not
 * understand.
 */

import { type Cut, explore, type Found, replay } from './exhaustive.js';
import { interleave } from './interleave.js';
import { findMutant, HARMLESS, MUTANTS } from './mutants.js';
import { MODEL_ONLY, MUTANT_ONLY, POINTS, type PointName } from './points.js';
import type { Options } from './random.js';
import { RULES_ON, type Rules } from './rules.js';
import { SCENARIOS } from './scenarios.js';
import { type Failure, runSeed } from './schedule.js';
import { runWitness, WITNESSES } from './witnesses.js';

const USAGE = `usage: node dist/test/model/main.js <way> [options]

  random [SEEDS]      random schedules: 5000 seeds, every fourth with errors in sections, every
                      third with an instrumented heap, every third with contexts and vectors
  exhaustive          every scenario, victim killed at each step, then its rescuer; then errors
  interleave          pairs of threads, two preemptions, a kill or an error
  mutants [SEEDS]     each rule off alone: must be found, in 3000 seeds or by cuts
  points              which points the schedules reach
  scenarios           the scenarios and witnesses, as JSON

  --from SEED         random: the first seed (default 1)
  --set KEY=VALUE     random: what the seed would choose: pages, slots, workers, calls, mainCalls,
                      kills, throws, anywhere, cuts, reuseIds, lateMain, churn, limitStart,
                      limitMax, quarantine, objects; again for more
  --rule NAME=VALUE   another value for a rule (see rules.ts); again for more
  --level 1|2|3       exhaustive: how deep (default 2)
  --only TEXT         exhaustive, mutants: only those with TEXT in their names
  --part K/N          exhaustive: one of N parts of the scenarios, to run beside the others
  --at V[,R]          exhaustive, with --only: one cut, before the victim's step V (and the
                      rescuer's R); with --error an error in the place of the last kill; with
                      --cut the victim's call is cut, and it lives on
  --trace [LINES]     the last steps of the first violation, or of the one seed or cut asked for`;

const SEEDS = 5000;
const MUTANT_SEEDS = 3000;
const TRACE_LINES = 80;
const REPORTED_MAX = 8;
/** One in this many seeds of a plain random run has errors in its sections. */
const ERROR_SEEDS = 4;
/** One in as many seeds has calls that are cut. */
const CUT_SEED = 2;
const CUTS: Options = { cuts: 0.01 };
const ERRORS: Options = { throws: 0.02, anywhere: true };
/** One in this many seeds has an instrumented heap; a prime, so that all kinds have errors. */
const RECORD_SEEDS = 3;
/** Another third has contexts and vectors; and one in this many seeds in any case. */
const OBJECT_SEEDS = 5;
const QUARANTINES = [0, 1, 2, 4];

/** The options of a seed of a plain run. */
function kindOf(seed: number): Options {
  const kind = seed % ERROR_SEEDS;
  const plain = kind === 0 ? ERRORS : kind === CUT_SEED ? CUTS : {};
  const objects = seed % RECORD_SEEDS === 1 || seed % OBJECT_SEEDS === 0;
  const errors = { ...plain, objects };
  if (seed % RECORD_SEEDS !== 0) return errors;
  return { ...errors, quarantine: QUARANTINES[Math.floor(seed / 12) % QUARANTINES.length] };
}

type Value = string | number | boolean;

interface Arguments {
  readonly way: string;
  readonly count: number | null;
  readonly from: number;
  readonly options: Options;
  readonly rules: Rules;
  readonly level: 1 | 2 | 3;
  readonly only: string;
  readonly part: readonly [number, number];
  readonly at: readonly number[] | null;
  readonly error: boolean;
  readonly cut: boolean;
  readonly trace: number | null;
}

class UsageError extends Error {}

// ---- Arguments

function readArguments(words: readonly string[]): Arguments {
  const flags = new Map<string, string[]>();
  const plain: string[] = [];
  for (let n = 0; n < words.length; n++) {
    const word = words[n];
    if (!word.startsWith('--')) {
      plain.push(word);
      continue;
    }
    const next = words[n + 1];
    const hasValue =
      word !== '--error' && word !== '--cut' && next !== undefined && !next.startsWith('--');
    flags.set(word, [...(flags.get(word) ?? []), hasValue ? next : '']);
    if (hasValue) n++;
  }
  const last = (flag: string): string | undefined => flags.get(flag)?.at(-1);
  const traced = last('--trace');
  const level = Number(last('--level') ?? 2);
  if (level !== 1 && level !== 2 && level !== 3) throw new UsageError('levels are 1, 2 and 3');
  const known = '--from --set --rule --level --only --part --at --error --cut --trace'.split(' ');
  const unknown = [...flags.keys()].find((flag) => !known.includes(flag));
  if (unknown !== undefined) throw new UsageError(`there is no option ${unknown}`);
  const [way = '', count] = plain;
  return {
    way,
    count: count === undefined ? null : readNumber(count),
    from: readNumber(last('--from') ?? '1'),
    options: readPairs(flags.get('--set') ?? []),
    rules: readRules(flags.get('--rule') ?? []),
    level,
    only: last('--only') ?? '',
    part: readPart(last('--part') ?? '1/1'),
    at: last('--at')?.split(',').map(readNumber) ?? null,
    error: flags.has('--error'),
    cut: flags.has('--cut'),
    trace: traced === undefined ? null : readNumber(traced || String(TRACE_LINES)),
  };
}

function readNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new UsageError(`${text} is no number`);
  return number;
}

/** The index of the part, from 0, and the number of parts. */
function readPart(text: string): [number, number] {
  const [part = 0, parts = 0] = text.split('/').map(readNumber);
  if (part < 1 || part > parts) throw new UsageError(`${text} is no part: 1/2, 2/2`);
  return [part - 1, parts];
}

function readPairs(pairs: readonly string[]): Record<string, Value> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key, value = 'true'] = pair.split('=');
      if (value === 'true' || value === 'false') return [key, value === 'true'];
      return [key, Number.isNaN(Number(value)) ? value : Number(value)];
    }),
  );
}

function readRules(pairs: readonly string[]): Rules {
  const changed = readPairs(pairs);
  const unknown = Object.keys(changed).find((name) => !(name in RULES_ON));
  if (unknown !== undefined) throw new UsageError(`there is no rule ${unknown}`);
  return { ...RULES_ON, ...changed };
}

// ---- Ways: each returns true if all is well

function runRandom({ count, from, options, rules, trace }: Arguments): boolean {
  const seeds = count ?? SEEDS;
  const totals = newTotals();
  const failures = new Map<string, { failure: Failure; count: number }>();
  let violations = 0;
  const optionsOf = (seed: number): Options => ({ ...kindOf(seed), ...options });
  for (let seed = from; seed < from + seeds; seed++) {
    const failure = runSeed(rules, seed, optionsOf(seed), { totals });
    if (failure === null) continue;
    violations++;
    const kind = failure.message.replace(/\d+/g, '#');
    const known = failures.get(kind);
    const shortest = known && known.failure.steps <= failure.steps ? known.failure : failure;
    failures.set(kind, { failure: shortest, count: (known?.count ?? 0) + 1 });
  }
  console.log(`seeds ${from} to ${from + seeds - 1}: ${violations} violations`);
  const { operations, steps, kills, throws, cuts, takeovers, recovered, unfreed } = totals;
  console.log(
    `${operations} calls, ${steps} steps, ${kills} kills, ${throws} errors, ${cuts} cuts`,
  );
  console.log(`${takeovers} takeovers, ${recovered} slots recovered, ${unfreed} frees cut off`);
  const sorted = [...failures.values()].sort((a, b) => b.count - a.count);
  for (const { failure, count: times } of sorted.slice(0, REPORTED_MAX)) {
    const { seed, steps: length, message, state } = failure;
    console.log(`  ${times} times, seed ${seed} (${length} steps): ${message}\n    ${state}`);
  }
  const shown = sorted[0]?.failure.seed ?? (seeds === 1 ? from : null);
  if (trace !== null && shown !== null) {
    const lines: string[] = [];
    runSeed(rules, shown, optionsOf(shown), { trace: lines });
    printTrace(lines, trace);
  }
  return violations === 0;
}

function newTotals() {
  const stats = {
    operations: 0,
    kills: 0,
    throws: 0,
    cuts: 0,
    takeovers: 0,
    recovered: 0,
    unfreed: 0,
  };
  return { runs: 0, steps: 0, ...stats };
}

function runExhaustive(args: Arguments): boolean {
  const { level, rules, only, at, trace } = args;
  const [part, parts] = args.part;
  const named = SCENARIOS.filter(({ name }) => name.includes(only));
  const scenarios = named.filter((_, n) => n % parts === part);
  if (scenarios.length === 0) throw new UsageError(`no scenario has ${only} in its name`);
  if (at !== null) return runOneCut(args);
  const { cuts, states, found } = explore(rules, {
    level,
    scenarios,
    kills: true,
    errors: true,
    living: true,
  });
  console.log(`${scenarios.length} scenarios, ${cuts} cuts, ${states} states run to the end`);
  const sorted = [...found.values()].sort((a, b) => b.count - a.count);
  console.log(`${sorted.reduce((sum, one) => sum + one.count, 0)} violations`);
  for (const one of sorted.slice(0, REPORTED_MAX)) printFound(one);
  if (trace !== null && sorted.length > 0) {
    const lines: string[] = [];
    replay(rules, sorted[0].scenario, sorted[0].cut, lines);
    printTrace(lines, trace);
  }
  return found.size === 0;
}

function runOneCut({ rules, only, at, error, cut: lives, trace }: Arguments): boolean {
  const scenario =
    SCENARIOS.find(({ name }) => name === only) ??
    SCENARIOS.find(({ name }) => name.includes(only));
  if (scenario === undefined || at === null) throw new UsageError(`no scenario ${only}`);
  const [victim, rescuer] = at;
  const cut: Cut =
    rescuer === undefined
      ? { victim, victimThrows: error, ...(lives ? { victimLives: 'on' } : {}) }
      : { victim, rescuer, rescuerThrows: error };
  const lines: string[] = [];
  const message = replay(rules, scenario, cut, lines);
  printTrace(lines, trace ?? TRACE_LINES);
  console.log(`${scenario.name}: ${message ?? 'no violation'}`);
  return message === null;
}

function printFound({ scenario, cut, message, state, count }: Found): void {
  console.log(`  ${count} times, "${scenario.name}", cut at ${JSON.stringify(cut)}: ${message}`);
  console.log(`    ${state}`);
}

function printTrace(lines: readonly string[], last: number): void {
  console.log(lines.slice(-last).join('\n'));
}

function runInterleave({ rules }: Arguments): boolean {
  const { runs, found } = interleave(rules);
  console.log(`${runs} interleavings, ${found.size} kinds of violations`);
  for (const one of found.values()) console.log(`  ${JSON.stringify(one)}`);
  return found.size === 0;
}

function runMutants({ count, only }: Arguments): boolean {
  let good = true;
  const seeds = count ?? MUTANT_SEEDS;
  for (const mutant of MUTANTS.filter(({ name }) => name.includes(only))) {
    const { where, message, withRules } = findMutant(mutant, seeds);
    if (where === null || withRules !== null) good = false;
    const verdict = where === null ? 'NOT FOUND' : `found: ${where}: ${message}`;
    console.log(`${mutant.name}\n    ${verdict}`);
    if (withRules !== null) console.log(`    AND WITH ALL RULES ON: ${withRules}`);
  }
  for (const { name } of HARMLESS) console.log(`${name}\n    not looked for: see README.md`);
  return good;
}

/** Checks that every point is reached; prints those that are not. */
function runPoints({ count, from }: Arguments): boolean {
  const coverage = new Set<PointName>();
  for (let seed = from; seed < from + (count ?? SEEDS); seed++) {
    runSeed(RULES_ON, seed, kindOf(seed), { coverage });
  }
  const expected = [...POINTS, ...MODEL_ONLY].filter((name) => !MUTANT_ONLY.includes(name));
  const missing = expected.filter((name) => name !== 'start' && !coverage.has(name));
  console.log(`${coverage.size} points reached; not reached: ${missing.join(', ') || 'none'}`);
  return missing.length === 0;
}

function printScenarios(): boolean {
  console.log(JSON.stringify({ scenarios: SCENARIOS, witnesses: WITNESSES }, null, 2));
  return true;
}

/**
 * Runs the witnesses. They are part of every mutant run; with all rules on they are a check
 * themselves.
 */
function runWitnesses(): boolean {
  const broken = WITNESSES.filter((witness) => runWitness(RULES_ON, witness) !== null);
  console.log(`${WITNESSES.length} witnesses, ${broken.length} violations`);
  return broken.length === 0;
}

const WAYS: Record<string, (args: Arguments) => boolean> = {
  random: runRandom,
  exhaustive: runExhaustive,
  interleave: runInterleave,
  mutants: (args) => [runWitnesses(), runMutants(args)].every(Boolean),
  points: runPoints,
  scenarios: printScenarios,
};

function main(): void {
  try {
    const args = readArguments(process.argv.slice(2));
    const way = WAYS[args.way];
    if (way === undefined) throw new UsageError(`there is no way ${args.way}`);
    const started = performance.now();
    if (!way(args)) process.exitCode = 1;
    if (args.way !== 'scenarios') {
      console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 1;
  }
}

main();
