/**
 * Startup: the cost of the first heap of a process, cold.
 *
 *     node dist/bench/startup.js ENTRY        prints JSON; ENTRY: the URL of the package's main entry
 *
 * Models a program's start: cold code, one heap of 1 GiB. Resident growth is the process's, read
 * from /proc/self/statm before and after, so it includes the engine's own allocations in between.
 * Does not show the pages that the heap will touch once it is used.
 */

import { readFileSync } from 'node:fs';
import type { Library } from './worker-start.js';

export interface StartupResult {
  readonly createMs: number;
  /** Resident bytes that creation added; null without /proc. */
  readonly createResidentBytes: number | null;
}

const SYSTEM_PAGE_BYTES = 4096;

function residentBytes(): number | null {
  try {
    return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * SYSTEM_PAGE_BYTES;
  } catch {
    return null;
  }
}

const { SharedHeap } = (await import(process.argv[2] as string)) as Library;
residentBytes();
const before = residentBytes();
const started = performance.now();
const heap = SharedHeap.create({ size: '1GiB' });
const createMs = performance.now() - started;
const after = residentBytes();
const createResidentBytes = before === null || after === null ? null : after - before;
const result: StartupResult = { createMs, createResidentBytes };
console.log(JSON.stringify(result));
heap.detach();
