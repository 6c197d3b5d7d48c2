/**
 * Traces of real programs, replayed by `shmalloc replay` in a worker and by native/replay.c.
 *
 * Models what programs ask for, in their order and with their lifetimes: the mix of sizes, and how
 * many blocks live at once. Does not show what programs do with the blocks (one word is written),
 * nor threads: each trace is replayed on one. Traces of a few hundred calls are all in the caches,
 * and time the clock as much as the heap.
 *
 * Ours and the peers take turns, round by round, so that a slow minute of the machine hits all; of
 * all rounds the best counts.
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
const SMOKE_TRACES = ['cat', 'git', 'ls', 'vim'];
/** Footprint is judged where a trace is long enough to settle. */
const FOOTPRINT_OPERATIONS_MIN = 50_000;
/** A guess, to choose how often to replay. */
const NS_PER_OPERATION = 12;
const REPEAT_MAX = 100_000;

export interface TraceResult {
  readonly name: string;
  readonly operations: number;
  /** Best nanoseconds an operation, by allocator; ours is `shmalloc`. */
  readonly ns: Record<string, number>;
  readonly footprintBytes: number;
  readonly peakLiveBytes: number;
  /** Most that the footprint should be; null where it is not judged. */
  readonly footprintBytesMax: number | null;
}

export interface TraceOptions {
  readonly smoke: boolean;
  readonly rounds: number;
  /** How long a replay should take, at least. */
  readonly milliseconds: number;
}

export function measureTraces(
  peers: Peers,
  { smoke, rounds, milliseconds }: TraceOptions,
  tell: (name: string) => void,
): TraceResult[] {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-bench-'));
  try {
    return readdirSync(TRACES)
      .filter((file) => file.endsWith('.mtr.gz'))
      .map((file) => file.replace('.mtr.gz', ''))
      .filter((name) => !smoke || SMOKE_TRACES.includes(name))
      .map((name) => {
        tell(name);
        return measureTrace(peers, folder, name, rounds, milliseconds);
      })
      .sort((a, b) => b.operations - a.operations);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measureTrace(
  peers: Peers,
  folder: string,
  name: string,
  rounds: number,
  milliseconds: number,
): TraceResult {
  const packed = `${TRACES}${name}.mtr.gz`;
  const bytes = gunzipSync(readFileSync(packed));
  const unpacked = join(folder, `${name}.mtr`);
  writeFileSync(unpacked, bytes);
  const operations = bytes.readUInt32LE(4);
  const wanted = Math.ceil((milliseconds * 1e6) / (operations * NS_PER_OPERATION));
  const repeat = String(Math.max(3, Math.min(wanted, REPEAT_MAX)));

  const ns: Record<string, number> = {};
  const keep = (allocator: string, found: number) => {
    ns[allocator] = Math.min(ns[allocator] ?? Number.POSITIVE_INFINITY, found);
  };
  // The program's own footprint: one run on a heap of its own.
  const once = replay(packed, '1');
  const { peakLiveBytes } = once.traces[0];
  const { footprintBytes } = once.stats;
  for (let round = 0; round < rounds; round++) {
    keep('shmalloc', replay(packed, repeat).traces[0].nsPerOperation);
    for (const peer of peers.names) {
      const found = peers.run<{ nsPerOperation: number }>(peer, 'replay', [unpacked, repeat]);
      keep(peer, found.nsPerOperation);
    }
  }
  const judged = operations > FOOTPRINT_OPERATIONS_MIN;
  const footprintBytesMax = judged ? 1.25 * peakLiveBytes + 2 ** 20 : null;
  return { name, operations, ns, footprintBytes, peakLiveBytes, footprintBytesMax };
}

interface ReplayReport {
  readonly traces: [{ nsPerOperation: number; peakLiveBytes: number }];
  readonly stats: HeapStats;
}

function replay(packed: string, repeat: string): ReplayReport {
  return runNode(COMMAND, ['replay', packed, '--json', '--threads', '1', '--repeat', repeat]);
}

/** The geometric mean of ratios. */
export function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}
