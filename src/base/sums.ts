/**
 * Sums of records: every field is added, whichever fields a record comes to have.
 *
 * Used wherever records of counts are added up. Pure.
 */

// As it is now: recovery adds up what it finds.
const { keys } = Object;

type Counts<T> = { readonly [K in keyof T]: number };

/** Adds each count of `counts` to that of the same name in `sum`. */
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

/** Are all counts 0? */
export function isNothing<T extends Counts<T>>(counts: T): boolean {
  const names = keys(counts) as (keyof T)[];
  for (let n = 0; n < names.length; n++) if (counts[names[n] as keyof T] !== 0) return false;
  return true;
}
