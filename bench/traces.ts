/**
 * Traces of real programs, replayed by `shmalloc replay` in workers and by native/replay.c, on one
 * thread and on two.
 *
 * Models what programs request, in their order and with their lifetimes: the mix of sizes, and how
 * many blocks live at once. On two threads each replays the whole trace with its own blocks, at the
 * same time, as in servers whose workers do similar work. Does not show what programs do with the
 * blocks (one word is written), nor blocks that one thread allocates and another frees. Traces of a
 * few thousand calls are marked `short`: they stay in the caches, and those of a few hundred calls
 * time the clock as much as the heap.
 *
 * Ours and the peers take turns, round by round, so that a slow minute of the machine affects all;
 * the results of each round are kept. Within a round, `nsPerOperation` is the best repetition of
 * any thread, and `operationsPerSecond` the work of all threads in the last third of their
 * repetitions. Ours replays several times longer: two threads on two processors need half a second
 * until their code is compiled, which C code is from the start.
 *
 * Footprints are of one repetition in its own process: for ours the pages that the heap ever took,
 * for the peers the growth of the resident set with all blocks written completely (otherwise
 * untouched memory would be free), including the threads' stacks and the system's rounding, about
 * 100 KiB. A short trace may end on one thread before the other wakes up: results of two threads
 * are meaningful from about 100,000 operations on.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { HeapStats } from 'shmalloc';
import { type Peers, ROOT, runNode } from './native.js';

const TRACES = fileURLToPath(new URL('bench/traces/', ROOT));
const COMMAND = new URL('dist/src/cli/main.js', ROOT);
const OURS = 'shmalloc';
const SMOKE_TRACES = ['cat', 'git', 'ls', 'vim'];
const THREADS = [1, 2];
/** Maximum operations of a short trace: it ends within microseconds. */
const SHORT_OPERATIONS = 5000;
/** Minimum operations of a trace for a target on its footprint. */
const FOOTPRINT_OPERATIONS_MIN = 50_000;
/** Factor by which ours repeats a trace more often than the peers. */
export const WARM_UP_TIMES = 6;
/** Estimated nanoseconds per operation, to choose the number of repetitions. */
const NS_PER_OPERATION = 12;
const REPEAT_MAX = 100_000;

/** A trace on several threads at the same time. */
export interface TraceOnThreads {
  readonly threads: number;
  /** By allocator: for each round the ns per operation of the best repetition. */
  readonly nsPerOperation: Record<string, number[]>;
  /** By allocator: for each round the operations per second of all threads together. */
  readonly operationsPerSecond: Record<string, number[]>;
  /** Maximum bytes from the system, by allocator. */
  readonly footprintBytes: Record<string, number>;
}

export interface TraceResult {
  readonly name: string;
  readonly operations: number;
  /** Too short to be meaningful: it is kept, but not counted. */
  readonly short: boolean;
  readonly onThreads: readonly TraceOnThreads[];
  /** On one thread, the best of all rounds, by allocator; ours is `shmalloc`. */
  readonly ns: Record<string, number>;
  /** Footprint of ours, on one thread. */
  readonly footprintBytes: number;
  /** Maximum requested bytes live at once, of one thread. */
  readonly peakLiveBytes: number;
  /** Target of the footprint; null if there is none. */
  readonly footprintBytesMax: number | null;
}

export interface TraceOptions {
  readonly smoke: boolean;
  readonly rounds: number;
  /** Minimum length of a peer's replay. */
  readonly milliseconds: number;
  /** Traces to run; empty = all. */
  readonly names?: readonly string[];
}

