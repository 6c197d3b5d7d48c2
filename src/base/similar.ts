/**
 * Similar names: which one somebody meant who mistyped it.
 *
 * Used by options.ts and by options/ for variables of the environment. Pure functions.
 */

import { times } from './lists.js';

/**
 * The name that takes the fewest changes to become, the first of several; undefined where more than
 * a third of the letters would have to change.
 */
export function similarTo(name: string, names: readonly string[]): string | undefined {
  // A longer name is like none of them, and comparing it would take time.
  if (name.length > NAME_CHARS_MAX) return undefined;
  const far = (other: string): number => editDistance(name.toLowerCase(), other.toLowerCase());
  const [first = ''] = [...names].sort((a, b) => far(a) - far(b));
  return far(first) <= Math.ceil(name.length / 3) ? first : undefined;
}

/** Maximum letters of a name that is compared with others. */
const NAME_CHARS_MAX = 100;

/** How many letters must be put in, left out or changed to turn one text into the other. */
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
