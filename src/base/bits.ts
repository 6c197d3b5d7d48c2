/**
 * Bit tricks that more than one layer needs.
 *
 * Used by layout/ and pages/. Pure arithmetic, any thread.
 */

/** `value` rounded up to a multiple of `step` (a power of two). Safe up to 2^53. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** `value` rounded down to a multiple of `step`. Safe up to 2^53. */
export function roundDown(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

/** The index of the lowest set bit; `bits` must not be 0. */
export function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** The number of set bits in a 32-bit word (Warren, Hacker's Delight, 5-1). */
export function countBits(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** True if `value` is a power of two and an unsigned 32-bit integer. */
export function isPowerOfTwo(value: number): boolean {
  return value > 0 && value >>> 0 === value && (value & (value - 1)) === 0;
}
