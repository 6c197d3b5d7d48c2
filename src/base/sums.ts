/**
 * Sums of records: every field is added, whichever fields a record comes to have.
 *
 * Used wherever records of counts are added up. Pure.
 */

type Counts<T> = { readonly [K in keyof T]: number };

/** Adds each count of `counts` to that of the same name in `sum`. */
export function addCounts<T extends Counts<T>>(
  sum: { -readonly [K in keyof T]: number },
  counts: T,
) {
  for (const name of Object.keys(counts) as (keyof T)[]) sum[name] += counts[name];
}

/** Are all counts 0? */
export const isNothing = <T extends Counts<T>>(counts: T): boolean =>
  Object.values(counts).every((count) => count === 0);
