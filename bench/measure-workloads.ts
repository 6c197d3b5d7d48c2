/**
 * Workloads: ours beside the C twins on the native allocators, and beside allocators in JavaScript.
 *
 * Allocators in JavaScript are up to thousands of times slower, so they get the small size and a
 * time limit, and ours runs once more at that size. For what the numbers do not show see each
 * workload, and native.ts.
 */

import type { AllocatorName } from './allocators.js';
import { NATIVE } from './native.js';
import type { Part, Setting } from './part.js';
import { runModule } from './processes.js';
import { type Contestant, type Measured, takeTurns } from './rounds.js';
import { OURS, type Section, type Timing } from './section.js';
import {
  memorySection,
  scalingSection,
  type TimeTable,
  timeSection,
  versionsSection,
} from './timings.js';
import type { WorkloadResult } from './workload-run.js';
import { type Size, WORKLOADS, type Workload, workloadNamed } from './workloads/index.js';

const RUN = new URL('./workload-run.js', import.meta.url);
const IN_JAVASCRIPT = ['locked', 'thi.ng', 'thi.ng-locked'] as const;
/** Limit of a whole run in JavaScript: it starts, runs once to be compiled, and once timed. */
const LIMIT_MS = { smoke: 2000, full: 10_000 };
/** Maximum rounds: ratios of thousands need no more. */
const ROUNDS_IN_JAVASCRIPT = 3;

type Result = WorkloadResult & { readonly ns: number };

export const workloads: Part = {
  name: 'workloads',
  about: 'fixed work on 1 and 2 threads, beside its C twins and allocators in JavaScript',
  measure,
};

function measure(setting: Setting): Section[] {
  const { alone, nodes, rounds, smoke, tell } = setting;
  const all = setting.workloads.length === 0 ? WORKLOADS : setting.workloads.map(workloadNamed);
  const native: Timing[] = [];
  const inJavaScript: Timing[] = [];
  const notes = [
    'The header of each workload defines its operation; the time is the elapsed time over the ' +
      'operations of all threads. Ratios: median of the rounds’ ratios, ± the distance of the quartiles.',
  ];
  for (const workload of all) {
    const counts = threadsOf(workload, setting);
    if (counts.length === 0) notes.push(`${workload.name} is not meaningful on several threads.`);
    for (const threads of counts) {
      tell(`${workload.name} on ${threads === 1 ? '1 thread' : `${threads} threads`}`);
      native.push(...measureNative(workload, threads, setting));
      if (alone) continue;
      const few = Math.min(rounds, ROUNDS_IN_JAVASCRIPT);
      inJavaScript.push(...measureInJavaScript(workload, threads, few, smoke));
    }
  }
  const table: TimeTable = {
    title: 'workloads, ns an operation',
    what: 'workload',
    peers: NATIVE,
    mean: true,
    plot: 'workloads',
    notes,
  };
  const labels = nodes.map(({ label }) => label);
  const apart = native.filter(({ group }) => group === 'workloads-apart');
  const together = native.filter(({ group }) => group === 'workloads');
  return [
    together.length === 0 ? null : timeSection(together, table),
    apart.length === 0 ? null : timeSection(apart, apartTable(table)),
    memorySection(native, {
      ...table,
      title: 'workloads, memory: footprint to peak live bytes',
      plot: 'workloads-memory',
      notes: [
        'Footprint: maximum memory that the allocator had from the system; of peers, the maximum ' +
          'growth of the process’s resident set. Peak live: maximum requested bytes live at once.',
      ],
    }),
    scalingSection(native, { ...table, title: 'workloads, scaling', plot: 'workloads-scaling' }),
    versionsSection(native, 'workloads', 'workload', labels),
    inJavaScript.length === 0 ? null : inJavaScriptSection(inJavaScript, smoke),
  ].filter((section) => section !== null);
}

/** A table of workloads whose times are not compared. */
function apartTable({ plot: _, mean: __, ...table }: TimeTable): TimeTable {
  const reasons = WORKLOADS.flatMap(({ name, apart }) =>
    apart === undefined ? [] : `${name}: ${apart}.`,
  );
  return { ...table, title: 'workloads apart, ns an operation', notes: reasons };
}

/** The numbers of threads that a workload runs on. */
function threadsOf({ threads: kind }: Workload, { threads, smoke }: Setting): readonly number[] {
  const wanted = threads ?? (smoke ? [kind === 'one' ? 1 : 2] : [1, 2]);
  return kind === 'one' ? wanted.filter((count) => count === 1) : wanted;
}

