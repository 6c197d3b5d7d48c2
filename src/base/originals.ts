/**
 * Globals as they were when this module was loaded. A test library or a program may replace them at
 * any time (a clock that stands still, a seeded random). A replacement must not change a wait, a
 * verdict or a file. Atomics are kept in layout/atomics.ts; lists, maps and sets in lists.ts.
 *
 * Any thread.
 *
 * I1  No wait ends by a clock alone: every wait also counts its sleeps. So a clock that was
 *     replaced before this module was loaded gives a wrong figure, but never an endless wait.
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
 * Runs a function after the current turn's code. It uses a promise, since test libraries replace
 * queueMicrotask but not promises.
 */
const settled = Promise.resolve();
export const laterThisTurn: (work: () => void) => void = settled.then.bind(settled);

type FileSystem = ReturnType<typeof process.getBuiltinModule<'node:fs'>>;
/**
 * Functions of the file system; undefined in a browser. Not by import: that loads the file system's
 * promises and streams, too.
 * @internal
 */
export const {
  closeSync,
  constants: fileConstants,
  fstatSync,
  openSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} = (globalThis.process?.getBuiltinModule?.('node:fs') ?? {}) as FileSystem;

// Methods as functions that take their `this` as the first argument.

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
