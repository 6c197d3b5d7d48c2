/**
 * The sum of a list or an array of numbers.
 *
 * Used by all of stats/. Pure.
 */

/** The sum of all items, or of a number computed from each. */
export function sum<T extends number>(items: ArrayLike<T>): number;
export function sum<T>(items: ArrayLike<T>, of: (item: T, index: number) => number): number;
export function sum<T>(
  items: ArrayLike<T>,
  of: (item: T, index: number) => number = (item) => item as number,
): number {
  let total = 0;
  for (let n = 0; n < items.length; n++) total += of(items[n], n);
  return total;
}
