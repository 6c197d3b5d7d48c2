/**
 * Proves every scenario with an error thrown into it at every point: thread and heap go on. The
 * real error of this kind is a stack overflow that no probe foresaw.
 *
 * Points of straight stores are left out, since nothing can throw there: those of the fast paths,
 * of block records and of a large block's commit, and the store that frees a slot.
 */

import test from 'ava';
import type { Address } from 'shmalloc';
import type * as Sync from '../../src/sync/index.js';
import { faultsOf, faultsOfEmptying, leftBehind, setStage } from './deaths.js';
import { type Program, type Scenario, SMALL, TINY } from './program.js';
import { SCENARIOS } from './scenarios.js';
import { type Library, loadLibrary, withHook } from './simulation.js';

const CANNOT_THROW =
  /^(pop|push|attach|detach|debug|place|resolve|context|chunk|end|name|inflight|vector|storage)\.|^large\.(count|tag|commit)$/;

/** Points of handing a lock over to a thread that sleeps: this test has only one thread. */
const HANDING_OVER = /^lock\.(open|accept)$/;

class Injected extends Error {}

let lib: Library;
test.before(async () => {
  lib = await loadLibrary();
});
test.after.always(() => lib?.copy.remove());

/**
 * For the report: number of errors thrown at a point, and number of those that reached the caller.
 */
const thrownAt = new Map<string, { errors: number; told: number }>();

interface Outcome {
  readonly point: string;
  readonly threw: boolean;
  readonly faults: string[];
}

/** Runs a scenario with an error at its n-th point; null = it has no such point. */
function throwAt(scenario: Scenario, n: number): Outcome | null {
  const { memory, victim, blocks, dead } = setStage(lib, scenario);
  let point = '';
  let threw = false;
  try {
    withHook(
      (name, i) => {
        if (i !== n) return;
        point = name;
        if (CANNOT_THROW.test(name)) return;
        const row = thrownAt.get(name) ?? { errors: 0, told: 0 };
        thrownAt.set(name, { ...row, errors: row.errors + 1 });
        throw new Injected(name);
      },
      () => scenario.act(victim, blocks),
    );
  } catch (error) {
    if (!(error instanceof Injected)) throw error;
    threw = true;
    const row = thrownAt.get(point);
    if (row !== undefined) row.told++;
  }
  if (point === '') return null;
  // Half-ended contexts may have broken chains, and no thread may use them: the thread detaches
  // again.
  if (threw && scenario.name === 'detach with contexts') victim.core.detach();
  // A call that threw has done nothing: its block is live, and only this thread has the address.
  const death = { memory, point, n, books: victim.books, doubtful: [], survivor: undefined, dead };
  const attached = countSlots(memory.i32, memory.geometry.registry, memory.geometry.threads);
  if (attached === 0) return { point, threw, faults: leftBehind(lib, memory) };
  // The thread's next placement ends one that an error has interrupted.
  if (scenario.objects) {
    const context = victim.context();
    context.malloc(1);
    context.delete();
  }
  // If the victim has detached, the thread of the setup checks.
  const isThere = memory.i32[memory.geometry.registry + victim.core.slotIndex] !== 0;
  const access = isThere ? victim : (blocks.main ?? victim);
  access.core.recover();
  const faults = faultsOf(lib, death, access);
  return { point, threw, faults: faults.length > 0 ? faults : faultsOfEmptying(lib, access) };
}

const countSlots = (i32: Int32Array, registry: number, threads: number): number =>
  i32.subarray(registry, registry + threads).filter((word) => word !== 0).length;

for (const scenario of SCENARIOS.filter(({ throws }) => throws !== false)) {
  test.serial(`error: thrown at every kill point: ${scenario.name}`, (t) => {
    const faults: string[] = [];
    let thrown = 0;
    let points = 0;
    for (
      let outcome = throwAt(scenario, 0);
      outcome !== null;
      outcome = throwAt(scenario, ++points)
    ) {
      if (outcome.threw) thrown++;
      if (outcome.faults.length > 0)
        faults.push(`at ${outcome.point} (${points}): ${outcome.faults[0]}`);
    }
    t.deepEqual(faults.slice(0, 5), []);
    t.log(`${points} points, ${thrown} calls threw`);
  });
}

test.serial('error: a block stays as it was if free or realloc threw', (t) => {
  const scenario = SCENARIOS.find(({ name }) => name === 'realloc grows in place') as Scenario;
  const { victim, blocks } = setStage(lib, scenario);
  const { u8 } = victim.core.memory;
  u8.fill(7, blocks.a, blocks.a + 9 * 8192);
  for (let n = 0; n < 4; n++) {
    t.throws(
      () =>
        withHook(
          (_, i) => {
            if (i === n) throw new Injected();
          },
          () => victim.core.shared.realloc(blocks.a, 500_000),
        ),
      { instanceOf: Injected },
    );
    t.true(u8.subarray(blocks.a, blocks.a + 9 * 8192).every((byte) => byte === 7));
  }
  victim.core.shared.free(blocks.a as Address);
  t.deepEqual(victim.core.verify(true).problems, []);
});

/** Poisons the heap at the n-th point of a call; null = it has no such point. */
function poisonAt(sync: typeof Sync, call: (victim: Program) => unknown, n: number): string | null {
  const scenario = SCENARIOS.find(({ name }) => name === 'calloc of a used block') as Scenario;
  const { memory, victim } = setStage(lib, scenario);
  const magic = memory.u32[memory.geometry.header];
  let point = '';
  try {
    withHook(
      (name, i) => {
        if (i !== n) return;
        point = name;
        sync.poison(memory, 'said by a test (spans I1)');
      },
      () => call(victim),
    );
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_SHMALLOC_CORRUPTION') return String(error);
  }
  if (point === '') return null;
  if (memory.u32[memory.geometry.header] !== magic) return `at ${point} the header is gone`;
  return sync.poisonReason(memory) === null ? `at ${point} the poison is gone` : '';
}

test.serial('poison: in the middle of a call: nothing is written to null', async (t) => {
  const sync = (await import(new URL('sync/index.js', lib.copy.url).href)) as typeof Sync;
  const calls: ((victim: Program) => unknown)[] = [
    (p) => p.calloc(65_000),
    (p) => p.calloc(900),
    (p) => p.calloc(200_000),
    (p) => p.realloc(p.malloc(SMALL), 60_000),
    (p) => p.realloc(p.malloc(200_000), 3000),
    (p) => p.realloc(p.malloc(TINY), 90_000),
    (p) => p.freeAll(p.many(20, SMALL)),
  ];
  for (const call of calls) {
    let n = 0;
    for (let fault = poisonAt(sync, call, n); fault !== null; fault = poisonAt(sync, call, ++n)) {
      t.is(fault, '');
    }
    t.true(n >= 3);
  }
});

test.serial('error: was thrown at every kill point where a call can throw', (t) => {
  t.log('point             errors  told to the caller (the others came after a commit: repaired)');
  for (const [point, { errors, told }] of [...thrownAt].sort()) {
    t.log(`${point.padEnd(18)}${String(errors).padStart(6)}${String(told).padStart(8)}   whole`);
  }
  t.deepEqual(
    lib.copy.names.filter(
      (name) => ![CANNOT_THROW, HANDING_OVER].some((not) => not.test(name)) && !thrownAt.has(name),
    ),
    [],
  );
});
