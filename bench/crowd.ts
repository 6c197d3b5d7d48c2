/**
 * Many threads, more than there are processors: a full heap, how evenly the locks serve threads,
 * and how long the others wait when a thread is killed while it holds a lock.
 *
 * Models caches that evict when malloc returns 0; servers with more workers than cores that all
 * need one lock at once (large blocks: no real program requests so many); and the death of a worker
 * at the worst moment, in a heap whose repair has much to check. Does not show programs whose calls
 * are mostly served by their thread's own cache, which need no lock. A thread that waits for a
 * processor waits here too: all depends on threads per core, which the tables state.
 */

import { availableParallelism } from 'node:os';
import type { FairResult, FullResult, RescueResult } from './crowd-run.js';
import type { Part, Setting } from './part.js';
import { runModule } from './processes.js';
import type { Section } from './section.js';
import { median, spread } from './statistics.js';
import { short, within } from './tables.js';

const RUN = new URL('./crowd-run.js', import.meta.url);

interface Size {
  /** Numbers of idle threads beside the one that calls malloc of a full heap. */
  readonly idle: readonly number[];
  readonly fullCalls: number;
  readonly evicting: readonly number[];
  readonly fair: readonly number[];
  readonly milliseconds: number;
  readonly rescue: readonly number[];
  readonly kills: number;
  /** MiB of blocks in the heap that a rescue has to check. */
  readonly mib: number;
  /** Maximum rounds; a round takes half a minute. */
  readonly rounds: number;
}

const FULL: Size = {
  idle: [0, 7, 31],
  fullCalls: 50_000,
  evicting: [1, 2, 20],
  fair: [16, 64],
  milliseconds: 4000,
  rescue: [4, 16, 64],
  kills: 6,
  mib: 64,
  rounds: 3,
};
const SMOKE: Size = {
  idle: [1],
  fullCalls: 1000,
  evicting: [2],
  fair: [3],
  milliseconds: 200,
  rescue: [3],
  kills: 1,
  mib: 16,
  rounds: 1,
};

export const crowd: Part = {
  name: 'crowd',
  about: 'many threads: a full heap, fairness of locks, rescue when a thread is killed with one',
  measure,
};

function measure({ smoke, rounds, tell }: Setting): Section[] {
  const size = smoke ? SMOKE : FULL;
  const times = Math.min(rounds, size.rounds);
  const run = <Result>(kind: string, ...numbers: readonly number[]): Result[] => {
    tell(`crowd, ${kind} ${numbers[0]}`);
    const args = [kind, ...numbers.map(String)];
    return Array.from({ length: times }, () => runModule<Result>(RUN, args));
  };
  return [fullSection(size, run), fairSection(size, run), rescueSection(size, run)];
}

type RunMany = <Result>(kind: string, ...numbers: readonly number[]) => Result[];

function fullSection({ idle, fullCalls, evicting, milliseconds }: Size, run: RunMany): Section {
  const of = (name: string, results: readonly FullResult[]): [string, number[]] => [
    name,
    results.map(({ microseconds }) => microseconds ?? Number.NaN),
  ];
  const found = [
    ...idle.map((threads) => of(`1 thread, ${threads} idle`, run('full', threads, fullCalls))),
    ...evicting.map((threads) =>
      of(`${threads} threads that evict, the slowest`, run('evict', threads, milliseconds)),
    ),
  ];
  return {
    title: `a full heap, microseconds of a malloc that answers 0, ${CORES}`,
    columns: ['', 'median', 'least'],
    rows: found.map(([name, values]) => [
      name,
      within(median(values), spread(values)),
      short(Math.min(...values)),
    ]),
    notes: [
      'On average, with what threads wait for each other and for a processor. Threads that evict ' +
        'free one of their blocks whenever malloc answers 0, and ask again.',
    ],
    figures: Object.fromEntries(
      idle.map((threads, n) => [
        `malloc of a full heap, ${threads} idle`,
        Math.min(...(found[n] as [string, number[]])[1]),
      ]),
    ),
  };
}

function fairSection({ fair, milliseconds }: Size, run: RunMany): Section {
  const found = fair.map((threads) => {
    const results = run<FairResult>('fair', threads, milliseconds);
    // A thread without any call is not infinitely worse off than one with a single call.
    const shares = results.map(({ least, most }) => most / Math.max(least, 1));
    return { threads, results, share: Math.max(...shares) };
  });
  return {
    title: `threads that all need one lock, for ${milliseconds / 1000} s, ${CORES}`,
    columns: [
      'threads',
      'per core',
      'calls a second',
      'least of a thread',
      'most',
      'most to least',
    ],
    rows: found.flatMap(({ threads, results }) =>
      results.map(({ callsPerSecond, least, most }) => [
        String(threads),
        perCore(threads),
        short(callsPerSecond),
        least.toLocaleString('en-US'),
        most.toLocaleString('en-US'),
        short(most / Math.max(least, 1)),
      ]),
    ),
    notes: ['Each round in a line. A call: malloc and free of a block of 30 to 90 KB.'],
    figures: Object.fromEntries(
      found.map(({ threads, share }) => [`most to least of ${threads} threads`, share]),
    ),
  };
}

function rescueSection({ rescue, kills, mib }: Size, run: RunMany): Section {
  const found = rescue.map((threads) => {
    const results = run<RescueResult>('rescue', threads, kills, mib);
    const ms = results.flatMap(({ milliseconds }) => milliseconds);
    const dying = results.flatMap((result) => result.dying);
    // A rescue before the main thread heard of the end had no wait after it.
    const after = ms.map((one, n) => Math.max(0, one - (dying[n] as number)));
    return { threads, ms, after };
  });
  return {
    title: `a thread killed while it has locks that all others need, ms, ${CORES}`,
    columns: [
      'survivors',
      'per core',
      'kills',
      'median',
      'slowest',
      'median after',
      'slowest after',
    ],
    rows: found.map(({ threads, ms, after }) => [
      String(threads),
      perCore(threads),
      String(ms.length),
      ...[ms, after].flatMap((values) => [short(median(values)), short(Math.max(...values))]),
    ]),
    notes: [
      'From the order to end it until the last survivor has had a call return, none of them told; ' +
        'after: from when the main thread hears that it has ended, which Node takes up to a second ' +
        `for. Repair of what the locks guard is included, here ${mib} MiB of blocks of 64 bytes.`,
    ],
    figures: Object.fromEntries(
      found
        .filter(({ ms }) => ms.length > 0)
        .map(({ threads, ms }) => [`slowest rescue of ${threads} threads, ms`, Math.max(...ms)]),
    ),
  };
}

const CORES = `${availableParallelism()} cores`;
const perCore = (threads: number): string => short(threads / availableParallelism());