export function measureTraces(
  peers: Peers,
  { smoke, rounds, milliseconds, names = [] }: TraceOptions,
  tell: (name: string) => void,
): TraceResult[] {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-bench-'));
  try {
    return readdirSync(TRACES)
      .filter((file) => file.endsWith('.mtr.gz'))
      .map((file) => file.replace('.mtr.gz', ''))
      .filter((name) => (names.length > 0 ? names : smoke ? SMOKE_TRACES : [name]).includes(name))
      .map((name) => {
        tell(name);
        return measureTrace(peers, folder, name, { smoke, rounds, milliseconds });
      })
      .sort((a, b) => b.operations - a.operations);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Number of repetitions of a trace for a replay of this length. */
export function repeatsFor(operations: number, milliseconds: number): number {
  const wanted = Math.ceil((milliseconds * 1e6) / (operations * NS_PER_OPERATION));
  return Math.max(3, Math.min(wanted, REPEAT_MAX));
}

function measureTrace(
  peers: Peers,
  folder: string,
  name: string,
  { smoke, rounds, milliseconds }: TraceOptions,
): TraceResult {
  const packed = `${TRACES}${name}.mtr.gz`;
  const bytes = gunzipSync(readFileSync(packed));
  const unpacked = join(folder, `${name}.mtr`);
  writeFileSync(unpacked, bytes);
  const operations = bytes.readUInt32LE(4);
  const repeat = repeatsFor(operations, milliseconds);
  const ownRepeat = smoke ? repeat : repeatsFor(operations, milliseconds * WARM_UP_TIMES);

  const allocators = [OURS, ...peers.names];
  const replay = (allocator: string, threads: number): Rates =>
    allocator === OURS
      ? replayOurs(packed, ownRepeat, threads)
      : peers.run<Rates>(allocator, 'replay', [unpacked, String(repeat), String(threads)]);
  const footprint = (allocator: string, threads: number): Footprint =>
    allocator === OURS
      ? replayOurs(packed, 1, threads)
      : peers.run<Footprint>(allocator, 'replay', [unpacked, 'fill', String(threads)]);
  const onThreads = THREADS.map((threads) => ({
    threads,
    nsPerOperation: eachOf(allocators, (): number[] => []),
    operationsPerSecond: eachOf(allocators, (): number[] => []),
    footprintBytes: eachOf(allocators, (one) => footprint(one, threads).footprintBytes),
  }));
  for (let round = 0; round < rounds; round++) {
    for (const { threads, nsPerOperation, operationsPerSecond } of onThreads) {
      for (const allocator of allocators) {
        const found = replay(allocator, threads);
        nsPerOperation[allocator]?.push(found.nsPerOperation);
        operationsPerSecond[allocator]?.push(found.operationsPerSecond);
      }
    }
  }
  const alone = onThreads[0] as TraceOnThreads;
  const { peakLiveBytes } = replayOurs(packed, 1, 1);
  const judged = operations > FOOTPRINT_OPERATIONS_MIN;
  return {
    name,
    operations,
    short: operations < SHORT_OPERATIONS,
    onThreads,
    ns: eachOf(allocators, (one) => Math.min(...(alone.nsPerOperation[one] ?? []))),
    footprintBytes: alone.footprintBytes[OURS] as number,
    peakLiveBytes,
    footprintBytesMax: judged ? 1.25 * peakLiveBytes + 2 ** 20 : null,
  };
}

// ---- output of both sides

interface Rates {
  readonly nsPerOperation: number;
  readonly operationsPerSecond: number;
}

interface Footprint {
  readonly footprintBytes: number;
}

interface OurReport {
  readonly traces: [Rates & { readonly peakLiveBytes: number }];
  readonly stats: HeapStats;
}

function replayOurs(packed: string, repeat: number, threads: number) {
  const args = ['--json', '--threads', String(threads), '--repeat', String(repeat)];
  const { traces, stats } = runNode<OurReport>(COMMAND, ['replay', packed, ...args]);
  return { ...traces[0], footprintBytes: stats.footprintBytes };
}

function eachOf<Value>(
  names: readonly string[],
  find: (name: string) => Value,
): Record<string, Value> {
  return Object.fromEntries(names.map((name) => [name, find(name)]));
}
