/**
 * Call stacks of a thread: taken, cut to what concerns the program, and kept once each in the heap.
 *
 * Used by debug-calls.ts. Owner thread only; the store itself is layout/stack-store.ts.
 */

import { isOwnFrame, isStackOverflow, printable, random } from '../base/index.js';
import { type DebugSettings, type HeapMemory, internStack } from '../layout/index.js';

/**
 * Error as it is now, and how it formats stacks: with source maps, say, where the program has seen to
 * that before it loads this library. What a test puts there later changes no stack.
 */
const RealError = Error;
const { captureStackTrace, prepareStackTrace: format } = Error;

/** Maximum frames of this package above the program's. */
const OWN_FRAMES_MAX = 10;
/** Instead of a stack that cannot be had. */
const NO_TEXT = '\n(no stack: Error is frozen, or Error.prepareStackTrace gives no text)';
/** So many different stacks are remembered with their numbers. */
const KNOWN_MAX = 4096;

/** The number of the stack of whoever called into this package; 0 when none is due now. */
export type TakeStack = () => number;

/** @param depth frames; `every`: one call in so many gets one */
export function createStacks(
  memory: HeapMemory,
  { stackDepth: depth, stackEvery: every }: DebugSettings,
  threadId: number,
): TakeStack {
  const { i32, u8, geometry } = memory;
  const { stackStore, stackStoreBytes } = geometry;
  /** By the text as the engine gives it, which is not taken apart twice. */
  const known = new Map<string, number>();
  const encoder = new TextEncoder();
  const own = ownFolder();
  const random = createRandom();
  let calls = 0;
  let next = interval();
  let warned = false;

  /**
   * How many calls until the next stack: at random, so that a program whose calls have a rhythm is
   * seen in all of it.
   */
  function interval(): number {
    return every === 1 ? 1 : 1 + random(2 * every - 1);
  }

  function warnOfFullStore(): void {
    if (warned) return;
    warned = true;
    process.emitWarning(
      `thread ${threadId} found no room for a call stack: the heap keeps ${stackStoreBytes} bytes ` +
        'of them, and new ones are left out from now on; fewer frames take less',
      { code: 'SHMALLOC_STACKS_FULL' },
    );
  }

  return function take() {
    calls++;
    if (depth === 0 || calls < next) return 0;
    next = calls + interval();
    const raw = captureStack(depth + OWN_FRAMES_MAX, take);
    const before = known.get(raw);
    if (before !== undefined) return before;
    const text = encoder.encode(programFrames(raw, own).slice(0, depth).map(printable).join('\n'));
    const stack = internStack(i32, u8, stackStore, stackStoreBytes, text);
    if (stack === 0) warnOfFullStore();
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(raw, stack);
    return stack;
  };
}

/** The engine's text of the stack above a function. */
function captureStack(frames: number, above: (...of: never[]) => unknown): string {
  const holder: { stack?: unknown } = {};
  const { stackTraceLimit, prepareStackTrace } = RealError;
  // A program may have frozen Error, or have formatted stacks in its own manner before.
  try {
    RealError.stackTraceLimit = frames;
    if (prepareStackTrace !== format) RealError.prepareStackTrace = format;
    captureStackTrace(holder, above);
    // The engine formats it when it is first asked for.
    return typeof holder.stack === 'string' ? holder.stack : NO_TEXT;
  } catch (error) {
    if (isStackOverflow(error)) throw error;
    return NO_TEXT;
  } finally {
    if (!Object.isFrozen(RealError)) {
      RealError.stackTraceLimit = stackTraceLimit;
      if (prepareStackTrace !== format) RealError.prepareStackTrace = prepareStackTrace;
    }
  }
}

/** The calling program's frames, each as `function (file:line:column)`. */
function programFrames(raw: string, own: string): string[] {
  const lines = linesOf(raw).filter((line) => !line.includes('node:internal/'));
  const first = lines.findIndex((line) => !line.includes(own) && !isOwnFrame(line));
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

/** Whole numbers from 0 to below a limit (xorshift, Marsaglia 2003). */
function createRandom(): (limit: number) => number {
  let x = (random() * 2 ** 32) | 1;
  return (limit) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % limit;
  };
}
