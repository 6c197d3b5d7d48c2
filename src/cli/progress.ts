/**
 * Progress of a long command: a bar on a terminal, plain lines elsewhere. On stderr, so that stdout
 * has only the result.
 *
 * The main thread reads shared counters; the workers send no messages for it.
 */

import type { SharedHeap } from '../api/index.js';
import { writeToStderr } from '../options/index.js';
import { formatBytes, formatCount, type ThreadStats } from '../stats/index.js';

const BAR_CELLS = 24;
const TERMINAL_PERIOD_MS = 100;
const PLAIN_PERIOD_MS = 1000;

export interface Progress {
  stop(): void;
}

/** The state of a command. */
export interface Standing {
  /** Part of the work that is done, 0 to 1. */
  readonly part: number;
  /** The work done, and its speed. */
  readonly speed: string;
  readonly memory: string;
  /** One line each, for a terminal. */
  readonly details: readonly string[];
}

/** Shows the state that `look` returns, until stopped. */
export function startProgress(look: (seconds: number) => Standing): Progress {
  const out = process.stderr;
  const terminal = out.isTTY === true;
  const started = performance.now();
  let lines = 0;

  function tick(): void {
    const { part, speed, memory, details } = look((performance.now() - started) / 1e3);
    const done = Math.min(1, part);
    const percent = `${(done * 100).toFixed(0).padStart(3)} %`;
    if (!terminal) {
      writeToStderr(`${percent}  ${speed}, ${memory}\n`);
      return;
    }
    const cells = Math.round(done * BAR_CELLS);
    const bar = '█'.repeat(cells) + '░'.repeat(BAR_CELLS - cells);
    const rows = [`${bar} ${percent}  ${memory}`, `  ${speed}`, ...details];
    erase();
    writeToStderr(rows.map((row) => `${row.slice(0, (out.columns || 80) - 1)}\n`).join(''));
    lines = rows.length;
  }

  function erase(): void {
    if (lines > 0) writeToStderr(`\u001b[${lines}A\u001b[J`);
    lines = 0;
  }

  const timer = setInterval(tick, terminal ? TERMINAL_PERIOD_MS : PLAIN_PERIOD_MS);
  return {
    stop() {
      clearInterval(timer);
      erase();
    },
  };
}

/** Progress of a number of operations on a heap; `done` has the count of each task. */
export function heapProgress(
  heap: SharedHeap,
  done: Float64Array,
  total: number,
): (seconds: number) => Standing {
  return (seconds) => {
    const operations = done.reduce((sum, n) => sum + n, 0);
    const stats = heap.stats();
    const busy = stats.threads.filter((thread) => thread.attached && thread.allocations > 0);
    return {
      part: operations / Math.max(total, 1),
      speed: describeSpeed(operations, seconds),
      memory: describeMemory(stats.inUseBytes, stats.footprintBytes),
      details: busy.map((thread) => describeThread(thread, seconds)),
    };
  };
}

export function describeSpeed(operations: number, seconds: number): string {
  return `${formatCount(operations)} operations, ${formatCount(operations / seconds)} a second`;
}

export function describeMemory(inUseBytes: number, footprintBytes: number): string {
  return `in use ${formatBytes(inUseBytes)}, footprint ${formatBytes(footprintBytes)}`;
}

function describeThread(thread: ThreadStats, seconds: number): string {
  const operations = thread.allocations + thread.frees;
  return (
    `  thread ${thread.threadId}: ${formatCount(operations)} calls, ` +
    `${formatCount(operations / seconds)} a second, cached ${formatBytes(thread.cachedBytes)}`
  );
}
