/**
 * The sum over lists and arrays of numbers.
 *
 * Used by all of stats/. Pure.
 */

/** The sum over some items. */
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
