/**
 * `shmalloc stress`: workers use one heap at random and are killed at random; then the books that
 * they kept are compared with the contents of the heap.
 */

import { randomInt } from 'node:crypto';
import { formatCount, table } from '../stats/index.js';
import { print, remark } from './output.js';
import { complainOfProblems, type Problem, type Verification } from './problems.js';
import { runStress, type StressOutcome, type StressPlan } from './stress-run.js';
import { parseOptions, UsageError, wholeNumber } from './usage.js';

export const STRESS_HELP = `shmalloc stress [options]

Workers allocate, fill, check, hand over, reallocate and free blocks of one heap at random, while
they are killed at random moments and replaced. At the end the books that they kept are compared
with the contents of the heap, and the heap is checked against all its invariants.

  --threads N      workers, default 4
  --seconds S      minimum length of the run, with the kills spread over it; default 10
  --operations K   minimum operations of the run, instead of --seconds
  --kills K        workers to kill, default 20; if given alone, the run ends after the last kill
  --seed S         seed of the random numbers; default: a new one every time, which is printed
  --size SIZE      size of the heap, default 256MiB
  --patience S     seconds without a step after which a worker is stuck, default 20
  --json           print the result as JSON, and nothing else

Exit code: 0 done, and all blocks are whole and accounted for; 1 something was found wrong;
2 a wrong option.`;

/** Mistakes to plant, for tests that they are found; not in the help. */
const PLANTS = ['lost', 'gone', 'corrupt', 'overlap', 'stray', 'hang', 'throw'] as const;

const THREADS_MAX = 250;
const KILLS_MAX = 100_000;
const SECONDS_MAX = 7 * 24 * 3600;
const OPERATIONS_MAX = 1e12;
const SEED_MAX = 2 ** 32 - 1;
const FINDINGS_TOLD_MAX = 20;

const DEFAULTS = { threads: '4', seconds: 10, kills: '20', size: '256MiB', patience: '20' };

interface Options extends StressPlan {
  readonly json: boolean;
}

/** The output of `--json`. */
interface Report {
  seed: number;
  node: string;
  threads: number;
  operations: number;
  kills: number;
  recoveries: number;
  blocksReturned: number;
  worstRecoveryMs: number;
  corrupted: number;
  lost: number;
  stuck: number;
  verify: Verification;
}

export async function stressCommand(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    print(STRESS_HELP);
    return 0;
  }
  const outcome = await runStress(options);
  const report = summarise(options, outcome);
  if (options.json) print(JSON.stringify(report, null, 2));
  else printReport(report, outcome);
  return complain(report, outcome) ? 1 : 0;
}

