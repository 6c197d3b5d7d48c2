/**
 * Proves every scenario with a call that V8 cuts at every point, in a thread that lives on, as `vm`
 * does with a timeout or for Ctrl-C: neither catch nor finally runs. Then the same thread makes
 * calls of every kind, in different orders; after that nothing is half done, and every block is
 * accounted for.
 *
 * These are real cuts by the engine: at the point the process gets a signal, and waits for it.
 * Points between straight stores are left out, since the engine cuts nothing there (heap/marks.ts).
 */

import { runInThisContext } from 'node:vm';
import test from 'ava';
import type { Address } from 'shmalloc';
import type { VectorHandle } from '../../src/collections/index.js';
import { Random, seedOf } from '../helpers.js';
import { isStraight } from '../model/points.js';
import { faultsOf, faultsOfEmptying, setStage } from './deaths.js';
import { PAGES, type Program, type Scenario, SMALL, TINY } from './program.js';
import { SCENARIOS } from './scenarios.js';
import { type Change, type Library, loadLibrary, withHook } from './simulation.js';

/** Points in the rescue of a rescuer: see deaths.test.ts. */
const SECOND = /^end\.mark$/;
/** Points at attach and detach: test/heap/cuts.long.test.ts has real cuts there. */
const LEAVING = /^(attach|detach|name)\./;
/** Points of handing a lock over to a thread that sleeps: this test has only one thread. */
const HANDING_OVER = /^lock\.(open|accept)$/;

const ALL = process.env.SHMALLOC_TEST_DEATHS === 'all';
/** One of this many passages is cut, at points that a scenario has passed before. */
const SAMPLE = 8;

declare global {
  /** The work of the script that is cut. */
  var shmallocAct: () => void;
}

let lib: Library;
test.before(async () => {
  lib = await loadLibrary();
});
test.after.always(() => lib?.copy.remove());

type First = (p: Program, scenario: Scenario, doubtful: readonly Address[]) => void;

/**
 * The thread's first call after the cut. The first kinds enter no section while a magazine has
 * blocks.
 */
const FIRST: readonly First[] = [
  (p) => p.freeAll([...p.many(3, TINY), ...p.many(3, SMALL)]),
  (p, _, doubtful) => p.freeAll([...p.books].filter((at) => !doubtful.includes(at)).slice(0, 2)),
  (p) => p.free(p.malloc(PAGES(10))),
  (p) => void p.core.recover(),
  (p) => void p.core.verify(true),
  (p, { objects }) => {
    if (objects) useObjects(p);
    p.freeAll(p.many(20, SMALL));
  },
];

function useObjects(p: Program): void {
  const context = p.context();
  context.malloc(1000);
  context.delete();
  const vector = p.vectors.create(Float64Array, { shared: true });
  for (let n = 0; n < 10; n++) vector.push(n);
  vector.delete();
}

/** Acquires the lock of each earlier vector that still exists. */
function useVectors({ vectors }: Program, handles: readonly VectorHandle[]): void {
  for (const handle of handles) {
    try {
      const vector = vectors.attach(handle);
      vector.reserve(vector.capacity + 1);
    } catch (error) {
      if (/was deleted|went with its context/.test(String(error))) continue;
      throw error;
    }
  }
}

/**
 * The outcome of a run with fewer points than counted: a full heap searches for the dead by the
 * clock.
 */
const NOT_REACHED = 'was not cut';

/** Makes V8 cut a call at its n-th point; returns the point. */
function interrupt(n: number, act: () => void): string {
  globalThis.shmallocAct = act;
  let point = NOT_REACHED;
  const stopAt = (name: string, i: number): void => {
    if (i !== n) return;
    point = name;
    process.kill(process.pid, 'SIGINT');
    for (;;);
  };
  try {
    withHook(stopAt, () => runInThisContext('shmallocAct()', { breakOnSigint: true }));
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
  }
  return point;
}

/**
 * Cuts a scenario's act at its n-th point, and goes on; returns the faults.
 * @param again the point at which the repair is cut, too; -1 = not cut
 */
function cut(library: Library, scenario: Scenario, n: number, first: number, again = -1): string[] {
  const { memory, victim, blocks, dead } = setStage(library, scenario);
  const point = interrupt(n, () => scenario.act(victim, blocks));
  if (point === NOT_REACHED) return [NOT_REACHED];
  if (again >= 0) {
    const repair = interrupt(again, () => victim.core.recover());
    if (repair === NOT_REACHED) return [NOT_REACHED];
  }
  // The program has to find out what the call had done: this one looks.
  const { address } = victim.inFlight ?? {};
  const doubtful = address === undefined ? [] : [address];
  const death = { memory, point, n, books: victim.books, doubtful, survivor: undefined, dead };
  try {
    for (let k = 0; k < FIRST.length; k++) {
      FIRST[(first + k) % FIRST.length]?.(victim, scenario, doubtful);
    }
    victim.core.recover();
    useVectors(victim, blocks.vectors);
    const faults = faultsOf(library, death, victim);
    return faults.length > 0 ? faults : faultsOfEmptying(library, victim);
  } catch (error) {
    return [String((error as Error).stack)];
  }
}

/** The points that a scenario passes, in order. */
function pointsOf(library: Library, scenario: Scenario): string[] {
  const { victim, blocks } = setStage(library, scenario);
  const names: string[] = [];
  withHook(
    (name) => names.push(name),
    () => scenario.act(victim, blocks),
  );
  return names;
}

const REPAIRED = [
  'a vector in the heap is made, grows and is deleted',
  'a context grows chunk by chunk',
  'brk growth, then a direct map down to its end',
];

