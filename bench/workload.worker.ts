/**
 * Pool task of bench/workload-run.ts: one thread of a workload.
 *
 * A worker keeps its program, so that the second run finds it compiled.
 */

import { SharedHeap } from 'shmalloc';
import { allocatorOf, type Shared } from './allocators.js';
import { type Outcome, type Part, type Program, workloadNamed } from './workloads/index.js';

export interface WorkloadTask {
  readonly workload: string;
  readonly shared: Shared;
  readonly part: Part;
  /** Word 0: number of threads that have arrived. */
  readonly barrier: Int32Array<SharedArrayBuffer>;
}

export interface WorkloadDone extends Outcome {
  /** Time on a clock that all threads share. */
  readonly startedNs: bigint;
  readonly endedNs: bigint;
}

let program: Program | undefined;

export default function run({ workload, shared, part, barrier }: WorkloadTask): WorkloadDone {
  program ??= workloadNamed(workload).create(allocatorOf(shared, SharedHeap.current()));
  Atomics.add(barrier, 0, 1);
  while (Atomics.load(barrier, 0) < part.threads);
  const startedNs = process.hrtime.bigint();
  const { operations, checksum } = program.work(part);
  return { operations, checksum, startedNs, endedNs: process.hrtime.bigint() };
}
