/**
 * Progress of a replay: a bar on a terminal, plain lines elsewhere. On stderr, so that stdout holds
 * the result alone.
 *
 * The main thread reads shared counters; no worker is asked anything.
 */

import type { SharedHeap } from '../face/index.js';
import { formatBytes, formatCount, type ThreadStats } from '../observe/index.js';

const BAR_CELLS = 24;
const TERMINAL_PERIOD_MS = 100;
const PLAIN_PERIOD_MS = 1000;

export interface Progress {
  stop(): void;
}

export function startProgress(heap: SharedHeap, done: Float64Array, total: number): Progress {
  const out = process.stderr;
  const terminal = out.isTTY === true;
  const started = performance.now();
  let lines = 0;

  function tick(): void {
    const operations = done.reduce((sum, n) => sum + n, 0);
    const seconds = (performance.now() - started) / 1e3;
    const stats = heap.stats();
    const part = Math.min(1, operations / Math.max(total, 1));
    const percent = `${(part * 100).toFixed(0).padStart(3)} %`;
    const speed = `${formatCount(operations)} operations, ${formatCount(operations / seconds)} a second`;
    const memory = `in use ${formatBytes(stats.inUseBytes)}, footprint ${formatBytes(stats.footprintBytes)}`;
    if (!terminal) {
      out.write(`${percent}  ${speed}, ${memory}\n`);
      return;
    }
    const cells = Math.round(part * BAR_CELLS);
    const bar = '█'.repeat(cells) + '░'.repeat(BAR_CELLS - cells);
    const busy = stats.threads.filter((thread) => thread.attached && thread.allocations > 0);
    const rows = [
      `${bar} ${percent}  ${memory}`,
      `  ${speed}`,
      ...busy.map((thread) => describe(thread, seconds)),
    ];
    erase();
    out.write(rows.map((row) => `${row.slice(0, (out.columns || 80) - 1)}\n`).join(''));
    lines = rows.length;
  }

  function erase(): void {
    if (lines > 0) out.write(`\u001b[${lines}A\u001b[J`);
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

function describe(thread: ThreadStats, seconds: number): string {
  const operations = thread.allocations + thread.frees;
  return (
    `  thread ${thread.threadId}: ${formatCount(operations)} calls, ` +
    `${formatCount(operations / seconds)} a second, cached ${formatBytes(thread.cachedBytes)}`
  );
}
