/**
 * Proves the crash rules on the model, with small numbers: random schedules, the exhaustive cuts of
 * level 1, some mutants that must be found, and the list of points.
 *
 * main.ts runs large numbers. MODEL_SEED=n begins at another seed.
 */

import test from 'ava';
import { explore } from './exhaustive.js';
import { findMutant, MUTANTS } from './mutants.js';
import { MODEL_ONLY, MUTANT_ONLY, POINTS, type PointName } from './points.js';
import { RULES_ON } from './rules.js';
import { SCENARIO_NAMES, SCENARIOS } from './scenarios.js';
import { runSeed } from './schedule.js';
import { runWitness, WITNESSES } from './witnesses.js';

const SEED = Number(process.env.MODEL_SEED ?? 1);
const SEEDS = 1500;
const ERRORS = { throws: 0.02, anywhere: true };

test('kill points: are sorted, each once, and none is a point of the model alone', (t) => {
  t.deepEqual([...POINTS], [...new Set(POINTS)].sort());
  const names: readonly string[] = POINTS;
  t.deepEqual(
    MODEL_ONLY.filter((name) => names.includes(name)),
    [],
  );
});

test('random schedules, with errors, of instrumented heaps, of contexts: no violation, every kill point reached', (t) => {
  const coverage = new Set<PointName>(['start']);
  t.log(`seed ${SEED}`);
  for (let seed = SEED; seed < SEED + SEEDS; seed++) {
    const errors = seed % 2 === 0 ? ERRORS : {};
    const objects = seed % 3 === 1 || seed % 5 === 0;
    const cuts = seed % 4 === 1 ? 0.01 : 0;
    const plain = { ...errors, cuts, objects };
    const options = seed % 3 === 0 ? { ...plain, quarantine: seed % 4 } : plain;
    const failure = runSeed(RULES_ON, seed, options, { coverage });
    if (failure !== null) t.fail(`seed ${seed}: ${failure.message}\n${failure.state}`);
  }
  const missing = [...POINTS, ...MODEL_ONLY].filter(
    (name) => !coverage.has(name) && !MUTANT_ONLY.includes(name),
  );
  t.deepEqual(missing, []);
});

test('exhaustive cuts, level 1: no violation', (t) => {
  const options = {
    level: 1,
    scenarios: SCENARIOS,
    kills: true,
    errors: true,
  } as const;
  const { states, found } = explore(RULES_ON, options);
  t.deepEqual([...found.keys()], []);
  t.true(states > 5000, `${states} states run to the end`);
});

test('scenarios: names are unique', (t) => {
  t.is(new Set(SCENARIO_NAMES).size, SCENARIO_NAMES.length);
});

test('witnesses: no violation while all rules are on', (t) => {
  for (const witness of WITNESSES) t.is(runWitness(RULES_ON, witness), null, witness.name);
});

test('mutants: those with a witness or in cuts of level 1, and some others, are found', (t) => {
  const others = [
    'leaves tags',
    'after the pop',
    'RESERVED',
    'keeps the lock',
    'no sentinels',
    'after the commit',
    'two threads free',
    'the sweep',
    'an orphan',
    'cut',
  ];
  const chosen = MUTANTS.filter(
    ({ name, witness, cuts }) =>
      witness !== null || cuts?.level === 1 || others.some((part) => name.includes(part)),
  );
  t.true(chosen.length > 30);
  for (const mutant of chosen) {
    const { where, withRules } = findMutant(mutant, SEEDS);
    t.not(where, null, mutant.name);
    t.is(withRules, null, mutant.name);
  }
});
