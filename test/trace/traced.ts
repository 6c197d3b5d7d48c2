/** Shared by the tests of merged traces: a traced heap, its threads and workers, and what its trace must have. */

import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import type { HeapMemory } from '../../src/layout/index.js';
import { finishTrace, type TraceLimits, type TraceSummary } from '../../src/trace/index.js';
import { shmalloc } from '../workers.js';
import { TraceFolder } from './make-trace.js';
import { CallLog, makeTracedMemory, TracedThread, tellTrace } from './traced-heap.js';
import type { TracingTask } from './tracing.worker.js';

const TRACING = new URL('./tracing.worker.js', import.meta.url);

/** A heap, the path of its trace, and the warnings. */
export class Traced {
  readonly path: string;
  readonly memory: HeapMemory;
  readonly warnings: string[] = [];
  readonly mail = new Int32Array(new SharedArrayBuffer(4 * 16));

  constructor(t: ExecutionContext, threads?: number) {
    this.path = new TraceFolder(t).path('app.mtr.gz');
    this.memory = makeTracedMemory(this.path, threads);
  }

  thread(threadId: number, calls = 10_000): { thread: TracedThread; log: CallLog } {
    const log = new CallLog(calls);
    return { thread: new TracedThread(this.memory, threadId, this.path, log), log };
  }

  worker(seed: number, calls: number): { worker: Worker; log: CallLog } {
    const log = new CallLog(calls);
    const { buffer, geometry } = this.memory;
    const { path, mail } = this;
    const task: TracingTask = { buffer, geometry, path, seed, log: log.words, mail };
    return { worker: new Worker(TRACING, { workerData: task }), log };
  }

  finish(limits?: TraceLimits): TraceSummary | null {
    return finishTrace(this.memory, this.path, (text) => this.warnings.push(text), limits);
  }

  files(): string[] {
    return readdirSync(dirname(this.path));
  }
}

export const isPrefix = (short: readonly string[], long: readonly string[]): boolean =>
  short.length <= long.length && short.every((line, n) => line === long[n]);

/**
 * Checks that each log is what one thread of the trace did, and that the trace has no other thread.
 */
export async function assertLogs(
  t: ExecutionContext,
  path: string,
  logs: readonly (readonly string[])[],
): Promise<void> {
  const { threads } = await tellTrace(path);
  t.is(threads.length, logs.length);
  for (const log of logs) {
    const own = threads.find((calls) => isPrefix(log.slice(0, 20), calls)) ?? [];
    t.true(isPrefix(log, own), `${log.length} calls made, ${own.length} in the trace`);
  }
}

export async function replays(t: ExecutionContext, path: string): Promise<void> {
  const { code, stderr } = await shmalloc('replay', '--verify', '--check', '--repeat', '1', path);
  t.is(code, 0, stderr);
}
