/**
 * Globals as they were when this module was loaded. A test library puts doubles in their place (a
 * clock that stands still, a seeded random), and a program may do so at any time: that must change no
 * wait, no verdict and no file. (Those of Atomics are in layout/atomics.ts,
 * lists, maps and sets in lists.ts.)
 *
 * Any thread.
 *
 * I1  No wait ends by a clock alone: whoever waits also counts how often it has slept. So a double
 *     that was there before this module is a wrong figure, and never a wait without end.
 */

const { performance, Date: RealDate } = globalThis;

/** Milliseconds since the thread began; never goes back. */
export const now = performance.now.bind(performance);
/** Milliseconds since 1970. */
export const wallNow = RealDate.now.bind(RealDate);
/** The wall time at which `now` was 0. */
export const timeOrigin: number = performance.timeOrigin;
/** From 0 to below 1. */
export const { random } = Math;
/**
 * Runs a function when what runs now has ended. By a promise: test libraries have doubles for
 * queueMicrotask, and for no promise.
 */
const settled = Promise.resolve();
export const laterThisTurn: (work: () => void) => void = settled.then.bind(settled);

// Methods, with what they are called on in front.

const { call } = Function.prototype;
type Words = Uint8Array | Uint32Array | Float64Array;
/** `array.fill(value, start, end)`. */
export const fillWords: (array: Words, value: number, start?: number, end?: number) => void =
  call.bind(Uint8Array.prototype.fill);
/** `list.indexOf(value)`. */
export const indexIn: <T>(list: readonly T[], value: T) => number = call.bind(
  Array.prototype.indexOf,
);
/** `bytes.copyWithin(to, start, end)`. */
export const copyWithin: (bytes: Uint8Array, to: number, start: number, end: number) => void =
  call.bind(Uint8Array.prototype.copyWithin);
