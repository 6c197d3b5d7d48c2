/**
 * Stack headroom: to overflow before anything is half done, and not in the middle of it.
 *
 * Called before locked sections, by heap/section.ts and sync/lock-word.ts. Any thread.
 *
 * A caught stack overflow strikes at any call and leaves what was being changed as it was just then
 * (in a locked section: a lock held in 750 of 1,374 cases; with a probe before it in none of 18,000).
 */

/** So many frames are more stack than any locked section needs, interpreted too. */
export const SECTION_FRAMES = 7;
/**
 * The same for putting right what a dead thread has half done: deep, and mostly run for the first
 * time, so that functions are compiled on the way.
 */
export const RESCUE_FRAMES = 40;
/** The same for instrumented calls that may compile what is on their way, or write a file. */
export const COLD_FRAMES = 4 * RESCUE_FRAMES;

/**
 * Recursion that needs as much stack as `frames` wide frames: throws here or not at all. Few wide
 * frames cost half as much as many narrow ones (1.5 KiB: 50 instead of 90 ns), and recursion keeps
 * the compiler from inlining them away.
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

/** Throws where the stack ends; else there is enough for a call. */
export type Probe = () => void;

/** So many calls may run functions for the first time: to compile them takes stack as well. */
const COLD_CALLS = 64;

/**
 * A probe for one kind of call of one thread.
 * @param frames what it needs, as probeStack counts
 * @param coldFrames the same of the first calls, `coldCalls` of them
 */
export function createProbe(frames: number, coldFrames: number, coldCalls = COLD_CALLS): Probe {
  let cold = coldCalls;
  return () => {
    probeStack(cold > 0 ? coldFrames : frames);
    if (cold > 0) cold--;
  };
}

/** Is this what engines throw where the stack ends? */
export function isStackOverflow(thrown: unknown): boolean {
  const { name, message } = (thrown ?? {}) as { name?: unknown; message?: unknown };
  return name === 'RangeError' && typeof message === 'string' && /call stack/i.test(message);
}
