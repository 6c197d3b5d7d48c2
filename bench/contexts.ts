/**
 * Memory contexts beside blocks that are allocated and freed one by one: the cost of an object, of
 * a context, and of its end.
 *
 * Models a request that allocates 2,000 objects of 64 bytes in its own context, chunks included,
 * and one that leaves 100,000 objects at its end. Does not show what the program does with its
 * objects (those of a context are next to each other, and their memory is a different one each time
 * until it comes back from the heap), nor other threads, nor contexts with children and callbacks.
 */

import type { MicroResult } from './bodies.js';
import type { ContextScenario } from './context-calls.js';
import type { Part, Setting } from './part.js';
import { runNode } from './processes.js';
import type { Section } from './section.js';
import { median, ratios, spread } from './statistics.js';
import { within } from './tables.js';

const CALLS = new URL('./context-calls.js', import.meta.url);
const OBJECT_BYTES = '64';

/** Number of warm-up bodies: a body of this many objects takes milliseconds. */
const BODIES_OF_MANY = '20';

/** Scenarios, each with its peer. */
const CASES: readonly [name: string, scenario: ContextScenario, peer?: ContextScenario][] = [
  ['malloc_ts', 'malloc'],
  ['bump malloc', 'malloc-bump', 'malloc'],
  ['bump malloc after a reset', 'malloc-again', 'malloc'],
  ['set malloc', 'malloc-set', 'malloc'],
  ['create + end', 'create-end'],
  ['create + one object + end', 'create-use-end'],
  ['one object + reset', 'use-reset'],
  ['100,000 frees', 'free-many'],
  ['end of 100,000 objects, bump', 'end-bump', 'free-many'],
  ['end of 100,000 objects, set', 'end-set', 'free-many'],
];

const FULL_MS = 250;
const SMOKE_MS = 10;

export const contexts: Part = {
  name: 'contexts',
  about: 'memory contexts: objects, resets and ends, beside malloc and free',
  measure,
};

function measure({ smoke, rounds, tell }: Setting): Section[] {
  tell('memory contexts');
  const costs = measureContexts(rounds, smoke ? SMOKE_MS : FULL_MS);
  const nsOf = (scenario: ContextScenario) => costs.get(scenario) ?? [];
  const compared = CASES.flatMap(([name, scenario, peer]) =>
    peer === undefined ? [] : [{ name, peer, found: ratios(nsOf(scenario), nsOf(peer)) }],
  );
  return [
    {
      title: 'memory contexts, ns (objects of 64 bytes)',
      columns: ['', 'ns', 'to malloc_ts, or to 100,000 frees'],
      rows: CASES.map(([name, scenario]) => {
        const found = compared.find((one) => one.name === name)?.found ?? [];
        const ns = nsOf(scenario);
        const ratio = found.length === 0 ? '' : within(median(found), spread(found));
        return [name, within(median(ns), spread(ns)), ratio];
      }),
      notes: [],
      figures: Object.fromEntries(compared.map(({ name, found }) => [name, median(found)])),
    },
  ];
}

/** Nanoseconds per object, per context, or of the whole end, by round; scenarios take turns. */
function measureContexts(rounds: number, milliseconds: number): Map<ContextScenario, number[]> {
  const all = new Map<ContextScenario, number[]>(CASES.map(([, scenario]) => [scenario, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [scenario, found] of all) {
      const args = [scenario, OBJECT_BYTES, String(milliseconds), BODIES_OF_MANY];
      found.push(runNode<MicroResult>(CALLS, args).ns);
    }
  }
  return all;
}
