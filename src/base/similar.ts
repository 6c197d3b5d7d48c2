/**
 * Similar names: guesses which known name a mistyped name stands for.
 *
 * Used by options.ts and by options/ for variables of the environment. Pure functions.
 */

import { times } from './lists.js';

/**
 * The known name with the smallest edit distance; the first one, if several have it. Undefined if
 * more than a third of the letters would change.
 */
export function similarTo(name: string, names: readonly string[]): string | undefined {
  // A longer name is not a mistyped one, and comparing it would take long.
  if (name.length > NAME_CHARS_MAX) return undefined;
  const far = (other: string): number => editDistance(name.toLowerCase(), other.toLowerCase());
  const [first = ''] = [...names].sort((a, b) => far(a) - far(b));
  return far(first) <= Math.ceil(name.length / 3) ? first : undefined;
}

/** Maximum letters of a name that is compared. */
const NAME_CHARS_MAX = 100;

/** The letters to insert, delete or change that turn one text into the other. */
export function editDistance(from: string, to: string): number {
  let above = times(to.length + 1, (n) => n);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (above[j - 1] as number) + Number(from[i - 1] !== to[j - 1]);
      row.push(Math.min(changed, (above[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    above = row;
  }
  return above[to.length] as number;
}
