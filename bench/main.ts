/**
 * The benchmark: `npm run bench`, or `npm run bench -- --smoke` for a quick look that everything
 * runs.
 *
 * Runs the parts one after the other, prints the report and writes bench/results/latest.json. Each
 * part's file says what it models and what its numbers do not show. All are ratios to what C
 * programs get on this machine, since absolute times say more about the machine.
 */

import type { MicroResult } from './bodies.js';
import { measureContention } from './contention.js';
import { measureContexts } from './contexts.js';
import { measureOptions } from './debug-options.js';
import { findPeers, type Peers, runNode } from './native.js';
import { type MicroRow, printReport, type Results, writeResults } from './report.js';
import type { StartupResult } from './startup.js';
import { measureTraces } from './traces.js';

const MICRO = new URL('./micro.js', import.meta.url);
const STARTUP = new URL('./startup.js', import.meta.url);

interface Effort {
  readonly smoke: boolean;
  readonly rounds: number;
  readonly microMs: number;
  readonly contentionMs: number;
  readonly traceMs: number;
}

const FULL: Effort = {
  smoke: false,
  rounds: 3,
  microMs: 500,
  contentionMs: 500,
  traceMs: 700,
};
const SMOKE: Effort = {
  smoke: true,
  rounds: 1,
  microMs: 60,
  contentionMs: 60,
  traceMs: 10,
};

const BY_SIZE = [64, 1024, 16_384, 65_536];

/** Scenario, size, and the scenario of the C twin with its target ratio. */
const CALLS: readonly [name: string, size: number, twin: string, ratioMax: number | null][] = [
  ['pair', 64, 'pair', 0.7],
  ['replace', 0, 'replace', 0.6],
  ['pair-unsafe', 64, 'pair', null],
  ['replace-unsafe', 0, 'replace', null],
  ['pair-locked', 64, 'pair', null],
  ...BY_SIZE.map((size) => ['calloc', size, 'calloc', null] as [string, number, string, null]),
  ...BY_SIZE.map((size) => ['realloc', size, 'realloc', null] as [string, number, string, null]),
];

async function main(args: readonly string[]): Promise<void> {
  const effort = args.includes('--smoke') ? SMOKE : FULL;
  const peers = findPeers();
  const micro = CALLS.map((call) => measureCall(peers, effort, ...call));
  tell('two threads');
  const contention = await measureContention(effort.rounds, effort.contentionMs);
  tell('startup');
  const startup = measureStartup(effort.rounds);
  const traces = measureTraces(
    peers,
    { smoke: effort.smoke, rounds: effort.rounds, milliseconds: effort.traceMs },
    (name) => tell(`trace ${name}`),
  );
  tell('debug options');
  const options = measureOptions(effort.rounds, effort.microMs);
  tell('memory contexts');
  const contexts = measureContexts(effort.rounds, effort.microMs);
  const results: Results = {
    smoke: effort.smoke,
    peers: peers.names,
    missing: peers.missing,
    micro,
    contention,
    startup,
    traces,
    options,
    contexts,
  };
  printReport(results);
  console.log(`\n${writeResults(results)}`);
}

/** Ours and the peers take turns; of the rounds' medians the best counts. */
function measureCall(
  peers: Peers,
  { rounds, microMs }: Effort,
  scenario: string,
  size: number,
  twin: string,
  ratioMax: number | null,
): MicroRow {
  const name = size === 0 ? scenario : `${scenario} ${size.toLocaleString('en-US')} B`;
  tell(name);
  const ns: Record<string, number> = {};
  const keep = (allocator: string, result: MicroResult) => {
    ns[allocator] = Math.min(ns[allocator] ?? Number.POSITIVE_INFINITY, result.ns);
  };
  const args = [String(size), String(microMs)];
  for (let round = 0; round < rounds; round++) {
    keep('shmalloc', runNode<MicroResult>(MICRO, [scenario, ...args]));
    for (const peer of peers.names) {
      keep(peer, peers.run<MicroResult>(peer, 'pair', [twin, ...args]));
    }
  }
  return { name, ns, ratioMax };
}

/** Each time in a new process; the best of each number. */
function measureStartup(rounds: number): StartupResult {
  const all = Array.from({ length: rounds * 2 + 1 }, () => runNode<StartupResult>(STARTUP, []));
  const least = (of: (result: StartupResult) => number) => Math.min(...all.map(of));
  const measured = all.every(({ createResidentBytes }) => createResidentBytes !== null);
  return {
    createMs: least(({ createMs }) => createMs),
    createResidentBytes: measured
      ? least(({ createResidentBytes }) => createResidentBytes ?? 0)
      : null,
    attachMs: least(({ attachMs }) => attachMs),
  };
}

/** What is being measured, on stderr. */
function tell(what: string): void {
  process.stderr.write(`measuring ${what}\n`);
}

await main(process.argv.slice(2));
