/**
 * Statistics over the numbers of several rounds. Pure functions.
 *
 * A round runs every allocator once, so that a slow minute of the machine affects all of them.
 * Ratios are taken by round, and then their median: what slowed a whole round down cancels out.
 */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Interpolates linearly between two values. NaN for an empty list. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Distance of the quartiles as a part of the median. NaN for fewer than two values. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  return (quantile(values, 0.75) - quantile(values, 0.25)) / median(values);
}

/** Ratios of the values of the same rounds. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  const rounds = Math.min(ours.length, theirs.length);
  return Array.from({ length: rounds }, (_, n) => (ours[n] as number) / (theirs[n] as number));
}

/** NaN for an empty list. */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
