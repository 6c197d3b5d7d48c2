/**
 * Call stacks of a thread: taken, cut to what concerns the program, and kept once each in the heap.
 *
 * Used by debug-calls.ts. Owner thread only; the store itself is layout/stack-store.ts.
 */

import { type HeapMemory, internStack } from '../layout/index.js';

/** Frames of this package stand above the program's. */
const OWN_FRAMES_MAX = 6;
/** So many different stacks are remembered with their numbers. */
const KNOWN_MAX = 4096;

/** The number of the stack of whoever called into this package; 0 when none is due now. */
export type TakeStack = () => number;

/** @param depth frames; `every`: only every n-th call gets one */
export function createStacks(memory: HeapMemory, depth: number, every: number): TakeStack {
  const { i32, u8, geometry } = memory;
  const { stackStore, stackStoreBytes } = geometry;
  /** By the text as the engine gives it, which is not taken apart twice. */
  const known = new Map<string, number>();
  const encoder = new TextEncoder();
  const own = ownFolder();
  let calls = 0;

  return function take() {
    calls++;
    if (depth === 0 || calls % every !== 0) return 0;
    const raw = captureStack(depth + OWN_FRAMES_MAX, take);
    const before = known.get(raw);
    if (before !== undefined) return before;
    const text = encoder.encode(programFrames(raw, own).slice(0, depth).join('\n'));
    const stack = internStack(i32, u8, stackStore, stackStoreBytes, text);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(raw, stack);
    return stack;
  };
}

/** The engine's text of the stack above a function. */
function captureStack(frames: number, above: (...of: never[]) => unknown): string {
  const holder: { stack?: unknown } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  Error.captureStackTrace(holder, above);
  Error.stackTraceLimit = limit;
  // A program may format stacks in its own manner.
  return typeof holder.stack === 'string' ? holder.stack : '';
}

/** The calling program's frames, each as `function (file:line:column)`. */
function programFrames(raw: string, own: string): string[] {
  const lines = linesOf(raw).filter((line) => !line.includes('node:internal/'));
  const first = lines.findIndex((line) => !line.includes(own));
  return first < 0 ? lines : lines.slice(first);
}

const linesOf = (raw: string): string[] =>
  raw
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ''));

/** Where this package lies, as stacks of this process name it: source maps make it another place. */
function ownFolder(): string {
  const [line = ''] = linesOf(captureStack(1, captureStack));
  const [, folder] = /(\S+)debug[\\/]stacks\./.exec(line) ?? [];
  return folder?.replace(/^\(/, '') ?? '(nowhere)';
}