function readOptions(args: readonly string[]): Options | null {
  const { values } = parseOptions({
    args: [...args],
    options: {
      threads: { type: 'string', default: DEFAULTS.threads },
      seconds: { type: 'string' },
      operations: { type: 'string' },
      kills: { type: 'string' },
      seed: { type: 'string' },
      size: { type: 'string', default: DEFAULTS.size },
      patience: { type: 'string', default: DEFAULTS.patience },
      json: { type: 'boolean', default: false },
      plant: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  if (values.seconds !== undefined && values.operations !== undefined) {
    throw new UsageError(
      '--seconds and --operations: give only one of them, since a run has one length',
    );
  }
  const kills = wholeNumber('kills', values.kills ?? DEFAULTS.kills, 0, KILLS_MAX);
  const given = (option: 'seconds' | 'operations', most: number) => {
    const text = values[option];
    return text === undefined ? null : wholeNumber(option, text, 1, most);
  };
  const operations = given('operations', OPERATIONS_MAX);
  const killsDecide = values.kills !== undefined && kills > 0;
  const seconds = given('seconds', SECONDS_MAX);
  const unlimited = operations !== null || killsDecide;
  return {
    threads: wholeNumber('threads', values.threads, 1, THREADS_MAX),
    seconds: seconds ?? (unlimited ? null : DEFAULTS.seconds),
    operations,
    kills,
    seed:
      values.seed === undefined
        ? randomInt(SEED_MAX + 1)
        : wholeNumber('seed', values.seed, 0, SEED_MAX),
    size: values.size,
    patienceMs: wholeNumber('patience', values.patience, 1, SECONDS_MAX) * 1e3,
    plant: checkPlant(values.plant),
    progress: !values.json,
    json: values.json,
  };
}

function checkPlant(name: string | undefined): StressPlan['plant'] {
  if (name === undefined) return null;
  const plant = PLANTS.find((known) => known === name);
  if (plant !== undefined) return plant;
  throw new UsageError(`--plant takes one of ${PLANTS.join(', ')}, got '${name}'`);
}

function summarise(options: Options, outcome: StressOutcome): Report {
  const { audit, stats } = outcome;
  const problems: Problem[] = [...outcome.problems, ...(audit?.verify.problems ?? [])];
  if (audit === null) {
    const message = 'the heap could not be audited';
    problems.push({ invariant: 'audit', address: 0, message });
  }
  return {
    seed: options.seed,
    node: process.version,
    threads: options.threads,
    operations: outcome.operations,
    kills: outcome.kills,
    recoveries: stats?.recovery.recoveries ?? 0,
    blocksReturned: stats?.recovery.blocksReturned ?? 0,
    worstRecoveryMs: Math.round(outcome.worstRecoveryMs * 10) / 10,
    corrupted: audit?.corrupted ?? outcome.findings.length,
    lost: audit?.lost ?? 0,
    stuck: outcome.stuck.length,
    verify: { ok: problems.length === 0, problems },
  };
}

function printReport(report: Report, { seconds, audit, stats }: StressOutcome): void {
  const { operations, kills, threads, verify } = report;
  const rows: [string, string][] = [
    ['seed', String(report.seed)],
    ['node', report.node],
    ['threads', String(threads)],
    ['seconds', seconds.toFixed(1)],
    ['operations', formatCount(operations)],
    ['times the heap was full', formatCount(audit?.timesFull ?? 0)],
    ['kills', formatCount(kills)],
    ['  of them inside a heap call', formatCount(audit?.doubts ?? 0)],
    ['recoveries', formatCount(report.recoveries)],
    ['locks taken from the dead', formatCount(stats?.locks.ownerDeaths ?? 0)],
    ['cached blocks returned', formatCount(report.blocksReturned)],
    ['worst recovery', `${report.worstRecoveryMs.toFixed(1)} ms`],
    [
      'longest wait for a lock',
      `${((stats?.locks.longestWaitNanoseconds ?? 0) / 1e6).toFixed(1)} ms`,
    ],
    ['blocks live at the end', formatCount((audit?.blocks ?? 0) + (audit?.explained ?? 0))],
    ['  left by a call cut short', formatCount(audit?.explained ?? 0)],
    ['blocks corrupted', formatCount(report.corrupted)],
    ['blocks lost', formatCount(report.lost)],
    ['workers stuck', formatCount(report.stuck)],
    ['invariants', verify.ok ? 'all hold' : `${verify.problems.length} broken`],
  ];
  print(table(rows).join('\n'));
}

/** Prints errors of the run on stderr. Returns true if there are any. */
function complain(report: Report, { stuck, where, errors, findings }: StressOutcome): boolean {
  const { corrupted, lost, verify, seed } = report;
  for (const [region, place] of stuck.length > 0 ? where.entries() : []) {
    remark(`shmalloc: ${stuck.includes(region) ? 'stuck ' : ''}worker ${region}: ${place}`);
  }
  for (const error of errors) remark(`shmalloc: ${error}`);
  for (const finding of findings.slice(0, FINDINGS_TOLD_MAX)) remark(`shmalloc: ${finding}`);
  complainOfProblems(verify.problems);
  const wrong = corrupted + lost + stuck.length + errors.length > 0 || !verify.ok;
  if (wrong) remark(`shmalloc: that was seed ${seed}, node ${process.version}`);
  return wrong;
}
