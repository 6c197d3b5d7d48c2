/**
 * Sums of records of counts: every field is added, also one that a record gets in a later version.
 *
 * Used wherever records of counts are added up. Pure.
 */

// The original function: recovery adds counts, and a program may replace Object.keys.
const { keys } = Object;

type Counts<T> = { readonly [K in keyof T]: number };

/** Adds each field of `counts` to the field of the same name in `sum`. */
export function addCounts<T extends Counts<T>>(
  sum: { -readonly [K in keyof T]: number },
  counts: T,
) {
  const names = keys(counts) as (keyof T)[];
  for (let n = 0; n < names.length; n++) {
    const name = names[n] as keyof T;
    sum[name] += counts[name];
  }
}

/** True if all counts are 0. */
export function isNothing<T extends Counts<T>>(counts: T): boolean {
  const names = keys(counts) as (keyof T)[];
  for (let n = 0; n < names.length; n++) if (counts[names[n] as keyof T] !== 0) return false;
  return true;
}
