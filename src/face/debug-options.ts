/**
 * The debug options of a heap: what the program asked for, and what the environment says.
 *
 * Used by heap-options.ts.
 */

import { type DebugSettings, NO_DEBUG } from '../layout/index.js';

/** What `SharedHeap.create({ debug })` can be told. */
export interface DebugOptions {
  /** Fill freed blocks with 0x55. */
  scribble?: boolean;
  /** Fill new blocks with 0xAA. */
  preScribble?: boolean;
  /** Bytes of red zone before and after each block. */
  guard?: number;
  /** Bytes of freed blocks that each thread holds back before they are used again. */
  quarantine?: number | string;
  /** Verify the heap after so many calls of a thread. */
  checkStart?: number;
  /** Then after every so many. */
  checkEach?: number;
  /** A free claims its block atomically: two threads that free one block at once are caught. */
  strict?: boolean;
  /** What a bad free does. */
  onError?: 'throw' | 'warn' | 'ignore';
  /** How many events of each thread are kept. */
  history?: number;
  /** Call stacks: how many frames; and for every n-th event only. */
  stacks?: number | { depth: number; every?: number };
  /** Write a trace of all calls to this file. */
  trace?: string;
  /** Report live blocks when the thread that made the heap ends. */
  leaks?: boolean;
  /** Print statistics when the thread that made the heap ends. */
  stats?: boolean;
  /** Every block is a run of its own. */
  direct?: boolean;
  /** Print all debug options. */
  help?: boolean;
}

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION */
export function resolveDebug(options: DebugOptions): DebugSettings {
  const { stacks: given } = options;
  const stacks = typeof given === 'object' ? given : { depth: given ?? 0, every: 1 };
  return {
    ...NO_DEBUG,
    scribble: options.scribble ?? false,
    preScribble: options.preScribble ?? false,
    strict: options.strict ?? false,
    direct: options.direct ?? false,
    leaks: options.leaks ?? false,
    stats: options.stats ?? false,
    onError: options.onError ?? 'throw',
    guardBytes: options.guard ?? 0,
    quarantineBytes: Number(options.quarantine ?? 0),
    checkStart: options.checkStart ?? 0,
    checkEach: options.checkEach ?? 0,
    historyEvents: options.history ?? 0,
    stackDepth: stacks.depth,
    stackEvery: stacks.every ?? 1,
    tracePath: options.trace ?? '',
  };
}