for (const title of REPAIRED) {
  test.serial(`self-repair: a repair that is cut is begun anew: ${title}`, (t) => {
    const scenario = SCENARIOS.find(({ name }) => name === title) as Scenario;
    const faults: string[] = [];
    let cuts = 0;
    const seen = new Map<string, number>();
    pointsOf(lib, scenario).forEach((name, n) => {
      const times = seen.get(name) ?? 0;
      seen.set(name, times + 1);
      if (!/^(place|large|chunk|inflight)\./.test(name) || isStraight(name) || times > 2) return;
      for (let again = 0; ; again++) {
        const [fault] = cut(lib, scenario, n, 0, again);
        if (fault === NOT_REACHED) return;
        cuts++;
        if (fault !== undefined) faults.push(`at ${name} (${n}), then ${again}: ${fault}`);
      }
    });
    t.true(cuts > 0);
    t.deepEqual(faults.slice(0, 5), []);
  });
}

/** Scenarios after which the thread makes no call: it has detached, or is about to attach. */
const goesOn = ({ name }: Scenario): boolean => !/attach|detach/.test(name);

/** Number of cuts at each point, for the report. */
const cutAt = new Map<string, number>();

for (const scenario of SCENARIOS.filter(goesOn)) {
  test.serial(`V8: a cut at every kill point: ${scenario.name}`, (t) => {
    const random = new Random(seedOf(t));
    const faults: string[] = [];
    const seen = new Set<string>();
    let cuts = 0;
    let missed = 0;
    pointsOf(lib, scenario).forEach((name, n) => {
      if (isStraight(name) || (!ALL && seen.has(name) && random.below(SAMPLE) !== 0)) return;
      seen.add(name);
      cutAt.set(name, (cutAt.get(name) ?? 0) + 1);
      const first = random.below(FIRST.length);
      const [fault] = cut(lib, scenario, n, first);
      if (fault === NOT_REACHED) {
        missed++;
        return;
      }
      cuts++;
      if (fault !== undefined) faults.push(`at ${name} (${n}), then ${first}: ${fault}`);
    });
    t.deepEqual(faults.slice(0, 5), []);
    t.true(missed <= cuts / 4, `${missed} of ${cuts + missed} points were not reached`);
    t.log(`${cuts} cuts, ${seen.size} points`);
  });
}

test.serial('V8: every kill point that can be cut has been cut', (t) => {
  for (const [point, cuts] of [...cutAt].sort()) {
    t.log(`${point.padEnd(18)}${String(cuts).padStart(6)} cuts   whole`);
  }
  t.deepEqual(
    lib.copy.names.filter(
      (name) =>
        !isStraight(name) &&
        ![LEAVING, SECOND, HANDING_OVER].some((not) => not.test(name)) &&
        !cutAt.has(name),
    ),
    [],
  );
});

interface Mutant {
  readonly rule: string;
  readonly change: Change;
  /** The scenario that finds the mutant, and the points to cut. */
  readonly scenario: string;
  readonly at: RegExp;
}

const MUTANTS: readonly Mutant[] = [
  {
    rule: 'a magazine in transit is parked',
    change: {
      file: 'layout/slot.js',
      from: /(shmallocPoint\('transit\.park'\);\s*)u32\[slot \+ TOPS \+ magazine\] = slot \+ PARKED;/,
      to: '$1u32[slot + TOPS + magazine] = u32[slot + FROMS + magazine];',
    },
    scenario: 'free into the cache, then flush',
    at: /^flush\.bit$/,
  },
  {
    rule: 'a section has a mark',
    change: { file: 'heap/section.js', from: /if \(marks\.section \|\|/, to: 'if (' },
    scenario: 'free into the cache, then flush',
    at: /^flush\.bit$/,
  },
  {
    rule: 'a run that is to be committed has a mark',
    change: {
      file: 'heap/section.js',
      from: /marks\.section \|\| marks\.run/,
      to: 'marks.section',
    },
    scenario: 'brk growth, then a direct map down to its end',
    at: /^large\.commit$/,
  },
  {
    rule: 'an intent is resolved',
    change: { file: 'heap/tools.js', from: /if \(resolver\.resolve\(\)\)/, to: 'if (false)' },
    scenario: 'a vector in the heap is made, grows and is deleted',
    at: /^place\.publish$/,
  },
  {
    rule: 'the lock of an object is given back',
    change: {
      file: 'heap/section.js',
      from: /events\.quietly\(\(\) => repairLock\(this\.#heap\)\);/,
      to: 'marks.lock = 0;',
    },
    scenario: 'a shared vector in the heap is changed',
    at: /^vector\.(push|append)$/,
  },
  {
    rule: 'contexts that are half made go back',
    change: {
      file: 'contexts/repair-objects.js',
      from: /if \(marks\.tables\)\s*this\.#repairContexts\(\);/,
      to: '',
    },
    scenario: 'a context grows chunk by chunk',
    at: /^context\.(link|live)$/,
  },
];

for (const { rule, change, scenario: title, at } of MUTANTS) {
  test.serial(`mutant is found: without the rule that ${rule}`, async (t) => {
    const mutant = await loadLibrary(change);
    try {
      const scenario = SCENARIOS.find(({ name }) => name === title) as Scenario;
      const points = [...pointsOf(mutant, scenario).entries()].filter(([, name]) => at.test(name));
      t.true(points.length > 0);
      const isFound = points.some(([n]) =>
        FIRST.some((_, k) => cut(mutant, scenario, n, k).length > 0),
      );
      t.true(isFound);
    } finally {
      mutant.copy.remove();
    }
  });
}
