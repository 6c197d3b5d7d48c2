/**
 * Traces of real programs, replayed by `shmalloc replay` in workers and by native/replay.c, on one
 * thread and on two.
 *
 * Models what programs ask for, in their order and with their lifetimes: the mix of sizes, and how
 * many blocks live at once. On two threads each replays the whole trace with blocks of its own, at
 * the same time: servers whose workers do alike. Does not show what programs do with the blocks
 * (one word is written), nor blocks that one thread allocates and another frees. Traces of a few
 * thousand calls are marked `short`: they are all in the caches, and those of a few hundred time
 * the clock as much as the heap.
 *
 * Ours and the peers take turns, round by round, so that a slow minute of the machine hits all;
 * what each round found is kept. Within a round, `nsPerOperation` is the best repetition of any
 * thread, and `operationsPerSecond` what all threads did in the last third of their repetitions.
 * Ours replays some times longer: it takes two threads on two processors half a second until what
 * they run is all compiled, which C was before.
 *
 * Footprints are of one repetition in a process of its own: of ours the pages that the heap ever
 * took, of the peers how much the resident set grew when all blocks are written all over (else what
 * no program touches would be free), with the threads' stacks and what the system rounds, some 100
 * KiB. A short trace may be over on one thread before the other wakes up: of two threads they say
 * something from some 100,000 operations.
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
/** Below this a replay is over in microseconds. */
const SHORT_OPERATIONS = 5000;
/** Footprint is judged where a trace is long enough to settle. */
const FOOTPRINT_OPERATIONS_MIN = 50_000;
/** We replay so many times as often as the peers. */
export const WARM_UP_TIMES = 6;
/** A guess, to choose how often to replay. */
const NS_PER_OPERATION = 12;
const REPEAT_MAX = 100_000;

/** A trace on so many threads, each at the same time as the others. */
export interface TraceOnThreads {
  readonly threads: number;
  /** Of each round: nanoseconds an operation of the best repetition, by allocator. */
  readonly nsPerOperation: Record<string, number[]>;
  /** Of each round: operations a second of all threads together, by allocator. */
  readonly operationsPerSecond: Record<string, number[]>;
  /** Most bytes from the system, by allocator. */
  readonly footprintBytes: Record<string, number>;
}

export interface TraceResult {
  readonly name: string;
  readonly operations: number;
  /** Too short to say much: it is kept, but should count for nothing. */
  readonly short: boolean;
  readonly onThreads: readonly TraceOnThreads[];
  /** On one thread, the best of all rounds, by allocator; ours is `shmalloc`. */
  readonly ns: Record<string, number>;
  /** Ours, on one thread. */
  readonly footprintBytes: number;
  /** Bytes asked for that live at once, at most: of one thread. */
  readonly peakLiveBytes: number;
  /** Most that the footprint should be; null where it is not judged. */
  readonly footprintBytesMax: number | null;
}

export interface TraceOptions {
  readonly smoke: boolean;
  readonly rounds: number;
  /** How long a peer's replay should take, at least. */
  readonly milliseconds: number;
  /** Only these; empty = all. */
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

/** How often to replay so many operations, to take so long. */
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

// ---- what both sides print

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
