/**
 * Stack headroom: makes a stack overflow happen before a change begins, not in the middle of it.
 *
 * Called before locked sections, by heap/section.ts and sync/lock-word.ts. Any thread.
 *
 * A stack overflow that the program catches can strike at any call, and leaves a change half done
 * (of 1,374 overflows in a locked section 750 left a lock held; with a probe before it, none of
 * 18,000).
 */

/** Frames to probe before a locked section: more than any section needs, also when interpreted. */
export const SECTION_FRAMES = 7;
/**
 * Frames to probe before repairing what a dead thread left half done. Repair calls are deep and
 * mostly run for the first time, so the engine compiles functions on the way.
 */
export const RESCUE_FRAMES = 40;
/** Frames to probe before instrumented calls that may compile functions or write a file. */
export const COLD_FRAMES = 4 * RESCUE_FRAMES;

/**
 * Recurses through `frames` wide frames: a stack overflow happens here or not at all. A few wide
 * frames cost half as much as many narrow ones (1.5 KiB: 50 instead of 90 ns), and recursion keeps
 * the compiler from inlining them.
 */
// biome-ignore format: one line per eight words of stack
export function probeStack(
  frames: number,
  _a?: 0, _b?: 0, _c?: 0, _d?: 0, _e?: 0, _f?: 0, _g?: 0, _h?: 0,
  _i?: 0, _j?: 0, _k?: 0, _l?: 0, _m?: 0, _n?: 0, _o?: 0, _p?: 0,
  _q?: 0, _r?: 0, _s?: 0, _t?: 0, _u?: 0, _v?: 0, _w?: 0, _x?: 0,
): number {
  if (frames === 0) return 0;
  return probeStack(
    frames - 1,
    0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,
  ) + 1;
}

/** Throws if the stack has too little room left for a call. */
export type Probe = () => void;

/** Number of first calls that may compile functions, which takes more stack. */
const COLD_CALLS = 64;

/**
 * Creates a probe for one kind of call of one thread.
 * @param frames frames to probe, as in probeStack
 * @param coldFrames frames to probe in the first `coldCalls` calls
 */
export function createProbe(frames: number, coldFrames: number, coldCalls = COLD_CALLS): Probe {
  let cold = coldCalls;
  return () => {
    probeStack(cold > 0 ? coldFrames : frames);
    if (cold > 0) cold--;
  };
}

/** True for the error that engines throw when the stack overflows. */
export function isStackOverflow(thrown: unknown): boolean {
  const { name, message } = (thrown ?? {}) as { name?: unknown; message?: unknown };
  // No expression: the engine compiles one at its first use, and has no stack left for that.
  return name === 'RangeError' && typeof message === 'string' && message.includes('call stack');
}
