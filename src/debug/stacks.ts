/**
 * Call stacks of a thread: taken, cut to what concerns the program, and kept once each in the heap.
 *
 * Used by debug-calls.ts. Owner thread only; the store itself is layout/stack-store.ts.
 */

import { type HeapMemory, internStack } from '../layout/index.js';

/** Frames of this package stand above the program's. */
const OWN_FRAMES_MAX = 12;
/** So many different stacks are remembered with their numbers. */
const KNOWN_MAX = 4096;

/** The number of the stack of whoever called into this package; 0 when none is due now. */
export type TakeStack = () => number;

/** @param depth frames; `every`: only every n-th call gets one */
export function createStacks(memory: HeapMemory, depth: number, every: number): TakeStack {
  const { i32, u8, geometry } = memory;
  const { stackStore, stackStoreBytes } = geometry;
  const known = new Map<string, number>();
  const encoder = new TextEncoder();
  const own = ownFolder();
  let calls = 0;

  return () => {
    calls++;
    if (depth === 0 || calls % every !== 0) return 0;
    const text = takeStack(depth, own);
    const before = known.get(text);
    if (before !== undefined) return before;
    const stack = internStack(i32, u8, stackStore, stackStoreBytes, encoder.encode(text));
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(text, stack);
    return stack;
  };
}

/** The calling program's frames, a line each, as `function (file:line:column)`. */
function takeStack(depth: number, own: string): string {
  const lines = takeLines(depth + OWN_FRAMES_MAX);
  const first = lines.findIndex((line) => !line.includes(own));
  return lines.slice(Math.max(first, 0), Math.max(first, 0) + depth).join('\n');
}

/** Where this package lies, as stacks of this process name it: source maps make it another place. */
function ownFolder(): string {
  const [line = ''] = takeLines(1);
  const [, folder] = /(\S+)debug[\\/]stacks\./.exec(line) ?? [];
  return folder?.replace(/^\(/, '') ?? '(nowhere)';
}

function takeLines(frames: number): string[] {
  const holder: { stack?: unknown } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  Error.captureStackTrace(holder, takeLines);
  Error.stackTraceLimit = limit;
  // A program may format stacks in its own manner.
  if (typeof holder.stack !== 'string') return ['(no text)'];
  return holder.stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ''))
    .filter((line) => !line.includes('node:internal/'));
}
