/**
 * `shmalloc replay`: replays allocation traces of real programs on one heap, in a pool of workers.
 *
 * Each trace goes to one worker at a time; if there are more traces than workers they queue up,
 * longest first; if fewer, traces are given out again until all workers are busy. If each has a
 * worker, all begin at once, so that their operations per second are those of all together.
 */

import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Corruption, ReplayResult, ReplayTask } from '../../workers/replay-worker.js';
import { SharedHeap } from '../api/index.js';
import { printable } from '../base/index.js';
import { HeapPool } from '../pool/index.js';
import { formatCount, type HeapStats, renderStats, table } from '../stats/index.js';
import { readTrace, type Trace } from '../trace/index.js';
import { print, remark } from './output.js';
import { complainOfProblems, type Verification } from './problems.js';
import { heapProgress, startProgress } from './progress.js';
import {
  checkPictureFiles,
  drawPictures,
  type PictureOptions,
  planMaps,
  readPictureOptions,
} from './replay-pictures.js';
import { parseOptions, UsageError, wholeNumber } from './usage.js';

export const REPLAY_HELP = `shmalloc replay [trace files] [options]

Replays allocation traces (.mtr.gz) on one heap; without files, those of the repository.

  --threads N     workers, default 1
  --repeat K      replay each trace K times, report the best; default 5
  --verify        fill every block with its own pattern, check all of it at realloc and free
  --check         check the heap against all its invariants when the replay is done
  --heap SIZE     size of the heap, default 1GiB
  --show          draw the map of the heap when it held most, as text
  --svg FILE      draw it as an SVG picture
  --html FILE     draw it as a page, with details of the cell under the pointer
  --frames N      for --html: N maps (at most 500), evenly over the operations, and a time slider
  --json          print the result as JSON, and nothing else
  --corrupt OP    flip a byte of a live block before operation OP, so that --verify finds it

Workers take maps in the first replay of each trace: for --frames at even steps of all operations,
otherwise where a trace holds most (its requested bytes); of those the map with the most live bytes
in the heap is drawn. If the heap is full, it is drawn at that moment. Times exclude the maps.

Exit code: 0 done, 1 a block was corrupted, the heap was full or --check found it broken, 2 a wrong
option, trace file or file to write.`;

/** Maximum workers: one slot of the heap is the main thread's. */
const THREADS_MAX = 254;

const SHIPPED = new URL('../../../bench/traces/', import.meta.url);
const WORKER = new URL('../../workers/replay-worker.js', import.meta.url);

interface Options {
  readonly traces: readonly Trace[];
  readonly threads: number;
  readonly repeat: number;
  readonly verify: boolean;
  readonly check: boolean;
  readonly heap: string;
  readonly json: boolean;
  readonly corruptAt: number;
  readonly pictures: PictureOptions;
}

interface TraceReport {
  name: string;
  operations: number;
  /** Time of the best repetition of any worker. */
  nsPerOperation: number;
  /**
   * Rate of all workers that replay the trace while they do so: without the start of the pool and
   * the first two thirds of the repetitions. null = traces took turns, so that there is no such
   * rate.
   */
  operationsPerSecond: number | null;
  /** Maximum requested bytes live at once. */
  peakLiveBytes: number;
}

/** The output of `--json`. */
interface Report {
  threads: number;
  operations: number;
  seconds: number;
  operationsPerSecond: number;
  verified: boolean;
  corrupted: number;
  traces: TraceReport[];
  stats: HeapStats;
  /** Present with --check. */
  verify?: Verification;
}

export async function replayCommand(args: readonly string[]): Promise<number> {
  const options = await readOptions(args);
  if (options === null) {
    print(REPLAY_HELP);
    return 0;
  }
  const tasks = shareOut(options.traces, options.threads);
  const longest = tasks[0]?.operations ?? 0;
  if (options.corruptAt >= 0 && options.corruptAt >= longest) {
    throw new UsageError(
      `--corrupt ${options.corruptAt}: the longest trace has only ${longest} operations`,
    );
  }
  using heap = SharedHeap.create({ size: options.heap, threads: options.threads + 1 });
  checkPictureFiles(options.pictures);
  const { results, seconds } = await run(heap, tasks, options);
  const report = summarise(heap, options, { tasks, results, seconds });
  if (options.check) report.verify = check(heap);
  if (options.json) print(JSON.stringify(report, null, 2));
  else printReport(report);
  drawPictures(options.pictures, heap, tasks, results);
  const broken = complainOfProblems(report.verify?.problems ?? []);
  return complain(tasks, results) || broken ? 1 : 0;
}