/** Ours on this Node and others, and the C twin on the native allocators. */
function measureNative(workload: Workload, threads: number, setting: Setting): Timing[] {
  const { peers, nodes, rounds, smoke } = setting;
  const { name } = workload;
  const size: Size = smoke ? 'smoke' : 'full';
  const twin = [threads, ...workload.parameters(size, threads)].map(String);
  const counted = runOurs(workload, 'counted', threads, size);
  const measured = takeTurns<Result>(rounds, [
    { allocator: OURS, run: () => runOurs(workload, OURS, threads, size) },
    ...peers.names.map((peer) => ({
      allocator: peer,
      run: () => withNs(peers.run<WorkloadResult>(peer, name, twin)),
    })),
    ...nodes.map(({ label, executable }) => ({
      allocator: label,
      run: () => runOurs(workload, OURS, threads, size, { executable }),
    })),
  ]);
  const { peakLiveBytes = 0 } = counted;
  requireSame(workload, threads, [
    ...measured,
    { allocator: 'counted', ns: [], results: [counted] },
  ]);
  return measured.map(({ results: _, ...one }) => ({
    group: workload.apart === undefined ? 'workloads' : 'workloads-apart',
    name,
    threads,
    ...one,
    peakLiveBytes,
  }));
}

function measureInJavaScript(
  workload: Workload,
  wanted: number,
  rounds: number,
  smoke: boolean,
): Timing[] {
  const limitMs = LIMIT_MS[smoke ? 'smoke' : 'full'];
  // To show that they run, one thread is enough: two that wait for each other take ten times as
  // long.
  const threads = smoke ? 1 : wanted;
  const isLocked = threads > 1 || (smoke && workload.threads === 'many');
  const allocators: AllocatorName[] = ['locked', isLocked ? 'thi.ng-locked' : 'thi.ng'];
  const measured = takeTurns<Result>(rounds, [
    { allocator: OURS, run: () => runOurs(workload, OURS, threads, 'smoke') },
    ...allocators.map(
      (one): Contestant<Result> => ({
        allocator: one,
        run: () => runOurs(workload, one, threads, 'smoke', { limitMs }),
        mayFail: true,
      }),
    ),
  ]);
  requireSame(workload, threads, measured);
  return measured.map(({ results: _, ...one }) => ({
    group: 'workloads-js',
    name: workload.name,
    threads,
    ...one,
  }));
}

function inJavaScriptSection(timings: readonly Timing[], smoke: boolean): Section {
  const limit = LIMIT_MS[smoke ? 'smoke' : 'full'] / 1000;
  return timeSection(timings, {
    title: 'workloads at smoke size, beside allocators in JavaScript, ns an operation',
    what: 'workload',
    peers: IN_JAVASCRIPT,
    mean: true,
    plot: 'workloads-beside-JavaScript',
    notes: [
      'locked: our heap with one lock around every call. thi.ng: @thi.ng/malloc, behind the same ' +
        `lock if there are several threads. "over ${limit} s": the run was ended then.`,
    ],
  });
}

function runOurs(
  { name }: Workload,
  allocator: AllocatorName,
  threads: number,
  size: Size,
  options: { executable?: string; limitMs?: number } = {},
): Result {
  const args = [name, allocator, String(threads), size];
  return withNs(runModule<WorkloadResult>(RUN, args, options));
}

const withNs = (result: WorkloadResult): Result => ({
  ...result,
  ns: (result.milliseconds * 1e6) / result.operations,
});

/**
 * Checks that the same work has the same checksum and number of operations on any allocator.
 * @throws Error that names two runs that differ
 */
export function requireSame(
  { name, deterministic }: Workload,
  threads: number,
  measured: readonly Measured<Result>[],
): void {
  if (!deterministic) return;
  const all = measured.flatMap(({ allocator, results }) =>
    results.map(({ checksum, operations }) => ({ allocator, checksum, operations })),
  );
  const [first] = all;
  for (const one of all) {
    if (one.checksum === first?.checksum && one.operations === first.operations) continue;
    throw new Error(
      `${name} on ${threads} threads: ${first?.allocator} did ${first?.operations} operations with ` +
        `checksum ${first?.checksum}, ${one.allocator} ${one.operations} with ${one.checksum}`,
    );
  }
}
