/**
 * Proves every scenario with its thread dead at every point, and then with every rescuer dead at
 * every point of its rescue: the real code, cut where the model (test/model) is cut, with the same
 * checks.
 *
 * Every run has death at every point. Deaths of the rescuer are a sample, or all with
 * SHMALLOC_TEST_DEATHS=all (minutes).
 */

import test from 'ava';
import { Random, seedOf } from '../helpers.js';
import {
  type Death,
  eachDeath,
  eachRescuerDeath,
  faultsOf,
  faultsOfEmptying,
  type Rescue,
  rescue,
} from './deaths.js';
import { SCENARIOS } from './scenarios.js';
import { type Library, loadLibrary } from './simulation.js';

const ALL = process.env.SHMALLOC_TEST_DEATHS === 'all';
/** One of this many pairs of deaths is checked. */
const SAMPLE = 17;

let lib: Library;
test.before(async () => {
  lib = await loadLibrary();
});
test.after.always(() => lib?.copy.remove());

/** Every point at which a thread has died. */
const diedAt = new Map<string, number>();

/** Maximum listed faults: one hole has many. */
const FAULTS_MAX = 5;

class Verdicts {
  readonly faults: string[] = [];
  readonly points = new Set<string>();
  deaths = 0;

  judge(death: Death, how: Rescue, where: string): void {
    this.deaths++;
    diedAt.set(death.point, (diedAt.get(death.point) ?? 0) + 1);
    const found = this.#try(death, how);
    if (found.length > 0 && this.faults.length < FAULTS_MAX) {
      this.faults.push(`${where}, then ${how}: ${found.slice(0, 3).join('; ')}`);
    }
  }

  #try(death: Death, how: Rescue): string[] {
    try {
      const rescuer = rescue(lib, death, how);
      const faults = faultsOf(lib, death, rescuer);
      return faults.length > 0 ? faults : faultsOfEmptying(lib, rescuer);
    } catch (error) {
      return [String((error as Error).stack)];
    }
  }
}

for (const scenario of SCENARIOS) {
  test.serial(`death at every kill point: ${scenario.name}`, (t) => {
    const verdicts = new Verdicts();
    eachDeath(lib, scenario, (death) => {
      verdicts.points.add(death.point);
      const where = `at ${death.point} (${death.n})`;
      for (const how of ['recover', 'work'] as const) verdicts.judge(death, how, where);
    });
    t.deepEqual(verdicts.faults, []);
    t.true(verdicts.deaths > 0);
    for (const point of scenario.hits ?? []) t.true(verdicts.points.has(point), point);
    t.log(`${verdicts.deaths} deaths, ${verdicts.points.size} points`);
  });
}

for (const scenario of SCENARIOS) {
  test.serial(`death of the rescuer at kill points: ${scenario.name}`, (t) => {
    const random = new Random(seedOf(t));
    const verdicts = new Verdicts();
    const take = (): boolean => ALL || random.below(SAMPLE) === 0;
    eachDeath(lib, scenario, (first) => {
      if (!ALL && random.below(7) !== 0) return;
      const how = random.pick(['recover', 'work'] as const);
      eachRescuerDeath(lib, first, how, (second) => {
        if (!take()) return;
        verdicts.points.add(second.point);
        const where = `at ${first.point} (${first.n}), the rescuer at ${second.point} (${second.n})`;
        verdicts.judge(second, random.pick(['recover', 'work'] as const), where);
      });
    });
    t.deepEqual(verdicts.faults, []);
    t.log(`${verdicts.deaths} pairs of deaths, ${verdicts.points.size} points`);
  });
}

/** Points that need what this test has not, with the tests that have them. */
const ELSEWHERE = new Set([
  // A table full of dead threads: names.test.ts, names.pml.
  'name.drop',
  // Another thread that sleeps, and a handover, at most one in 4 ms: kill.test.ts, lock.pml.
  'lock.open',
  'lock.accept',
]);

test.serial('death: a thread has died at every kill point', (t) => {
  for (const [point, deaths] of [...diedAt].sort()) {
    t.log(`${point.padEnd(18)}${String(deaths).padStart(7)} deaths   whole`);
  }
  t.deepEqual(
    lib.copy.names.filter((name) => !diedAt.has(name) && !ELSEWHERE.has(name)),
    [],
  );
});