async function readOptions(args: readonly string[]): Promise<Options | null> {
  const { values, positionals } = parseOptions({
    args: [...args],
    allowPositionals: true,
    options: {
      threads: { type: 'string', default: '1' },
      repeat: { type: 'string', default: '5' },
      verify: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      heap: { type: 'string', default: '1GiB' },
      json: { type: 'boolean', default: false },
      corrupt: { type: 'string' },
      show: { type: 'boolean', default: false },
      svg: { type: 'string' },
      html: { type: 'string' },
      frames: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  if (values.corrupt !== undefined && !values.verify) {
    throw new UsageError('--corrupt goes with --verify: only --verify finds the corruption');
  }
  return {
    traces: await readTraces(positionals.length > 0 ? positionals : shippedTraces()),
    threads: wholeNumber('threads', values.threads, 1, THREADS_MAX),
    repeat: wholeNumber('repeat', values.repeat, 1),
    verify: values.verify,
    check: values.check,
    heap: values.heap,
    json: values.json,
    corruptAt: values.corrupt === undefined ? -1 : wholeNumber('corrupt', values.corrupt, 0),
    pictures: readPictureOptions(values),
  };
}

/** Reads one trace after the other: each takes memory while it is read. */
async function readTraces(paths: readonly string[]): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (const path of paths) traces.push(await readTrace(path));
  return traces;
}

/** @throws UsageError in the npm package, which has no traces */
function shippedTraces(): string[] {
  const folder = fileURLToPath(SHIPPED);
  if (!existsSync(folder)) {
    throw new UsageError(
      'replay: the npm package has no traces: name the files to replay. Those of 16 real programs are ' +
        'in bench/traces of the repository; SHMALLOC_TRACE=app.mtr.gz writes one of your own program',
    );
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.mtr.gz'))
    .map((name) => `${folder}${name}`);
}

/** The traces to run, each as often as needed to keep all workers busy; the longest first. */
function shareOut(traces: readonly Trace[], threads: number): Trace[] {
  const copies = Math.ceil(threads / traces.length);
  const tasks = Array.from({ length: copies }, () => traces).flat();
  return tasks.sort((a, b) => b.operations - a.operations);
}

/** True if there is a worker for each task. */
function isTogether(tasks: readonly Trace[], { threads }: Options): boolean {
  return tasks.length <= threads;
}

async function run(
  heap: SharedHeap,
  tasks: readonly Trace[],
  options: Options,
): Promise<{ results: ReplayResult[]; seconds: number }> {
  await using pool = new HeapPool(heap, { filename: WORKER, threads: options.threads });
  const progress = new Float64Array(new SharedArrayBuffer(tasks.length * 8));
  const total = tasks.reduce((sum, trace) => sum + trace.operations, 0) * options.repeat;
  const mapsWanted = planMaps(tasks, options.pictures);
  const start = isTogether(tasks, options)
    ? { there: new Int32Array(new SharedArrayBuffer(4)), tasks: tasks.length }
    : null;
  const bar = options.json ? null : startProgress(heapProgress(heap, progress, total));
  const started = performance.now();
  try {
    const results = await Promise.all(
      tasks.map((trace, n) => {
        const task: ReplayTask = {
          words: trace.words,
          blockIds: trace.blockIds,
          repeat: options.repeat,
          verify: options.verify,
          corruptAt: n === 0 ? options.corruptAt : -1,
          progress,
          progressEntry: n,
          start,
          mapsWanted: mapsWanted[n],
        };
        return pool.run<ReplayResult>(task);
      }),
    );
    return { results, seconds: (performance.now() - started) / 1e3 };
  } finally {
    bar?.stop();
  }
}

/** The results of a replay, task by task. */
interface Outcome {
  readonly tasks: readonly Trace[];
  readonly results: readonly ReplayResult[];
  readonly seconds: number;
}

function summarise(heap: SharedHeap, options: Options, outcome: Outcome): Report {
  const { tasks, results, seconds } = outcome;
  const operations = results.reduce((sum, result) => sum + result.operations, 0);
  const traces = options.traces.map((trace): TraceReport => {
    const own = results.filter((_, n) => tasks[n] === trace);
    return {
      name: trace.name,
      operations: own.reduce((sum, result) => sum + result.operations, 0),
      nsPerOperation: Math.min(...own.map((result) => result.nsPerOperation)),
      operationsPerSecond: isTogether(tasks, options)
        ? own.reduce((sum, result) => sum + result.operationsPerSecond, 0)
        : null,
      peakLiveBytes: trace.peakLiveBytes,
    };
  });
  return {
    threads: options.threads,
    operations,
    seconds,
    operationsPerSecond: operations / seconds,
    verified: options.verify,
    corrupted: results.reduce((sum, result) => sum + result.corrupted, 0),
    traces,
    stats: heap.stats(),
  };
}

/** Called after the pool's end: the main thread is the only one in the heap. */
function check(heap: SharedHeap): Verification {
  const { ok, problems } = heap.verify({ quiet: true });
  return { ok, problems };
}

function printReport(report: Report): void {
  const ns = report.verified ? 'ns/op (with checks)' : 'ns/op';
  const rows = report.traces
    .toSorted((a, b) => b.operations - a.operations)
    .map((t) => [printable(t.name), formatCount(t.operations), t.nsPerOperation.toFixed(1)]);
  print(table([['trace', 'operations', ns], ...rows]).join('\n'));
  print(
    `\n  ${formatCount(report.operations)} operations on ${report.threads} thread(s) in ` +
      `${report.seconds.toFixed(2)} s, ${formatCount(report.operationsPerSecond)} a second` +
      `${report.verified ? `; ${report.corrupted} blocks corrupted` : ''}\n`,
  );
  if (report.verify?.ok) print('  the heap keeps all its invariants\n');
  print(renderStats(report.stats));
}

/** Prints errors of the run on stderr. Returns true if there are any. */
function complain(tasks: readonly Trace[], results: readonly ReplayResult[]): boolean {
  let wrong = false;
  results.forEach(({ fullAt, corrupted, firstCorruption }, n) => {
    const name = tasks[n]?.name;
    if (fullAt !== null) {
      remark(`shmalloc: ${name}: the heap was full at operation ${fullAt}: try a larger --heap`);
    }
    if (firstCorruption !== null) {
      remark(`shmalloc: ${name}: ${corrupted} blocks corrupted; first: ${tell(firstCorruption)}`);
    }
    wrong ||= fullAt !== null || corrupted > 0;
  });
  return wrong;
}

function tell({ operation, address, offset, expected, found }: Corruption): string {
  const hex = (value: number) => `0x${value.toString(16)}`;
  return (
    `operation ${operation}, block at ${hex(address)}, byte ${offset}: ` +
    `expected ${hex(expected)}, found ${hex(found)}`
  );
}
