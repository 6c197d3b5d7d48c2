/**
 * A small generator of random numbers (mulberry32): the same seed gives the same numbers.
 *
 * Used by commands whose run can be repeated by its seed. Workers have their own copy: they cannot
 * import this file.
 */

/** Random whole numbers from 0 to `limit` - 1. */
export type Below = (limit: number) => number;

export function randomFrom(seed: number): Below {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
