/**
 * Call stacks of a thread: taken, reduced to the program's frames, and kept once each in the heap.
 *
 * Used by debug-calls.ts. Owner thread only; the store itself is layout/stack-store.ts.
 */

import {
  type AnyFunction,
  callProgram,
  isStackOverflow,
  printable,
  publicCalls,
  random,
} from '../base/index.js';
import type { DebugSettings, HeapMemory } from '../layout/index.js';
import * as StackStore from '../layout/stack-store.js';

/**
 * Error at the time when this library is loaded, and its formatter of stacks, such as one with
 * source maps that the program installed before. A formatter that a test installs later changes no
 * stack.
 */
const RealError = Error;
const { captureStackTrace, prepareStackTrace: format } = Error;

/** Maximum frames of this package above the program's. */
const OWN_FRAMES_MAX = 20;
/** In place of a stack that is not available. */
const NO_TEXT = '\n(no stack: Error is frozen, or Error.prepareStackTrace gives no text)';
/** Maximum stacks whose numbers are remembered. */
const KNOWN_MAX = 4096;

/** The number of the stack of the call into this package; 0 if no stack is due. */
export type TakeStack = () => number;

interface Attachment {
  readonly threadId: number;
  /** Public calls of this attachment only. */
  readonly calls: ReadonlySet<AnyFunction>;
}

/** @param settings `stackDepth`: frames; `stackEvery`: one call in this many gets a stack */
export function createStacks(
  memory: HeapMemory,
  { stackDepth: depth, stackEvery: every }: DebugSettings,
  { threadId, calls }: Attachment,
): TakeStack {
  const store = StackStore.storeOf(memory);
  /** Keyed by the engine's text, so that no text is parsed twice. */
  const known = new Map<string, number>();
  const encoder = new TextEncoder();
  const random = createRandom();
  let count = 0;
  let next = interval();
  let warned = false;

  /**
   * Number of calls until the next stack: random, so that all calls of a program with a rhythm are
   * sampled.
   */
  function interval(): number {
    return every === 1 ? 1 : 1 + random(2 * every - 1);
  }

  function warnOfFullStore(): void {
    if (warned) return;
    warned = true;
    process.emitWarning(
      `thread ${threadId} found no room for a call stack: the heap keeps ${store.bytes} bytes ` +
        'of them, and new ones are left out from now on; fewer frames take less',
      { code: 'SHMALLOC_STACKS_FULL' },
    );
  }

  return function take() {
    count++;
    if (depth === 0 || count < next) return 0;
    next = count + interval();
    const raw = captureStack(depth + OWN_FRAMES_MAX, take);
    const before = known.get(raw);
    if (before !== undefined) return before;
    const frames = programFrames(depth, outermostCall(calls) ?? take);
    const text = encoder.encode(frames.map(printable).join('\n'));
    const stack = StackStore.intern(store, text);
    if (stack === 0) warnOfFullStore();
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(raw, stack);
    return stack;
  };
}

/**
 * The public call that the program made: the outermost running one, not counting calls during which
 * the program is called back. Undefined if there is none.
 *
 * An engine can leave out all frames up to a given function: the fewer frames are left above a
 * function, the further out it is.
 */
function outermostCall(calls: ReadonlySet<AnyFunction>): AnyFunction | undefined {
  let found: AnyFunction | undefined;
  withFormatter(Number.POSITIVE_INFINITY, sitesOf, (stackAbove) => {
    const countAbove = (call: AnyFunction): number => (stackAbove(call) as unknown[]).length;
    // Most public calls have another name than all running functions: they need no check.
    const sites = stackAbove(outermostCall) as NodeJS.CallSite[];
    const names = new Set(sites.map((site) => site.getFunctionName() ?? ''));
    const calledBack = countAbove(callProgram);
    let fewest = Number.POSITIVE_INFINITY;
    for (const some of [publicCalls(), calls]) {
      for (const call of some) {
        const count = names.has(call.name) ? countAbove(call) : 0;
        if (count <= calledBack || count >= fewest) continue;
        fewest = count;
        found = call;
      }
    }
    return undefined;
  });
  return found;
}

const sitesOf = (_: unknown, sites: NodeJS.CallSite[]): NodeJS.CallSite[] => sites;

/** The engine's text of the stack above a function. */
function captureStack(frames: number, above: AnyFunction): string {
  const stack = withFormatter(frames, format, (stackAbove) => stackAbove(above));
  return typeof stack === 'string' ? stack : NO_TEXT;
}

/**
 * Does work with the formatted stack above a function; undefined if the stack is not available.
 */
function withFormatter(
  frames: number,
  formatter: typeof format,
  work: (stackAbove: (above: AnyFunction) => unknown) => unknown,
): unknown {
  const { stackTraceLimit, prepareStackTrace } = RealError;
  // A program may have frozen Error, or have installed its own formatter of stacks.
  try {
    RealError.stackTraceLimit = frames;
    if (prepareStackTrace !== formatter) RealError.prepareStackTrace = formatter;
    return work((above) => {
      const holder: { stack?: unknown } = {};
      captureStackTrace(holder, above);
      // The engine formats the stack at its first use.
      return holder.stack;
    });
  } catch (error) {
    if (isStackOverflow(error)) throw error;
    return undefined;
  } finally {
    if (!Object.isFrozen(RealError)) {
      RealError.stackTraceLimit = stackTraceLimit;
      if (prepareStackTrace !== formatter) RealError.prepareStackTrace = prepareStackTrace;
    }
  }
}

/** The calling program's frames, each as `function (file:line:column)`. */
const programFrames = (depth: number, above: AnyFunction): string[] =>
  captureStack(depth + OWN_FRAMES_MAX, above)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ''))
    .filter((line) => !line.includes('node:internal/'))
    .slice(0, depth);

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
